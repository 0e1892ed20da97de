"""A sink that tests control, and what they record with it."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from project.playground.models import Author
from signals_demo.events import Row
from signals_demo.sinks import BaseSink
from signals_demo.tracing.trace import Trace


class Controlled(BaseSink):
    """A sink whose behaviour the tests decide."""

    batches: ClassVar[list[list[Row]]] = []
    error: ClassVar[Exception | None] = None
    tries: ClassVar[list[float]] = []
    """When each was made."""
    may_go: ClassVar[threading.Event] = threading.Event()
    entered: ClassVar[threading.Event] = threading.Event()
    closed: ClassVar[threading.Event] = threading.Event()

    @classmethod
    def reset(cls) -> None:
        cls.batches = []
        cls.error = None
        cls.tries = []
        cls.may_go = threading.Event()
        cls.may_go.set()
        cls.entered = threading.Event()
        cls.closed = threading.Event()

    def store(self, rows: Sequence[Row]) -> None:
        cls = type(self)
        cls.tries.append(time.monotonic())
        cls.entered.set()
        cls.may_go.wait(30)
        if cls.error is not None:
            raise cls.error
        cls.batches.append(list(rows))

    def close(self) -> None:
        self.closed.set()

    @classmethod
    def rows(cls, unit: Trace) -> list[Row]:
        return [row for batch in cls.batches for row in batch if row.trace_id == unit.trace_id]


CONTROLLED = {"own": {"BACKEND": "tests.delivery.controlled.Controlled"}}


def authors(number: int) -> None:
    for _ in range(number):
        Author()


def together(work: Callable[[int], object], number: int = 8) -> None:
    """Run something in several threads at once, and wait for all."""
    threads = [threading.Thread(target=work, args=[index]) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
