"""What a database refuses keeps nothing else out, whatever the code of its error."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, connection

from signals_demo.catalog.outcomes import COMMITTED, OPEN, ROLLED_BACK
from signals_demo.delivery.journal import Journal
from signals_demo.delivery.recovery import recover
from signals_demo.events import Attribution, Resolution, Row
from signals_demo.faults import faults
from signals_demo.models import SignalEvent, SignalTrace
from signals_demo.sinks import NotReady
from signals_demo.sinks.database import DatabaseSink
from tests.recording import recorded, row_maker

TABLE, TRACES = SignalEvent._meta.db_table, SignalTrace._meta.db_table
VENDOR = connection.vendor
ODD = "odd \N{GRINNING FACE} …"
BAD = "bad.Row"

make_row = pytest.fixture(row_maker)
Make = Callable[..., Row]


@pytest.fixture
def database(transactional_db: None) -> Iterator[DatabaseSink]:
    with recorded(RECORD_TESTS=False):
        SignalEvent.objects.all().delete()
        yield DatabaseSink("default", {})


def run(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def trigger(
    condition: str, error: str, event: str = "INSERT", table: str = TABLE
) -> Iterator[None]:
    """Refuse rows for which a condition holds, with an error of the database's own kind."""
    if VENDOR == "sqlite":
        made = f"WHEN {condition} BEGIN SELECT {error}; END"
    elif VENDOR == "postgresql":
        run(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{error}'; END $$"
        )
        made = f"FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION refuse()"
    else:
        made = (
            f"FOR EACH ROW BEGIN IF {condition} THEN SIGNAL SQLSTATE '45000'"
            f" SET MYSQL_ERRNO = {error}; END IF; END"
        )
    run(f"CREATE TRIGGER refuse BEFORE {event} ON {table} {made}")
    try:
        yield
    finally:
        run(f"DROP TRIGGER refuse{f' ON {table}' if VENDOR == 'postgresql' else ''}")
        if VENDOR == "postgresql":
            run("DROP FUNCTION refuse")


ERRORS = {
    "sqlite": [
        "RAISE(ABORT, 'no')", "RAISE(FAIL, 'no')", "RAISE(ROLLBACK, 'no')", "json('no')",
        "zeroblob(2000000000)", "json_extract('{}', 'no')",
    ],
    # A trigger's own, a constraint's, no memory, read only, no right, no table, a timeout, a
    # deadlock, no disk, a shutdown, a fault of the server.
    "postgresql": [
        "P0001", "ZZ123", "23514", "53200", "25006", "42501", "42P01", "57014", "40P01", "53100",
        "57P01", "XX000",
    ],
    # A trigger's own, a charset, a lock, a deadlock, no table, read only, a full disk, no
    # partition, no right, a lost connection.
    "mysql": [
        "1644", "1366", "1205", "1213", "1146", "1290", "1021", "1526", "1142", "2006", "2013",
    ],
}[VENDOR]  # fmt: skip


def test_a_row_is_refused_whatever_the_code_and_the_others_are_stored(
    database: DatabaseSink, make_row: Make, caplog: pytest.LogCaptureFixture
) -> None:
    for times, error in enumerate(ERRORS, 1):
        rows = [make_row(sender=BAD if number in (0, 4, 5) else "x") for number in range(9)]
        with trigger(f"NEW.sender = '{BAD}'", error):
            database.store(rows)
            database.store(rows)  # as after an outage: they are counted once
        assert set(stored()) >= {row.sequence for row in rows if row.sender != BAD}, error
        assert len(stored()) == 6 * times, error
        assert (database.refused_events, database.refused_firings) == (3 * times, 3 * times)
        assert caplog.text.count("refused 3 of 9 events") == times
        assert SignalTrace.objects.get().firings == 6 * times


# SQLite looks for these when it prepares any INSERT.
OF_ALL_ROWS = ["* FROM nowhere", "missing()"] if VENDOR == "sqlite" else []


def test_where_it_takes_nothing_that_is_an_outage(
    database: DatabaseSink, make_row: Make, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [make_row() for _ in range(3)]
    for error in ERRORS + OF_ALL_ROWS:
        with trigger("1 = 1", error):
            for some in (rows, rows[:1]):
                with pytest.raises((DatabaseError, OverflowError, NotReady)):
                    database.store(some)
    assert database.refused_events == 0
    assert caplog.text == ""
    database.store(rows)
    assert stored() == [1, 2, 3]


READ_ONLY = {
    "sqlite": ("PRAGMA query_only = 1", "PRAGMA query_only = 0"),
    "postgresql": (
        "SET default_transaction_read_only = on", "SET default_transaction_read_only = off",
    ),
    "mysql": ("SET SESSION TRANSACTION READ ONLY", "SET SESSION TRANSACTION READ WRITE"),
}[VENDOR]  # fmt: skip


def test_a_replica_that_is_read_only_is_an_outage(database: DatabaseSink, make_row: Make) -> None:
    rows = [make_row() for _ in range(3)]
    database.store(rows)
    run(READ_ONLY[0])
    with pytest.raises(DatabaseError):
        database.store([make_row()])
    run(READ_ONLY[1])
    assert database.refused_events == 0


@pytest.mark.parametrize("kind", ["signal", "sender", "origin"])
def test_a_rule_that_admits_one_kind_of_row_only(
    database: DatabaseSink, make_row: Make, kind: str
) -> None:
    """Also where it is not a kind that anybody would think of."""
    rows = [make_row(**{kind: "odd" if number == 7 else "even"}) for number in range(9)]
    error = {"sqlite": "json('no')", "postgresql": "42501", "mysql": "1142"}[VENDOR]
    with trigger(f"NEW.{kind} <> 'odd'", error):
        database.store(rows)
    assert stored() == [8]
    assert database.refused_events == 8


@pytest.mark.applies(VENDOR == "postgresql")
def test_a_policy_on_rows(database: DatabaseSink, make_row: Make) -> None:
    role = f"writer_{uuid.uuid4().hex[:8]}"
    run(
        f"CREATE ROLE {role}", f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}",
        f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY reading ON {TABLE} FOR SELECT USING (true)",
        f"CREATE POLICY writing ON {TABLE} FOR INSERT WITH CHECK (sender <> '{BAD}')",
        f"SET ROLE {role}",
    )  # fmt: skip
    try:
        database.store([make_row(sender=BAD), make_row(), make_row(sender=BAD)])
    finally:
        run(
            "RESET ROLE", f"DROP POLICY reading ON {TABLE}", f"DROP POLICY writing ON {TABLE}",
            f"ALTER TABLE {TABLE} DISABLE ROW LEVEL SECURITY", f"DROP OWNED BY {role}",
            f"DROP ROLE {role}",
        )  # fmt: skip
    assert stored() == [2]
    assert database.refused_events == 2


# A database whose charset has ASCII alone, as far as a trigger can tell.
NOT_ASCII = {
    "sqlite": "length(CAST({0} AS BLOB)) <> length({0})",
    "postgresql": "octet_length({0}::text) <> length({0}::text)",
    "mysql": "length({0}) <> char_length({0})",
}[VENDOR]
ANY_ERROR = {"sqlite": "json('no')", "postgresql": "22P05", "mysql": "1366"}[VENDOR]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("origin_name", f"GET /{ODD}", "GET /odd \\U0001f600 \\u2026"),
        ("sender", ODD, "odd \\U0001f600 \\u2026"),
        ("exception", "\ud800", "\\ud800"),
        ("exception", ODD, "odd \\U0001f600 \\u2026"),
        ("call_site", "\N{GRINNING FACE}" * 100, ("\\U0001f600" * 100)[:497] + "..."),
        ("arguments", f'{{"{ODD}":["é\\u00e9"]}}', {"odd \\U0001f600 \\u2026": ["\\xe9\\xe9"]}),
        ("changes", f'{{"name":[null,"{ODD}"]}}', {"name": [None, "odd \\U0001f600 \\u2026"]}),
    ],
)
def test_a_row_that_the_charset_does_not_have_is_stored_in_escapes(
    database: DatabaseSink, make_row: Make, field: str, value: str, expected: Any
) -> None:
    plain = {"actor": "Zoe", "arguments": "{}"}
    rows = [make_row(**plain), make_row(**plain | {field: value}), make_row(**plain)]
    with trigger(NOT_ASCII.format(f"NEW.{field}"), ANY_ERROR):
        database.store(rows)
    assert stored() == [1, 2, 3]
    assert getattr(SignalEvent.objects.get(sequence=2), field) == expected
    assert database.refused_events == 0


def test_a_trace_that_is_refused_takes_no_event_with_it(
    database: DatabaseSink, make_row: Make
) -> None:
    rows = [make_row(origin_name=ODD if number == 2 else "x") for number in range(4)]
    with trigger(NOT_ASCII.format("NEW.general_name"), ANY_ERROR, table=TRACES):
        database.store(rows)
    with trigger("1 = 1", ANY_ERROR, "UPDATE", TRACES):
        database.store([make_row()])
    assert stored() == [1, 2, 3, 4, 5]


def late(row: Row) -> tuple[Resolution, Attribution]:
    number, trace = row.sequence, row.trace_id
    return (
        Resolution(row.recorder, number, number, trace, row.span_id, "default", COMMITTED),
        Attribution(row.recorder, number, number, trace, row.span_id, "7", ODD, "8", ODD),
    )


def test_late_changes_that_are_refused_keep_the_others_and_new_rows_no_longer_out(
    database: DatabaseSink, make_row: Make, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        make_row(outcome=OPEN, actor="", actor_pk="", trace_id=f"{number:032x}", sender=sender)
        for number, sender in enumerate(["x", BAD, "y", BAD, "z"], 1)
    ]
    database.store(rows)
    faults.clear()
    with trigger(f"OLD.sender = '{BAD}'", ANY_ERROR, "UPDATE"):
        database.resolve([late(row)[0] for row in rows])
        database.attribute([late(row)[1] for row in rows])
        database.store([make_row()])
    found = list(SignalEvent.objects.order_by("sequence").values_list("outcome", "actor"))
    assert found[:5] == [
        (COMMITTED, ODD),
        (OPEN, ""),
        (COMMITTED, ODD),
        (OPEN, ""),
        (COMMITTED, ODD),
    ]
    assert faults.pop("An outcome that the database refused") == 2
    assert faults.pop("An actor that the database refused") == 2
    assert stored() == [1, 2, 3, 4, 5, 6]
    assert sum("that the database refused" in one.getMessage() for one in caplog.records) == 2


def test_an_actor_that_the_charset_does_not_have(database: DatabaseSink, make_row: Make) -> None:
    row = make_row(actor="", actor_pk="")
    database.store([row])
    with trigger(NOT_ASCII.format("NEW.actor"), ANY_ERROR, "UPDATE"):
        database.attribute([late(row)[1]])
    assert SignalEvent.objects.get().actor == "odd \\U0001f600 \\u2026"


def test_what_a_journal_holds_follows_the_same_rule(
    database: DatabaseSink, make_row: Make, tmp_path: Any
) -> None:
    rows = [
        make_row(sender=BAD if number in (1, 4) else "x", outcome=ROLLED_BACK)
        for number in range(6)
    ]
    journal = Journal(tmp_path, rows[0].recorder)
    for row in rows:
        journal.append_event(row, None)
    # What no process writes: a disk may have changed it.
    moment = rows[0].occurred_at.isoformat()
    for duration, position in ((10**30, 1), ("x", 2), (None, "third"), (None, None)):
        odd = rows[0]._replace(sequence=7, position=position)  # type: ignore[arg-type]
        journal._write(["event", 0, 7, moment, *odd[3:10], duration, *odd[11:]])
    journal.append_actor(late(rows[0])[1])
    journal.close(is_stored=False)
    with trigger(f"NEW.sender = '{BAD}'", ANY_ERROR):
        assert recover(tmp_path, rows[0].recorder, [database]) == 8
    assert set(stored()) - {7} == {1, 3, 4, 6}  # SQLite has a text where a number should be
    assert database.refused_events >= 3
    assert list(tmp_path.iterdir()) == []


def test_a_position_beyond_32_bits(database: DatabaseSink, make_row: Make) -> None:
    database.store([make_row(position=2**31), make_row(position=2**40), make_row(position=2**64)])
    numbers = SignalEvent.objects.order_by("sequence").values_list("position", flat=True)
    assert list(numbers) == [2**31, 2**40]


def stored() -> list[int]:
    return list(SignalEvent.objects.order_by("sequence").values_list("sequence", flat=True))
