"""Keeps the worker's and the project's transactions apart on SQLite.

SQLite refuses a transaction that has read and then wants to write while another connection writes:
at once, whatever its timeout. So the worker waits until no transaction of this process is open,
and one that begins while the worker writes waits until it is done: milliseconds.

Of transactions of other processes it knows nothing. There some fail that meet the worker, so it
writes less often where others store events as well.
"""

import math
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from weakref import WeakSet

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.fields import related_descriptors
from django.db.models.signals import m2m_changed

from signals_demo.clock import clock
from signals_demo.conf import config
from signals_demo.forks import after_fork
from signals_demo.serialize.introspection import own_dict
from signals_demo.tracing import levels

WAIT = 0.2  # seconds that the worker waits for the project, before it tries again later
STARVED_AFTER = 1.0  # seconds after which it has new transactions of the project wait
STARVED_WAIT = 1.0  # seconds that it waits then
LET_WORKER_FIRST = 0.1  # seconds that a new transaction waits then, at most
LONGEST_BATCH = 5.0  # seconds that it waits for a batch being written, as SQLite itself would
# The pause after a batch: so many times as long as that took, but people look.
PAUSE, LONGEST_PAUSE = 50, 0.2
SHARED_PAUSE = 3.0  # seconds, while other processes store events in the same database
SHARED_FOR = 60.0  # seconds after which a process that stores nothing more is forgotten


class SqliteLock:
    """Who may use the database that holds the events, where it is SQLite."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin as a forked child must: the threads that held the lock are gone."""
        self._changed = threading.Condition()
        self._in_transaction: WeakSet[BaseDatabaseWrapper] = WeakSet()
        self._writing: BaseDatabaseWrapper | None = None
        self._waiting_since = 0.0
        self._is_starved = False
        self.held = 0.0
        """Seconds for which the worker held the lock the last time."""
        self._last_key = 0
        self._shared_until = -math.inf

    @property
    def pause(self) -> float:
        """Seconds that the worker leaves to the transactions of other processes."""
        if clock.monotonic() < self._shared_until:
            return SHARED_PAUSE
        return min(self.held * PAUSE, LONGEST_PAUSE)

    def note_keys(self, first: int, last: int) -> None:
        """Note the keys of the rows of a batch: those left out are of another process."""
        if self._last_key and first > self._last_key + 1:
            self._shared_until = clock.monotonic() + SHARED_FOR
        self._last_key = last

    def begin(self, connection: BaseDatabaseWrapper) -> None:
        """Wait for the worker, and note that a transaction of the project's begins."""
        if connection.vendor != "sqlite":
            return
        if _is_of_add():
            _have_it_wait(connection)
        if connection.alias != config().database:
            return
        if connection is self._writing:
            return
        with self._changed:
            if self._is_starved:
                self._changed.wait_for(lambda: not self._is_starved, timeout=LET_WORKER_FIRST)
            self._changed.wait_for(lambda: self._writing is None, timeout=LONGEST_BATCH)
            self._in_transaction.add(connection)

    def end(self, connection: BaseDatabaseWrapper) -> None:
        """Note that no transaction is open on this connection."""
        if _MODE in connection.__dict__:
            connection.__dict__["transaction_mode"] = connection.__dict__.pop(_MODE)
        if connection in self._in_transaction:
            with self._changed:
                self._in_transaction.discard(connection)
                self._changed.notify_all()

    @contextmanager
    def statement(self, connection: BaseDatabaseWrapper) -> Iterator[None]:
        """Keep the worker off for a statement, unless a transaction of the project's does."""
        if connection in self._in_transaction or connection is self._writing:
            yield
            return
        self.begin(connection)
        try:
            yield
        finally:
            if not connection.in_atomic_block:
                self.end(connection)

    @contextmanager
    def hold(self, connection: BaseDatabaseWrapper) -> Iterator[bool]:
        """Hold the lock for the worker; give False if a transaction of the project's goes on."""
        if connection.vendor != "sqlite" or connection.in_atomic_block:
            yield True
            return
        with self._changed:
            self._waiting_since = self._waiting_since or clock.monotonic()
            self._is_starved = clock.monotonic() - self._waiting_since > STARVED_AFTER
            is_free = self._changed.wait_for(
                lambda: not self._in_transaction and self._writing is None,
                timeout=STARVED_WAIT if self._is_starved else WAIT,
            )
            self._is_starved = False
            if is_free:
                self._writing = connection
            self._changed.notify_all()
        began = clock.monotonic()
        try:
            yield is_free
        finally:
            if is_free:
                self.held = clock.monotonic() - began
                with self._changed:
                    self._writing = None
                    self._waiting_since = 0.0
                    self._changed.notify_all()


# Our receiver of `m2m_changed` makes `add()` read before it writes, so SQLite would refuse it
# where another connection writes, and not have it wait as it does without the receiver.
_MODE = "_signals_demo_transaction_mode"
_ENTER = transaction.Atomic.__enter__.__code__
_RELATED = related_descriptors.__file__
_ADD = ("add", "_add_base")  # the second from Django 6.1 on


def _is_of_add() -> bool:
    """Return whether the transaction that begins is that of `add()` of a many-to-many field."""
    frame: FrameType | None = sys._getframe(2)
    for _ in range(6):
        if frame is None:
            return False
        if frame.f_code is _ENTER:
            caller = frame.f_back
            code = caller and caller.f_code
            if not (caller and code and code.co_filename == _RELATED and code.co_name in _ADD):
                return False
            through = own_dict(caller.f_locals.get("self")).get("through")
            return bool(m2m_changed.has_listeners(through))  # not of an excluded model
        frame = frame.f_back
    return False


def _have_it_wait(connection: BaseDatabaseWrapper) -> None:
    """Have the transaction that begins take the lock at once, for which SQLite does wait."""
    connection.ensure_connection()  # which sets the mode
    if getattr(connection, "transaction_mode", "") is None:
        connection.__dict__[_MODE] = None
        connection.__dict__["transaction_mode"] = "IMMEDIATE"


sqlite_lock = SqliteLock()

after_fork(sqlite_lock.reset)
levels.on_begin.append(sqlite_lock.begin)
levels.on_end.append(sqlite_lock.end)
