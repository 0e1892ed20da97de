"""Keeps the writer's thread and the host's transactions from each other on SQLite.

A transaction that has read, and then wants to write while another connection is writing, is
refused by SQLite at once, however long its time-out. So the writer waits until no transaction of
this process is open, and one that begins while it writes waits until it is done: milliseconds.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakSet

from django.db.backends.base.base import BaseDatabaseWrapper

from signals_demo.conf import config
from signals_demo.tracing import transactions

PATIENCE = 0.2  # seconds that the writer waits for the host, before it tries again later
STARVED = 1.0  # seconds after which the writer asks the host's new transactions to wait
INSISTENCE = 1.0  # seconds that a starved writer waits
COURTESY = 0.1  # seconds that a new transaction then waits, at the most
LONGEST = 5.0  # seconds that it waits for a batch being written, as SQLite itself would


class Turns:
    """Who may use the database that holds the events, where it is SQLite."""

    def __init__(self) -> None:
        self.start_afresh()

    def start_afresh(self) -> None:
        """Begin as a forked child must: the threads that held a turn are gone."""
        self._changed = threading.Condition()
        self._inside: WeakSet[BaseDatabaseWrapper] = WeakSet()
        self._writing: BaseDatabaseWrapper | None = None
        self._waiting_since = 0.0
        self._insists = False

    def begin(self, connection: BaseDatabaseWrapper) -> None:
        """Note that a transaction of the host's begins, when the writer lets it."""
        if connection.vendor != "sqlite" or connection.alias != config().database:
            return
        if connection is self._writing:
            return
        with self._changed:
            if self._insists:
                self._changed.wait_for(lambda: not self._insists, timeout=COURTESY)
            self._changed.wait_for(lambda: self._writing is None, timeout=LONGEST)
            self._inside.add(connection)

    def end(self, connection: BaseDatabaseWrapper) -> None:
        """Note that no transaction is open on this connection."""
        if connection in self._inside:
            with self._changed:
                self._inside.discard(connection)
                self._changed.notify_all()

    @contextmanager
    def writing(self, connection: BaseDatabaseWrapper) -> Iterator[bool]:
        """Take the writer's turn; what it gives is false if the host's transactions go on."""
        if connection.vendor != "sqlite" or connection.in_atomic_block:
            yield True
            return
        with self._changed:
            self._waiting_since = self._waiting_since or time.monotonic()
            self._insists = time.monotonic() - self._waiting_since > STARVED
            free = self._changed.wait_for(
                lambda: not self._inside and self._writing is None,
                timeout=INSISTENCE if self._insists else PATIENCE,
            )
            self._insists = False
            if free:
                self._writing = connection
            self._changed.notify_all()
        try:
            yield free
        finally:
            if free:
                with self._changed:
                    self._writing = None
                    self._waiting_since = 0.0
                    self._changed.notify_all()


turns = Turns()
transactions.on_begin.append(turns.begin)
transactions.on_end.append(turns.end)
