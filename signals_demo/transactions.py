"""Committed or rolled back, down to the savepoint, without a query or an `on_commit` hook.

Django tells nobody that a transaction was rolled back, so the connection's own methods are
wrapped: they are what `atomic`, `commit()` and `savepoint_rollback()` all end in.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

COMMITTED = "committed"
ROLLED_BACK = "rolled_back"
OPEN = "open"

_NAME = "_signals_demo_fates"


class Fate:
    """What becomes of a transaction, or of the part of it since a savepoint."""

    __slots__ = ("_outcome", "_parent", "_released")

    def __init__(self, parent: "Fate | None" = None) -> None:
        self._outcome = ""
        self._parent = parent
        self._released = False

    def settle(self, outcome: str) -> None:
        """Note how it ended; what was noted before stands."""
        self._outcome = self._outcome or outcome

    def release(self) -> None:
        """Note that the savepoint is gone: from now on the fate is that of what is around it."""
        self._released = True

    def carrier(self) -> "Fate":
        """Return the fate that decides this one: itself, or one around it."""
        fate = self
        while fate._released and not fate._outcome and fate._parent is not None:
            fate = fate._parent
        return fate

    @property
    def root(self) -> "Fate":
        """Return the fate of the whole transaction."""
        fate = self
        while fate._parent is not None:
            fate = fate._parent
        return fate

    @property
    def outcome(self) -> str:
        """Return `committed`, `rolled_back`, or `open` as long as nobody knows."""
        fate: Fate | None = self
        while fate is not None:
            if fate._outcome:
                return fate._outcome
            fate = fate._parent
        return OPEN


class _Level:
    """An open savepoint, or the transaction itself (with no `sid`)."""

    __slots__ = ("fate", "sid")

    def __init__(self, sid: str | None) -> None:
        self.sid = sid
        self.fate: Fate | None = None


Levels = list[_Level]


def _levels(connection: BaseDatabaseWrapper) -> Levels:
    levels: Levels | None = connection.__dict__.get(_NAME)
    if levels is None:
        levels = connection.__dict__[_NAME] = []
    return levels


def fate_on(alias: str) -> Fate | None:
    """Return the fate of a change made now, or None in autocommit mode: it is its own."""
    connection = connections[alias]
    if not connection.in_atomic_block and (connection.connection is None or connection.autocommit):
        return None
    levels = _levels(connection)
    if not levels:
        levels.append(_Level(None))
    parent = None
    for level in levels:
        if level.fate is None:
            level.fate = Fate(parent)
        parent = level.fate
    return parent


def _end(connection: BaseDatabaseWrapper, outcome: str) -> None:
    levels = _levels(connection)
    for level in levels:
        if level.fate is not None:
            level.fate.settle(outcome)
    levels.clear()


def _from(levels: Levels, sid: str) -> int:
    """Return where `sid` stands in `levels`, or their length if it does not."""
    return next((i for i, level in enumerate(levels) if level.sid == sid), len(levels))


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
        if level.fate is not None:
            level.fate.settle(ROLLED_BACK)
    # The savepoint itself is still there, and what comes next has a fate of its own.
    if start < len(levels):
        levels[start:] = [_Level(sid)]


def _on_savepoint_commit(connection: BaseDatabaseWrapper, sid: str) -> None:
    levels = _levels(connection)
    start = _from(levels, sid)
    for level in levels[start:]:
        if level.fate is not None:
            level.fate.release()
    del levels[start:]


def _wrap(name: str, after: Callable[..., None], *, pass_result: bool = False) -> Callable[..., Any]:
    original = getattr(BaseDatabaseWrapper, name)

    @wraps(original)
    def method(self: BaseDatabaseWrapper, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        if pass_result:
            after(self, result)
        else:
            after(self, *args, **kwargs)
        return result

    return method


def _wrap_end(name: str) -> Callable[..., Any]:
    original = getattr(BaseDatabaseWrapper, name)

    @wraps(original)
    def method(self: BaseDatabaseWrapper, *args: Any, **kwargs: Any) -> Any:
        # Even where rolling back or closing fails: the server does it for a lost connection.
        try:
            return original(self, *args, **kwargs)
        finally:
            _end(self, ROLLED_BACK)

    return method


_originals: dict[str, Any] = {}


def install() -> None:
    """Begin to watch transactions. Calling it again changes nothing."""
    if _originals:
        return
    wrappers = {
        "commit": _wrap("commit", lambda connection: _end(connection, COMMITTED)),
        "rollback": _wrap_end("rollback"),
        "close": _wrap_end("close"),
        "connect": _wrap_end("connect"),
        "savepoint": _wrap("savepoint", _on_savepoint, pass_result=True),
        "savepoint_rollback": _wrap("savepoint_rollback", _on_savepoint_rollback),
        "savepoint_commit": _wrap("savepoint_commit", _on_savepoint_commit),
    }
    for name, wrapper in wrappers.items():
        _originals[name] = BaseDatabaseWrapper.__dict__[name]
        setattr(BaseDatabaseWrapper, name, wrapper)


def uninstall() -> None:
    """Give the connection class its own methods back."""
    for name, original in _originals.items():
        setattr(BaseDatabaseWrapper, name, original)
    _originals.clear()
