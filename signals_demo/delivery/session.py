"""How the worker's sinks share the processor and a SQLite database with the project's threads."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from django.db.backends.base.base import BaseDatabaseWrapper

from signals_demo.delivery.sqlite_lock import sqlite_lock
from signals_demo.delivery.throttle import throttle
from signals_demo.sinks.base import NotReady, Session

T = TypeVar("T")


class SharedSession(Session):
    """The session of all sinks of this process."""

    def __init__(self) -> None:
        self._local = threading.local()

    @property
    def is_callers(self) -> bool:  # type: ignore[override]
        return getattr(self._local, "is_callers", False)

    @contextmanager
    def of_caller(self) -> Iterator[None]:
        """Have the sinks use the connection and the transaction of this thread."""
        self._local.is_callers = True
        try:
            yield
        finally:
            self._local.is_callers = False

    @contextmanager
    def lock(self, connection: BaseDatabaseWrapper) -> Iterator[None]:
        with sqlite_lock.hold(connection) as is_free:
            if not is_free:
                raise NotReady("a transaction of the project's has not ended")
            yield

    def note_keys(self, first: int, last: int) -> None:
        sqlite_lock.note_keys(first, last)

    def give_way(self) -> None:
        throttle.give_way()

    def steps(self, items: Iterable[T]) -> Iterator[T]:
        return throttle.steps(items)

    def portions(self, items: Sequence[T]) -> Iterator[Sequence[T]]:
        return throttle.portions(items)


session = SharedSession()
