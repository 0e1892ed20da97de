"""The transaction and the savepoints that are open on a connection, and their outcomes."""

from collections.abc import Callable
from itertools import count

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.connection import ConnectionDoesNotExist

from signals_demo.catalog.outcomes import COMMITTED, OPEN, ROLLED_BACK
from signals_demo.tracing import statements
from signals_demo.tracing.outcomes import TransactionOutcome

Hook = Callable[[BaseDatabaseWrapper], None]

on_begin: list[Hook] = []
"""What to call before a transaction begins on a connection."""
on_end: list[Hook] = []
"""What to call when none is open on a connection any more."""

_watches = count(1)
_name = "_signals_demo_levels_0"
"""Where a connection keeps its levels."""
ALWAYS_OPEN = "_signals_demo_always_open"
RAN = "_signals_demo_ran"  # whether a statement has, since the transaction began
uses_schemas = False
"""Whether any connection may have been told of a schema. Most never are: then none is asked."""
SCHEMA = "_signals_demo_schema"
_SCHEMA_BEFORE = "_signals_demo_schema_before"
SCHEMA_UNTIL_END = "_signals_demo_schema_until_end"
"""Where a connection keeps the schema that SQL of the project's has set."""


class Level:
    """An open savepoint, or the transaction itself (with no `sid`)."""

    __slots__ = ("by_savepoint", "outcome", "sid")

    def __init__(self, sid: str | None, *, by_savepoint: bool = False) -> None:
        self.sid = sid
        # On SQLite a savepoint begins a transaction, and its release commits that.
        self.by_savepoint = by_savepoint
        self.outcome: TransactionOutcome | None = None


Levels = list[Level]


def forget_all() -> None:
    """Forget what was open on each connection, also on those of other threads.

    It may have ended while nobody watched.
    """
    global _name
    _name = f"_signals_demo_levels_{next(_watches)}"


def levels_of(connection: BaseDatabaseWrapper) -> Levels:
    """Return the transaction and its savepoints, the outermost first; nothing in autocommit."""
    levels: Levels | None = connection.__dict__.get(_name)
    if levels is None:
        levels = connection.__dict__[_name] = []
        if connection.in_atomic_block:  # which began before we watched
            sids = [sid for sid in connection.savepoint_ids if sid]
            levels.extend(map(Level, (None, *sids)))
    return levels


def connection_to(alias: str) -> BaseDatabaseWrapper | None:
    """Return this thread's connection, or None without one: some projects send by hand.

    A save to a database that does not exist fails only after its first signal.
    """
    try:
        return connections[alias] if alias else None
    except ConnectionDoesNotExist:
        return None


def outcome_on(connection: BaseDatabaseWrapper | None) -> TransactionOutcome | None:
    """Return the outcome of a change made now, or None in autocommit mode: it is its own."""
    if connection is None:
        return None
    known = connection.__dict__.get(_name)
    if known and known[-1].outcome is not None:
        return known[-1].outcome  # type: ignore[no-any-return]
    is_open = known or connection.in_atomic_block
    if not is_open and (connection.connection is None or connection.autocommit):
        return None
    levels = levels_of(connection)
    if not levels:
        levels.append(Level(None))
    parent = None
    for level in levels:
        if level.outcome is None:
            level.outcome = TransactionOutcome(parent, connection)
        parent = level.outcome
    return parent


def outcome_around_test(alias: str) -> TransactionOutcome | None:
    """Return the outcome of the block that Django's `TestCase` holds open around a test, or None.

    For the test, what reaches that block is committed.
    """
    connection = connections[alias]
    number = sum(getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)
    if not number:
        return None
    sids = connection.savepoint_ids[: number - 1]
    held = [level for level in levels_of(connection) if level.sid is None or level.sid in sids]
    return held[-1].outcome if held else None


def call(hooks: list[Hook], connection: BaseDatabaseWrapper) -> None:
    """Call each hook with a connection."""
    for hook in hooks:
        hook(connection)


def end(connection: BaseDatabaseWrapper, outcome: str) -> None:
    """Note what became of the transaction, with its savepoints."""
    levels = levels_of(connection)
    for level in levels:
        if level.outcome is not None:
            level.outcome.set(outcome)
    levels.clear()
    if connection.__dict__.get(ALWAYS_OPEN):
        levels.append(Level(None))
    known = connection.__dict__
    known.pop(RAN, None)
    known.pop(SCHEMA_UNTIL_END, None)
    if _SCHEMA_BEFORE in known:  # a rollback takes SET back as well
        before = known.pop(_SCHEMA_BEFORE)
        if outcome == ROLLED_BACK:
            known[SCHEMA] = before
    call(on_end, connection)


def look_for_schemas() -> None:
    """Note whether a database may have schemas: other backends set them in ways of their own."""
    global uses_schemas
    engines = [str(each.get("ENGINE")) for each in connections.settings.values()]
    if not all(engine.startswith("django.db.backends.") for engine in engines):
        uses_schemas = True


def forget_session(connection: BaseDatabaseWrapper) -> None:
    """Forget what SQL has set for the connection: it is made anew."""
    for name in (ALWAYS_OPEN, SCHEMA):
        connection.__dict__.pop(name, None)


def lose(connection: BaseDatabaseWrapper) -> None:
    """Note that nobody can tell what becomes of what has been done so far."""
    for level in levels_of(connection):
        if level.outcome is not None:
            level.outcome.set(OPEN)
            level.outcome = None


def has_outcomes(connection: BaseDatabaseWrapper) -> bool:
    """Return whether anything was recorded in the transaction that is open."""
    return any(level.outcome is not None for level in connection.__dict__.get(_name) or ())


def _from(levels: Levels, sid: str) -> int:
    """Return where `sid` stands in `levels`, or their length if it does not."""
    # Of two with one name the later one is meant. No slices: each test of a `TestCase` calls this.
    for place in range(len(levels) - 1, -1, -1):
        if levels[place].sid == sid:
            return place
    return len(levels)


def _on_savepoint(connection: BaseDatabaseWrapper, sid: str) -> None:
    levels = levels_of(connection)
    if not levels:
        begins = not connection.in_atomic_block and connection.autocommit
        if begins and connection.vendor != "sqlite":
            return  # it does nothing
        levels.append(Level(None, by_savepoint=begins))
    levels.append(Level(sid))


def _on_savepoint_rollback(connection: BaseDatabaseWrapper, sid: str) -> None:
    levels = levels_of(connection)
    start = _from(levels, sid)
    if start == len(levels):
        lose(connection)
        return
    for level in levels[start:]:
        if level.outcome is not None:
            level.outcome.set(ROLLED_BACK)
    # The savepoint itself is still there, and what comes next has an outcome of its own.
    levels[start].outcome = None
    del levels[start + 1 :]


def _on_savepoint_commit(connection: BaseDatabaseWrapper, sid: str) -> None:
    levels = levels_of(connection)
    start = _from(levels, sid)
    for level in levels[start:]:
        if level.outcome is not None:
            level.outcome.release()
    del levels[start:]
    if len(levels) == 1 and levels[0].by_savepoint:
        end(connection, COMMITTED)


def _on_begin(connection: BaseDatabaseWrapper) -> None:
    levels = levels_of(connection)
    if levels and connection.vendor == "mysql":  # which commits the one before
        end(connection, COMMITTED)
    if not levels:
        levels.append(Level(None))


def _on_end(connection: BaseDatabaseWrapper, outcome: str, chain: str) -> None:
    end(connection, outcome)
    if chain and not levels_of(connection):
        levels_of(connection).append(Level(None))


def _set_always_open(connection: BaseDatabaseWrapper, value: bool) -> None:
    if value:
        connection.__dict__[ALWAYS_OPEN] = True
        if not levels_of(connection):
            _on_begin(connection)
    else:
        connection.__dict__.pop(ALWAYS_OPEN, None)
        end(connection, COMMITTED)


def _set_schema(connection: BaseDatabaseWrapper, key: str, name: str) -> None:
    global uses_schemas
    uses_schemas = True
    known = connection.__dict__
    if key == SCHEMA and (levels_of(connection) or connection.in_atomic_block):
        known.setdefault(_SCHEMA_BEFORE, known.get(SCHEMA, ""))
    known[key] = name


EFFECTS: dict[str, Callable[[BaseDatabaseWrapper, str], object]] = {
    statements.BEGIN: lambda connection, name: _on_begin(connection),
    statements.COMMIT: lambda connection, name: _on_end(connection, COMMITTED, name),
    statements.ROLLBACK: lambda connection, name: _on_end(connection, ROLLED_BACK, name),
    statements.SAVEPOINT: _on_savepoint,
    statements.ROLLBACK_TO: _on_savepoint_rollback,
    statements.RELEASE: _on_savepoint_commit,
    statements.IMPLICIT_COMMIT: lambda connection, name: end(connection, COMMITTED),
    statements.LOSE: lambda connection, name: lose(connection),
    statements.ALWAYS_OPEN: lambda connection, name: _set_always_open(connection, True),
    statements.AUTOCOMMIT: lambda connection, name: _set_always_open(connection, False),
    statements.SCHEMA: lambda connection, name: _set_schema(connection, SCHEMA, name),
    statements.SCHEMA_UNTIL_END: lambda connection, name: _set_schema(
        connection, SCHEMA_UNTIL_END, name
    ),
}
