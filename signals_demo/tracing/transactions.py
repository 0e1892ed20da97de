"""Follows each transaction down to its savepoints, without a query or an `on_commit` hook.

Django does not report that a transaction was rolled back. So the methods of the connection that
`atomic`, `commit()` and `savepoint_rollback()` all call in the end are wrapped.
"""

from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from signals_demo.catalog.outcomes import COMMITTED, ROLLED_BACK
from signals_demo.tracing.outcomes import TransactionOutcome
from signals_demo.tracing.patches import Function, Patch

Hook = Callable[[BaseDatabaseWrapper], None]

on_begin: list[Hook] = []
"""What to call before a transaction begins on a connection."""
on_end: list[Hook] = []
"""What to call when none is open on a connection any more."""

_NAME = "_signals_demo_levels"


class _Level:
    """An open savepoint, or the transaction itself (with no `sid`)."""

    __slots__ = ("outcome", "sid")

    def __init__(self, sid: str | None) -> None:
        self.sid = sid
        self.outcome: TransactionOutcome | None = None


Levels = list[_Level]


def _levels(connection: BaseDatabaseWrapper) -> Levels:
    levels: Levels | None = connection.__dict__.get(_NAME)
    if levels is None:
        levels = connection.__dict__[_NAME] = []
        if connection.in_atomic_block:  # which began before we watched
            sids = [sid for sid in connection.savepoint_ids if sid]
            levels.extend(map(_Level, (None, *sids)))
    return levels


def connection_to(alias: str) -> BaseDatabaseWrapper | None:
    """Return this thread's connection, or None without an alias: some projects send by hand."""
    return connections[alias] if alias else None


def outcome_on(connection: BaseDatabaseWrapper | None) -> TransactionOutcome | None:
    """Return the outcome of a change made now, or None in autocommit mode: it is its own."""
    if connection is None:
        return None
    known = connection.__dict__.get(_NAME)
    if known and known[-1].outcome is not None:
        return known[-1].outcome  # type: ignore[no-any-return]
    if not connection.in_atomic_block and (connection.connection is None or connection.autocommit):
        return None
    levels = _levels(connection)
    if not levels:
        levels.append(_Level(None))
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
    held = [level for level in _levels(connection) if level.sid is None or level.sid in sids]
    return held[-1].outcome if held else None


def _call(hooks: list[Hook], connection: BaseDatabaseWrapper) -> None:
    for hook in hooks:
        hook(connection)


def _end(connection: BaseDatabaseWrapper, outcome: str) -> None:
    levels = _levels(connection)
    for level in levels:
        if level.outcome is not None:
            level.outcome.set(outcome)
    levels.clear()
    _call(on_end, connection)


def _from(levels: Levels, sid: str) -> int:
    """Return where `sid` stands in `levels`, or their length if it does not."""
    # Of two with one name the later one is meant. No slices: each test of a `TestCase` calls this.
    for place in range(len(levels) - 1, -1, -1):
        if levels[place].sid == sid:
            return place
    return len(levels)


def _on_savepoint(connection: BaseDatabaseWrapper, sid: str | None) -> None:
    if sid:
        levels = _levels(connection)
        if not levels:
            levels.append(_Level(None))
        levels.append(_Level(sid))


def _on_savepoint_rollback(connection: BaseDatabaseWrapper, sid: str) -> None:
    levels = _levels(connection)
    start = _from(levels, sid)
    for level in levels[start:]:
        if level.outcome is not None:
            level.outcome.set(ROLLED_BACK)
    # The savepoint itself is still there, and what comes next has an outcome of its own.
    if start < len(levels):
        levels[start].outcome = None
        del levels[start + 1 :]


def _on_savepoint_commit(connection: BaseDatabaseWrapper, sid: str) -> None:
    levels = _levels(connection)
    start = _from(levels, sid)
    for level in levels[start:]:
        if level.outcome is not None:
            level.outcome.release()
    del levels[start:]


def _after(
    action: Callable[..., None], *, pass_result: bool = False
) -> Callable[[Function], Function]:
    def wrap(original: Function) -> Function:
        def method(self: BaseDatabaseWrapper, *args: Any, **kwargs: Any) -> Any:
            result = original(self, *args, **kwargs)
            if pass_result:
                action(self, result)
            else:
                action(self, *args, **kwargs)
            return result

        return method

    return wrap


def _wrap_set_autocommit(original: Function) -> Function:
    def method(self: BaseDatabaseWrapper, autocommit: bool, *args: Any, **kwargs: Any) -> Any:
        if not autocommit:
            _call(on_begin, self)
        try:
            result = original(self, autocommit, *args, **kwargs)
        except BaseException:
            _call(on_end, self)
            raise
        if autocommit:
            _call(on_end, self)
            # Where the driver allows this inside a transaction, it commits that one.
            if _levels(self):
                _end(self, COMMITTED)
        return result

    return method


def _wrap_close(original: Function) -> Function:
    def method(self: BaseDatabaseWrapper, *args: Any, **kwargs: Any) -> Any:
        try:
            return original(self, *args, **kwargs)
        finally:
            # Also where closing failed, unless Django refused it, in another thread.
            if self.connection is None or self.closed_in_transaction:
                _end(self, ROLLED_BACK)

    return method


def _wrap_connect(original: Function) -> Function:
    def method(self: BaseDatabaseWrapper, *args: Any, **kwargs: Any) -> Any:
        _end(self, ROLLED_BACK)  # what was lost with the connection before
        return original(self, *args, **kwargs)

    return method


_WRAPPERS: dict[str, Callable[[Function], Function]] = {
    "commit": _after(lambda connection: _end(connection, COMMITTED)),
    "rollback": _after(lambda connection: _end(connection, ROLLED_BACK)),
    "set_autocommit": _wrap_set_autocommit,
    "close": _wrap_close,
    "connect": _wrap_connect,
    "savepoint": _after(_on_savepoint, pass_result=True),
    "savepoint_rollback": _after(_on_savepoint_rollback),
    "savepoint_commit": _after(_on_savepoint_commit),
}
_patches = [Patch(BaseDatabaseWrapper, name, wrap) for name, wrap in _WRAPPERS.items()]


def install() -> None:
    """Begin to watch transactions. Calling it again changes nothing."""
    for patch in _patches:
        patch.install()


def uninstall() -> None:
    """Stop watching transactions."""
    for patch in _patches:
        patch.uninstall()
