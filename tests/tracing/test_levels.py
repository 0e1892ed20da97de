"""Outcomes where SQL of the project's own, or the server, begins and ends transactions."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError, Error, connection, transaction

from project.playground.models import Author
from signals_demo import trace
from tests.recording import outcomes, rolled_back, stored

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stored]

IS = connection.vendor


def run(*sql: Any) -> None:
    with connection.cursor() as cursor:
        for each in sql:
            cursor.execute(each)


def author(name: str) -> None:
    Author.objects.create(name=name)


def told(unit: Any) -> dict[str, str]:
    """Return what the log says of each author that was created."""
    return {
        event.changes["name"][1]: event.outcome
        for event in stored(unit)
        if event.signal == "post_save"
    }


def is_right(unit: Any, *, may_be_open: tuple[str, ...] = ()) -> bool:
    """Return whether the log says committed of those authors that are there, and of no others."""
    there = set(Author.objects.values_list("name", flat=True))
    return all(
        outcome == ("committed" if name in there else "rolled_back")
        or (name in may_be_open and outcome == "open")
        for name, outcome in told(unit).items()
    )


def test_a_transaction_of_plain_sql_that_is_rolled_back() -> None:
    with trace("unit") as unit:
        run("BEGIN")
        author("1")
        run("ROLLBACK")
        author("2")
    assert told(unit) == {"1": "rolled_back", "2": "committed"}
    assert is_right(unit)


def test_a_transaction_of_plain_sql_that_is_committed() -> None:
    with trace("unit") as unit:
        run("BEGIN")
        author("1")
        run("COMMIT")
    assert told(unit) == {"1": "committed"}


def test_remarks_and_spaces_do_not_hide_it() -> None:
    with trace("unit") as unit:
        run("  /* us */ begin;")
        author("1")
        run("-- back\n rollback ;")
    assert told(unit) == {"1": "rolled_back"}


def test_savepoints_of_plain_sql_in_a_block() -> None:
    with trace("unit") as unit, transaction.atomic():
        author("1")
        run("SAVEPOINT mine")
        author("2")
        run("ROLLBACK TO SAVEPOINT mine")
        author("3")
        run("RELEASE SAVEPOINT mine")
        author("4")
    assert is_right(unit)
    assert told(unit)["2"] == "rolled_back"


def test_savepoints_of_plain_sql_in_a_transaction_of_plain_sql() -> None:
    with trace("unit") as unit:
        run("BEGIN")
        author("1")
        run("SAVEPOINT a")
        author("2")
        run("SAVEPOINT b")
        author("3")
        run("ROLLBACK TO b")
        run("ROLLBACK TO a")
        author("4")
        run("COMMIT")
    assert told(unit) == {
        "1": "committed", "2": "rolled_back", "3": "rolled_back", "4": "committed",
    }  # fmt: skip
    assert is_right(unit)


def test_a_commit_of_plain_sql_inside_of_a_block() -> None:
    with trace("unit") as unit, rolled_back():
        author("1")
        run("COMMIT")
        author("2")
    assert is_right(unit, may_be_open=("2",))
    assert told(unit)["1"] == "committed"


def test_a_rollback_of_plain_sql_inside_of_a_block() -> None:
    with trace("unit") as unit, transaction.atomic():
        author("1")
        run("ROLLBACK")
        author("2")
    assert is_right(unit, may_be_open=("2",))
    assert told(unit)["1"] == "rolled_back"


def test_a_block_beside_a_transaction_of_plain_sql() -> None:
    with trace("unit") as unit:
        run("BEGIN")
        author("1")
        run("ROLLBACK")
        with rolled_back():
            author("2")
        with transaction.atomic():
            author("3")
    assert is_right(unit)


def test_a_connection_that_is_closed_in_a_transaction_of_plain_sql() -> None:
    with trace("unit") as unit:
        run("BEGIN")
        author("1")
        connection.close()
        author("2")
    assert told(unit) == {"1": "rolled_back", "2": "committed"}


def test_both_signals_of_a_save_have_its_outcome() -> None:
    with trace("unit") as unit:
        run("BEGIN")
        author("1")
        run("ROLLBACK")
    found = outcomes(stored(unit), "pre_save", "post_save")
    assert found == [("pre_save", "rolled_back"), ("post_save", "rolled_back")]


@pytest.fixture
def scratch() -> Iterator[str]:
    yield "scratch_of_levels"
    run("DROP TABLE IF EXISTS scratch_of_levels")


def test_a_table_that_is_made_in_a_block(scratch: str) -> None:
    with trace("unit") as unit:
        with rolled_back():
            author("1")
            run(f"CREATE TABLE {scratch} (n int)")
            author("2")
        with rolled_back():
            author("3")
            run(f"DROP TABLE IF EXISTS {scratch}")
    assert is_right(unit)
    assert told(unit)["1"] == ("committed" if IS == "mysql" else "rolled_back")


@pytest.mark.applies(IS == "mysql")
def test_statements_of_mariadb_that_commit(scratch: str) -> None:
    run(f"CREATE TABLE {scratch} (n int)")
    table = Author._meta.db_table
    with trace("unit") as unit:
        for number, statement in enumerate(
            (f"TRUNCATE TABLE {scratch}", f"LOCK TABLES {table} WRITE", "UNLOCK TABLES",
             f"ALTER TABLE {scratch} ADD m int", "CREATE TEMPORARY TABLE t_levels (n int)",
             "START TRANSACTION", "SET autocommit = 0", f"SELECT * FROM {scratch}")
        ):  # fmt: skip
            with rolled_back():
                author(f"{number}")
                run(statement)
        connection.close()
    assert is_right(unit, may_be_open=("2",))


@pytest.mark.applies(IS == "mysql")
def test_a_statement_of_mariadb_that_fails_may_have_committed(scratch: str) -> None:
    run(f"CREATE TABLE {scratch} (n int)")
    with trace("unit") as unit, rolled_back():
        author("1")
        with pytest.raises(DatabaseError):
            run(f"CREATE TABLE {scratch} (n int)")
    assert is_right(unit, may_be_open=("1",))


@pytest.mark.applies(IS == "mysql")
def test_autocommit_that_sql_turns_off() -> None:
    with trace("unit") as unit:
        run("SET autocommit = 0")
        author("1")
        run("COMMIT")
        author("2")
        run("ROLLBACK")
        author("3")
        run("SET autocommit = 1")
        author("4")
    assert told(unit) == {
        "1": "committed", "2": "rolled_back", "3": "committed", "4": "committed",
    }  # fmt: skip
    assert is_right(unit)


@pytest.mark.applies(IS == "postgresql")
def test_postgresql_rolls_back_instead_of_committing_what_has_failed() -> None:
    with trace("unit") as unit:
        transaction.set_autocommit(False)
        try:
            author("1")
            with pytest.raises(Error):
                run("SELECT 1 / 0")
            transaction.commit()
        finally:
            transaction.set_autocommit(True)
    assert told(unit) == {"1": "rolled_back"}
    assert is_right(unit)


@pytest.mark.applies(IS == "postgresql")
def test_a_statement_that_psycopg_composes() -> None:
    from psycopg import sql

    with trace("unit") as unit:
        run(sql.SQL("BEGIN"))
        author("1")
        run(sql.Composed([sql.SQL("ROLL"), sql.SQL("BACK")]))
    assert told(unit) == {"1": "rolled_back"}


@pytest.mark.applies(IS == "sqlite")
def test_a_savepoint_of_sqlite_is_a_transaction() -> None:
    with trace("unit") as unit:
        run("SAVEPOINT a")
        author("1")
        run("RELEASE a", "SAVEPOINT b")
        author("2")
        run("ROLLBACK TO b", "RELEASE b")
        author("3")
    assert told(unit) == {"1": "committed", "2": "rolled_back", "3": "committed"}
    assert is_right(unit)


@pytest.mark.applies(IS == "sqlite")
def test_a_transaction_that_the_driver_ends_is_not_guessed() -> None:
    with trace("unit") as unit, rolled_back():
        author("1")
        connection.connection.commit()
    assert told(unit) == {"1": "open"}


@pytest.mark.applies(IS == "sqlite")
def test_an_error_of_sqlite_that_rolls_back() -> None:
    with trace("unit") as unit:
        run("BEGIN")
        author("1")
        table = Author._meta.db_table
        with pytest.raises(Error):
            run(f"INSERT OR ROLLBACK INTO {table} (name) VALUES ('1')")  # noqa: S608
        author("2")
    assert told(unit) == {"1": "rolled_back", "2": "committed"}
    assert is_right(unit)
