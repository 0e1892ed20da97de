"""How the worker's sinks share the processor and a SQLite database with the project's threads."""

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

    @contextmanager
    def lock(self, connection: BaseDatabaseWrapper) -> Iterator[None]:
        with sqlite_lock.hold(connection) as is_free:
            if not is_free:
                raise NotReady("a transaction of the project's has not ended")
            yield

    def give_way(self) -> None:
        throttle.give_way()

    def steps(self, items: Iterable[T]) -> Iterator[T]:
        return throttle.steps(items)

    def portions(self, items: Sequence[T]) -> Iterator[Sequence[T]]:
        return throttle.portions(items)


session = SharedSession()
