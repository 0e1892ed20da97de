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

PATIENCE = 0.2  # seconds that the writer waits for the host, before it tries again later
STARVED = 1.0  # seconds after which the host's new transactions wait for the writer
LONGEST = 2.0  # seconds that a new transaction of the host's waits at the most


class Turns:
    """Who may use the SQLite databases of this process."""

    def __init__(self) -> None:
        self.start_afresh()

    def start_afresh(self) -> None:
        """Begin as a forked child must: the threads that held a turn are gone."""
        self._changed = threading.Condition()
        self._inside: WeakSet[BaseDatabaseWrapper] = WeakSet()
        self._writing: BaseDatabaseWrapper | None = None
        self._waiting_since = 0.0

    def begin(self, connection: BaseDatabaseWrapper) -> None:
        """Note that a transaction of the host's begins, when the writer lets it."""
        if connection.vendor != "sqlite" or connection is self._writing:
            return
        with self._changed:
            self._changed.wait_for(self._is_free, timeout=LONGEST)
            self._inside.add(connection)

    def end(self, connection: BaseDatabaseWrapper) -> None:
        """Note that no transaction is open on this connection."""
        if connection in self._inside:
            with self._changed:
                self._inside.discard(connection)
                self._changed.notify_all()

    def _is_free(self) -> bool:
        starved = self._waiting_since and time.monotonic() - self._waiting_since > STARVED
        return self._writing is None and not starved

    @contextmanager
    def writing(self, connection: BaseDatabaseWrapper) -> Iterator[bool]:
        """Take the writer's turn; what it gives is false if the host's transactions go on."""
        if connection.vendor != "sqlite" or connection.in_atomic_block:
            yield True
            return
        with self._changed:
            self._waiting_since = self._waiting_since or time.monotonic()
            free = self._changed.wait_for(
                lambda: not self._inside and self._writing is None, timeout=PATIENCE
            )
            if free:
                self._writing = connection
        try:
            yield free
        finally:
            if free:
                with self._changed:
                    self._writing = None
                    self._waiting_since = 0.0
                    self._changed.notify_all()


turns = Turns()
