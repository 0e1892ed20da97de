"""The contract of a destination for events."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.checks import CheckMessage
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:  # the checks load this in every process, and nothing else of the recorder
    from signals_demo.events import Attribution, Resolution, Row

T = TypeVar("T")


class NotReady(Exception):  # noqa: N818
    """The destination cannot take events yet, and that is no fault: they are kept."""

    patience = math.inf
    """Seconds that it may last before it is logged."""


class Busy(NotReady):
    """Another one uses the destination, as a rule for a moment only."""

    patience = 10.0  # SQLite itself waits 5 s for a lock


class Session:
    """How a sink shares the processor and a database with the project's own threads.

    Delivery gives each sink its session. This one, which a sink has without it, never waits.
    """

    is_callers = False
    """Whether the sink is called as a signal fires, on the project's thread and connection."""

    def lock(self, connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
        """Hold the lock of a SQLite database; others need none.

        Raises `NotReady` if a transaction of the project's holds it for too long.
        """
        return nullcontext()

    def note_keys(self, first: int, last: int) -> None:
        """Learn which keys a SQLite database has given to rows that were stored together."""

    def give_way(self) -> None:
        """Let requests go first; return when none is served or the time for it is over."""

    def steps(self, items: Iterable[T]) -> Iterator[T]:
        """Yield `items`, and give way to requests in between."""
        return iter(items)

    def portions(self, items: Sequence[T]) -> Iterator[Sequence[T]]:
        """Yield `items` in parts, each as large as a database should get at a time."""
        yield items


class BaseSink(ABC):
    """A destination, made once per process from its entry in `SINKS`.

    Only `store` must be written. Methods may run on any thread, in inline mode on several at
    once. Signals that they fire are not recorded. `__init__` raises TypeError for options that
    the sink does not know.
    """

    session = Session()
    """Set by delivery. A sink that uses the project's databases should give way to it."""

    refused_events = 0
    """Events that the destination has refused for good. They are reported as lost."""
    refused_firings = 0
    """How many firings these stand for."""

    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        self.alias = alias
        self.options = options

    @abstractmethod
    def store(self, rows: "Sequence[Row]") -> None:
        """Store rows, in the order in which they were captured.

        Must be idempotent: after an error the same rows come again, some of them stored.
        Raises `NotReady`, or any other exception, to get them later.
        """

    def resolve(self, resolutions: "Sequence[Resolution]") -> None:  # noqa: B027
        """Note outcomes that were open when their rows were stored. Must be idempotent."""

    def attribute(self, attributions: "Sequence[Attribution]") -> None:  # noqa: B027
        """Note actors that were unknown when their rows were stored. Must be idempotent."""

    @property
    def has_more(self) -> bool:
        """Return whether the sink keeps something that `flush` should store soon."""
        return False

    def flush(self) -> None:  # noqa: B027
        """Store what the sink keeps in memory, if anything: the process ends, or it `has_more`."""

    def close(self) -> None:  # noqa: B027
        """Give back what is held, such as a connection: nothing happens, or an error did.

        The sink stays in use, so the next call opens what it needs.
        """

    def check(self) -> list[CheckMessage]:
        """Return what `manage.py check` should report about the sink's options."""
        return []
