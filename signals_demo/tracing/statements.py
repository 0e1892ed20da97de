"""What SQL of the project's own does to the transaction that it runs in."""

import re
from typing import NamedTuple

BEGIN, COMMIT, ROLLBACK = "begin", "commit", "rollback"
SAVEPOINT, ROLLBACK_TO, RELEASE = "savepoint", "rollback to", "release"
IMPLICIT_COMMIT = "implicit commit"
"""MariaDB commits before it runs the statement."""
LOSE = "lose"
"""Nobody can tell what becomes of the transaction."""
ALWAYS_OPEN, AUTOCOMMIT = "always open", "autocommit"
"""A transaction is open from now on at all times, or only where one begins."""
SCHEMA, SCHEMA_UNTIL_END = "schema", "schema until end"
"""Names without a schema mean those in another from now on, or for this transaction."""


class Effect(NamedTuple):
    """What one statement does, and the savepoint or schema that it names."""

    kind: str
    name: str = ""


USUAL = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
"""How statements begin that do nothing to a transaction."""

_LONGEST = 20_000
_START = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
_SKIPPED = re.compile(r"'[^']*'|--[^\n]*|/\*.*?\*/|\$(\w{0,20})\$.*?\$\1\$", re.DOTALL)
_BODIES = re.compile(r"\b(?:TRIGGER|PROCEDURE|FUNCTION|EVENT|PACKAGE)\b", re.IGNORECASE)
_QUOTES = '"`[];'

# https://mariadb.com/docs/server/reference/sql-statements/transactions/sql-statements-that-cause-an-implicit-commit
_COMMITTING = frozenset({
    "ALTER", "ANALYZE", "CACHE", "CHECK", "CREATE", "DROP", "FLUSH", "GRANT", "INSTALL", "LOAD",
    "LOCK", "OPTIMIZE", "RENAME", "REPAIR", "RESET", "REVOKE", "TRUNCATE", "UNINSTALL",
})  # fmt: skip
# These words also begin statements that do not: ANALYZE SELECT, LOAD DATA.
_ONLY_WITH = {
    "ANALYZE": ("TABLE", "LOCAL", "NO_WRITE_TO_BINLOG"),
    "CHECK": ("TABLE",),
    "LOAD": ("INDEX",),
}
_AUTOCOMMIT = re.compile(
    r"SET\s+(?:SESSION\s+|@@(?:SESSION\.)?)?AUTOCOMMIT\s*=\s*(\w+)", re.IGNORECASE
)
_SEARCH_PATH = re.compile(
    r"SET\s+(SESSION\s+|LOCAL\s+)?(?:SEARCH_PATH\s*(?:TO|=)|SCHEMA)\s*([^;]{1,500})", re.IGNORECASE
)


def effects(sql: str, vendor: str) -> list[Effect]:
    """Return what a text of SQL, of one statement or several, does to its transaction."""
    text = sql[:_LONGEST]
    parts = [text]
    if ";" in text.rstrip("; \t\r\n") and not _BODIES.search(text[:200]):
        parts = _SKIPPED.sub(" ", text).split(";")
    return [found for part in parts if (found := _effect(part, vendor)) is not None]


def _effect(statement: str, vendor: str) -> Effect | None:
    start = _START.match(statement)
    statement = statement[start.end() :] if start else statement
    words = statement[:300].replace("(", " ").split(None, 5)[:5]
    if not words:
        return None
    first, *others = (word.strip(_QUOTES).upper() for word in words)
    second = others[0] if others else ""
    if second == "PREPARED":
        return None
    if first in ("BEGIN", "START"):
        is_block = "NOT" in others or (first == "START" and second != "TRANSACTION")
        return None if is_block else Effect(BEGIN)
    if first == "COMMIT" or (first == "END" and vendor != "mysql"):
        return Effect(COMMIT, "chain" if "CHAIN" in others and "NO" not in others else "")
    if first in ("ROLLBACK", "ABORT"):
        if "TO" in others:
            return Effect(ROLLBACK_TO, _name(statement))
        return Effect(ROLLBACK, "chain" if "CHAIN" in others and "NO" not in others else "")
    if first == "SAVEPOINT":
        return Effect(SAVEPOINT, _name(statement))
    if first == "RELEASE":
        return Effect(RELEASE, _name(statement))
    if vendor == "mysql":
        return _of_mysql([first, *others], statement)
    if first == "PREPARE" and second == "TRANSACTION":
        return Effect(LOSE)
    if first in ("SET", "RESET", "DISCARD") and vendor == "postgresql":
        return _schema(first, second, statement)
    return None


def _name(statement: str) -> str:
    """Return the name of a savepoint, which is the last word."""
    return statement.rstrip("; \t\r\n").split()[-1].strip(_QUOTES).lower()


def _of_mysql(words: list[str], statement: str) -> Effect | None:
    first, second = (*words, "")[:2]
    if first == "SET":
        found = _AUTOCOMMIT.match(statement)
        if found:
            is_on = found[1].upper() in ("1", "ON", "TRUE")
            return Effect(AUTOCOMMIT if is_on else ALWAYS_OPEN)
        return Effect(IMPLICIT_COMMIT) if second == "PASSWORD" else None
    if first == "USE":
        return Effect(SCHEMA, _name(statement))
    if first in ("XA", "UNLOCK"):  # UNLOCK commits only if a table is locked
        return Effect(LOSE)
    if first not in _COMMITTING or second not in _ONLY_WITH.get(first, (second,)):
        return None
    keeps = "TEMPORARY" in words[:4] or words[:2] == ["DROP", "PREPARE"]
    return None if keeps else Effect(IMPLICIT_COMMIT)


def _schema(first: str, second: str, statement: str) -> Effect | None:
    if first != "SET":
        return Effect(SCHEMA) if second.startswith(("SEARCH_PATH", "ALL")) else None
    found = _SEARCH_PATH.match(statement)
    if found is None:
        return None
    value = found[2].strip().strip("'")
    schema = value.split(",")[0].strip().strip("\"'")
    schema = "" if schema.lower() in ("default", "public", "$user") else schema
    is_local = (found[1] or "").strip().upper() == "LOCAL"
    return Effect(SCHEMA_UNTIL_END if is_local else SCHEMA, schema)
