"""Committed or rolled back, down to the savepoint, without a query or an `on_commit` hook.

Django tells nobody that a transaction was rolled back, so the connection's own methods are
wrapped: they are what `atomic`, `commit()` and `savepoint_rollback()` all end in.
"""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from signals_demo.tracing.patches import Function, Patch

COMMITTED = "committed"
ROLLED_BACK = "rolled_back"
OPEN = "open"

Hook = Callable[[BaseDatabaseWrapper], None]

on_begin: list[Hook] = []
"""What to call before a transaction begins on a connection."""
on_end: list[Hook] = []
"""What to call when none is open on a connection any more."""

_NAME = "_signals_demo_fates"


if TYPE_CHECKING:

    class Listener(Protocol):
        """Whom a fate tells of what becomes of it."""

        def on_fate(self, fate: "Fate") -> None: ...


class Fate:
    """What becomes of a transaction, or of the part of it since a savepoint.

    `owner` is whatever will tell: the connection. Once it is gone without having told, the
    server has rolled back.
    """

    __slots__ = ("__weakref__", "_owner", "_released", "listener", "number", "parent", "told")

    def __init__(self, parent: "Fate | None" = None, owner: object = None) -> None:
        self.parent = parent
        self.told = ""
        """The outcome, if it is this fate's own and known."""
        self._owner = None if owner is None else weakref.ref(owner)
        self._released = False
        # The journal, once it has written of this fate, and what it calls it.
        self.listener: Listener | None = None
        self.number = 0

    def settle(self, outcome: str) -> None:
        """Note how it ended; what was noted before stands."""
        if not self.told:
            self.told = outcome
            if self.listener is not None:
                self.listener.on_fate(self)

    def release(self) -> None:
        """Note that the savepoint is gone: from now on the fate is that of what is around it."""
        self._released = True
        if self.listener is not None:
            self.listener.on_fate(self)

    def carrier(self, ground: "Fate | None" = None) -> "Fate":
        """Return the fate that decides this one: itself, or one around it, at most `ground`."""
        fate = self
        while fate is not ground and fate._released and not fate.told:
            if fate.parent is None:
                break
            fate = fate.parent
        return fate

    @property
    def is_decided(self) -> bool:
        """Return whether it is told, or goes with the fate around it."""
        return bool(self.told) or self._released

    @property
    def is_settled(self) -> bool:
        """Return whether the outcome was told of this fate itself, and will not change."""
        return bool(self.told)

    @property
    def outcome(self) -> str:
        """Return `committed`, `rolled_back`, or `open` as long as nobody knows."""
        # What is not released is told with what is around it: no need to ask that. A transaction
        # may have thousands of savepoints inside each other.
        fate = self.carrier()
        # Asked first: the host's thread may tell, and let its owner go, while this one is here.
        is_alone = fate._owner is not None and fate._owner() is None
        if fate.told:
            return fate.told
        return ROLLED_BACK if is_alone and not fate._released else OPEN


class SaveFate(Fate):
    """What becomes of one save: nothing, unless it is told that the save was done.

    Its `owner` is the pair of signals that is open for as long as the save may still succeed.
    """

    __slots__ = ()

    @property
    def outcome(self) -> str:
        """Return the outcome; a transaction that ended before the save did is none of its."""
        # Asked first: the save may end, and then the transaction, while this one is here.
        has_ended = self.parent is not None and self.parent.outcome != OPEN
        if has_ended and not self.told and not self._released:
            return ROLLED_BACK
        return super().outcome

    @property
    def is_waiting(self) -> bool:
        """Return whether the save may still succeed or fail."""
        return not self._released and self.outcome == OPEN


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
        if connection.in_atomic_block:  # which began before anybody watched
            sids = [sid for sid in connection.savepoint_ids if sid]
            levels.extend(map(_Level, (None, *sids)))
    return levels


def connection_to(alias: str) -> BaseDatabaseWrapper | None:
    """Return this thread's connection, or None without an alias: some hosts send by hand."""
    return connections[alias] if alias else None


def fate_on(connection: BaseDatabaseWrapper | None) -> Fate | None:
    """Return the fate of a change made now, or None in autocommit mode: it is its own."""
    if connection is None:
        return None
    known = connection.__dict__.get(_NAME)
    if known and known[-1].fate is not None:
        return known[-1].fate  # type: ignore[no-any-return]
    if not connection.in_atomic_block and (connection.connection is None or connection.autocommit):
        return None
    levels = _levels(connection)
    if not levels:
        levels.append(_Level(None))
    parent = None
    for level in levels:
        if level.fate is None:
            level.fate = Fate(parent, connection)
        parent = level.fate
    return parent


def ground_on(alias: str) -> Fate | None:
    """Return the fate of the block that Django's `TestCase` holds open around a test, or None.

    As far as the test can tell, what reaches that block is committed.
    """
    connection = connections[alias]
    number = sum(getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)
    if not number:
        return None
    sids = connection.savepoint_ids[: number - 1]
    held = [level for level in _levels(connection) if level.sid is None or level.sid in sids]
    return held[-1].fate if held else None


def _call(hooks: list[Hook], connection: BaseDatabaseWrapper) -> None:
    for hook in hooks:
        hook(connection)


def _end(connection: BaseDatabaseWrapper, outcome: str) -> None:
    levels = _levels(connection)
    for level in levels:
        if level.fate is not None:
            level.fate.settle(outcome)
    levels.clear()
    _call(on_end, connection)


def _from(levels: Levels, sid: str) -> int:
    """Return where `sid` stands in `levels`, or their length if it does not."""
    # Of two with one name the later one is meant. A loop: every test of Django's comes here.
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
        if level.fate is not None:
            level.fate.settle(ROLLED_BACK)
    # The savepoint itself is still there, and what comes next has a fate of its own.
    if start < len(levels):
        levels[start].fate = None
        del levels[start + 1 :]


def _on_savepoint_commit(connection: BaseDatabaseWrapper, sid: str) -> None:
    levels = _levels(connection)
    start = _from(levels, sid)
    for level in levels[start:]:
        if level.fate is not None:
            level.fate.release()
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
