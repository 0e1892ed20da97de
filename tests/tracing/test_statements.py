"""What SQL does to the transaction that it runs in."""

import time

import pytest

from signals_demo.tracing import statements
from signals_demo.tracing.statements import effects

ALL = ("sqlite", "postgresql", "mysql")


def kinds(sql: str, vendor: str) -> list[tuple[str, str]]:
    return [(effect.kind, effect.name) for effect in effects(sql, vendor)]


@pytest.mark.parametrize("vendor", ALL)
@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("BEGIN", ("begin", "")),
        ("begin;", ("begin", "")),
        ("BEGIN IMMEDIATE", ("begin", "")),
        ("  START TRANSACTION READ ONLY", ("begin", "")),
        ("/* who: me */ BEGIN", ("begin", "")),
        ("-- a remark; with more\nROLLBACK", ("rollback", "")),
        ("COMMIT", ("commit", "")),
        ("COMMIT WORK", ("commit", "")),
        ("COMMIT AND CHAIN", ("commit", "chain")),
        ("ROLLBACK AND NO CHAIN", ("rollback", "")),
        ("SAVEPOINT a", ("savepoint", "a")),
        ('SAVEPOINT "S1_x2";', ("savepoint", "s1_x2")),
        ("ROLLBACK TO a", ("rollback to", "a")),
        ("ROLLBACK TO SAVEPOINT `a`", ("rollback to", "a")),
        ("ROLLBACK TRANSACTION TO SAVEPOINT a", ("rollback to", "a")),
        ("RELEASE a", ("release", "a")),
        ("RELEASE SAVEPOINT a", ("release", "a")),
    ],
)
def test_transactions_by_hand(sql: str, vendor: str, expected: tuple[str, str]) -> None:
    assert kinds(sql, vendor) == [expected]


@pytest.mark.parametrize("vendor", ALL)
@pytest.mark.parametrize(
    "sql",
    [
        "", ";", "   ", "--", "/* never closed", "SELECT 1", "WITH a AS (SELECT 1) SELECT 1",
        "(SELECT 1) UNION (SELECT 2)", "SELECT '; ROLLBACK'", "SELECT 1 -- ; ROLLBACK",
        "INSERT INTO a VALUES ('x; COMMIT;')", "COMMIT PREPARED 'a'", "ROLLBACK PREPARED 'a'",
        "BEGIN NOT ATOMIC SELECT 1; END", "PRAGMA foreign_keys = ON", "EXPLAIN SELECT 1",
    ],
)  # fmt: skip
def test_statements_that_leave_the_transaction_alone(sql: str, vendor: str) -> None:
    assert kinds(sql, vendor) in ([], [("commit", "")] if "END" in sql else [])


def test_several_statements_at_once() -> None:
    found = kinds("BEGIN; INSERT INTO a VALUES (';'); SAVEPOINT b; SELECT 1; ROLLBACK", "sqlite")
    assert [kind for kind, _name in found] == ["begin", "savepoint", "rollback"]


@pytest.mark.parametrize("vendor", ["sqlite", "postgresql"])
def test_the_end_of_a_body_is_none_of_the_transaction(vendor: str) -> None:
    trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; END"
    function = "CREATE FUNCTION f() RETURNS void AS $$ BEGIN x; END; $$ LANGUAGE plpgsql"
    block = "DO $x$ BEGIN PERFORM 1; COMMIT; END $x$; SELECT 1"
    assert [effects(sql, vendor) for sql in (trigger, function, block)] == [[], [], []]


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("CREATE TABLE a (b int)", "implicit commit"),
        ("alter table a add c int", "implicit commit"),
        ("DROP TABLE a", "implicit commit"),
        ("TRUNCATE a", "implicit commit"),
        ("TRUNCATE TABLE a", "implicit commit"),
        ("LOCK TABLES a WRITE", "implicit commit"),
        ("RENAME TABLE a TO b", "implicit commit"),
        ("CREATE INDEX i ON a (b)", "implicit commit"),
        ("GRANT SELECT ON a TO b", "implicit commit"),
        ("ANALYZE TABLE a", "implicit commit"),
        ("UNLOCK TABLES", "lose"),
        ("XA END 'x'", "lose"),
        ("SET autocommit=0", "always open"),
        ("SET SESSION autocommit = OFF", "always open"),
        ("set @@autocommit = 1", "autocommit"),
        ("CREATE TEMPORARY TABLE a (b int)", ""),
        ("CREATE OR REPLACE TEMPORARY TABLE a (b int)", ""),
        ("DROP TEMPORARY TABLE a", ""),
        ("ANALYZE SELECT 1", ""),
        ("LOAD DATA INFILE 'x' INTO TABLE a", ""),
        ("SET foreign_key_checks = 0", ""),
        ("SHOW TABLES", ""),
    ],
)
def test_statements_of_mariadb(sql: str, kind: str) -> None:
    assert [effect.kind for effect in effects(sql, "mysql")] == ([kind] if kind else [])
    if kind == "implicit commit":
        assert effects(sql, "postgresql") == effects(sql, "sqlite") == []


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SET search_path TO one", [("schema", "one")]),
        ("SET search_path = one,public", [("schema", "one")]),
        ("SET SESSION search_path TO 'one', public", [("schema", "one")]),
        ('SET search_path = "one"', [("schema", "one")]),
        ("SET SCHEMA 'one'", [("schema", "one")]),
        ("SET LOCAL search_path TO one", [("schema until end", "one")]),
        ("SET search_path TO public", [("schema", "")]),
        ("SET search_path TO DEFAULT", [("schema", "")]),
        ("RESET search_path", [("schema", "")]),
        ("SET TIME ZONE 'UTC'", []),
        ("PREPARE TRANSACTION 'a'", [("lose", "")]),
        ("ABORT", [("rollback", "")]),
        ("END", [("commit", "")]),
    ],
)
def test_statements_of_postgresql(sql: str, expected: list[tuple[str, str]]) -> None:
    assert kinds(sql, "postgresql") == expected


@pytest.mark.parametrize(
    "hostile",
    ["/*" * 40_000, "$a$;" * 40_000, "';" * 40_000, "-" * 90_000, "SET " * 30_000, " ;" * 50_000],
)
def test_long_statements_take_no_time(hostile: str) -> None:
    begun = time.perf_counter()
    for vendor in ALL:
        statements.effects(hostile, vendor)
    assert time.perf_counter() - begun < 0.5
