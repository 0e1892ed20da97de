"""Keeps the worker's and the project's transactions apart on SQLite.

SQLite refuses a transaction that has read and then wants to write while another connection writes:
at once, whatever its timeout. So the worker waits until no transaction of this process is open,
and one that begins while the worker writes waits until it is done: milliseconds.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakSet

from django.db.backends.base.base import BaseDatabaseWrapper

from signals_demo.conf import config
from signals_demo.forks import after_fork
from signals_demo.tracing import transactions

WAIT = 0.2  # seconds that the worker waits for the project, before it tries again later
STARVED_AFTER = 1.0  # seconds after which it has new transactions of the project wait
STARVED_WAIT = 1.0  # seconds that it waits then
LET_WORKER_FIRST = 0.1  # seconds that a new transaction waits then, at most
LONGEST_BATCH = 5.0  # seconds that it waits for a batch being written, as SQLite itself would


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

    def begin(self, connection: BaseDatabaseWrapper) -> None:
        """Wait for the worker, and note that a transaction of the project's begins."""
        if connection.vendor != "sqlite" or connection.alias != config().database:
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
        if connection in self._in_transaction:
            with self._changed:
                self._in_transaction.discard(connection)
                self._changed.notify_all()

    @contextmanager
    def hold(self, connection: BaseDatabaseWrapper) -> Iterator[bool]:
        """Hold the lock for the worker; give False if a transaction of the project's goes on."""
        if connection.vendor != "sqlite" or connection.in_atomic_block:
            yield True
            return
        with self._changed:
            self._waiting_since = self._waiting_since or time.monotonic()
            self._is_starved = time.monotonic() - self._waiting_since > STARVED_AFTER
            is_free = self._changed.wait_for(
                lambda: not self._in_transaction and self._writing is None,
                timeout=STARVED_WAIT if self._is_starved else WAIT,
            )
            self._is_starved = False
            if is_free:
                self._writing = connection
            self._changed.notify_all()
        try:
            yield is_free
        finally:
            if is_free:
                with self._changed:
                    self._writing = None
                    self._waiting_since = 0.0
                    self._changed.notify_all()


sqlite_lock = SqliteLock()

after_fork(sqlite_lock.reset)
transactions.on_begin.append(sqlite_lock.begin)
transactions.on_end.append(sqlite_lock.end)
