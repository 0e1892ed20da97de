"""What travels from the recorder to the sinks."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol
from uuid import UUID

from signals_demo.catalog import PASSIVE
from signals_demo.catalog.outcomes import OPEN
from signals_demo.serialize.source import Site
from signals_demo.serialize.text import Text
from signals_demo.tracing.outcomes import TransactionOutcome
from signals_demo.tracing.trace import Actor, Trace


class Batch(Protocol):
    """What delivery makes of the items that wait."""

    def add_event(self, event: "Event") -> None: ...

    def add_actor(self, attribution: "Attribution") -> None: ...


class Event(NamedTuple):
    """A firing as it was captured. Cheap to make: rendering is left to the worker."""

    sequence: int
    time: int
    """Nanoseconds since the epoch."""
    signal: str
    sender: str
    arguments: Text
    object_pk: str | int
    database: str
    exception: str
    trace: Trace
    position: int
    depth: int
    duration: int | None
    """Nanoseconds."""
    outcome: TransactionOutcome | None
    site: Site | None
    changes: Text
    actor: Actor | None
    count: int  # type: ignore[assignment]  # hides tuple.count, as the field is named

    @property
    def outcome_value(self) -> str:
        """Return what is known of its transaction, empty where none is concerned."""
        return "" if self.outcome is None else self.outcome.value

    @property
    def firings(self) -> int:
        """Return how many firings it stands for."""
        return self.count

    @property
    def is_passive(self) -> bool:
        """Return whether it alone is no reason to open a database."""
        return self.signal in PASSIVE

    def seal(self) -> "Event":
        """Return it as what does not change any more."""
        return self

    def add_to(self, batch: Batch) -> None:
        """Add it to a batch."""
        batch.add_event(self)


class FoldedEvent:
    """Similar init signals that become one event when the worker takes it."""

    __slots__ = ("_count", "_event", "_generation", "_lock", "_sealed", "on_add")

    is_passive = True

    generation = 0
    """Grows with each fork: a folded event belongs to the process that began it."""

    def __init__(self, event: Event) -> None:
        self._event = event
        self._count = 1
        self._generation = FoldedEvent.generation
        self._sealed = False
        self._lock = threading.RLock()  # a signal handler may come in between, and add as well
        self.on_add: Callable[[int], None] | None = None
        """Called with the number of the event for each firing that is added."""

    def add(self) -> bool:
        """Count one more firing, or return False if the worker has taken it."""
        if self._generation != FoldedEvent.generation:
            return False
        with self._lock:
            if self._sealed:
                return False
            self._count += 1
            if self.on_add is not None:
                self.on_add(self._event.sequence)
            return True

    @property
    def event(self) -> Event:
        """Return its event as it was when it began."""
        return self._event

    @property
    def firings(self) -> int:
        """Return how many firings it stands for so far."""
        return self._count

    @property
    def sequence(self) -> int:
        """Return the number of its event."""
        return self._event.sequence

    def seal(self) -> Event:
        """End it, and return its event."""
        with self._lock:
            self._sealed = True
            return self._event._replace(count=self._count)

    def add_to(self, batch: Batch) -> None:
        """End it, and add its event to a batch."""
        batch.add_event(self.seal())


class Row(NamedTuple):
    """An event as it is stored: the fields of `SignalEvent`, in their order, except `id`.

    `occurred_at` is aware, in UTC; `arguments` and `changes` are JSON text.
    """

    recorder: UUID
    sequence: int
    occurred_at: datetime
    signal: str
    sender: str
    trace_id: str
    position: int
    depth: int
    count: int  # type: ignore[assignment]  # hides tuple.count, as the field is named
    duration: timedelta | None
    origin: str
    origin_name: str
    actor_pk: str
    actor: str
    remote_address: str
    object_pk: str
    database: str
    outcome: str
    call_site: str
    arguments: str
    changes: str
    exception: str
    digest: str

    @property
    def firings(self) -> int:
        """Return how many firings it stands for."""
        return self.count


class Resolution(NamedTuple):
    """The outcome, known only now, of rows that were stored as open.

    It holds for the rows of `recorder` numbered `first` to `last` that belong to `trace_id`
    and `database` and are still open.
    """

    recorder: UUID
    first: int
    last: int
    trace_id: str
    database: str
    outcome: str

    def concerns(self, row: Row) -> bool:
        """Return whether it is about this row."""
        return (
            row.outcome == OPEN
            and row.recorder == self.recorder
            and self.first <= row.sequence <= self.last
            and row.trace_id == self.trace_id
            and row.database == self.database
        )

    @property
    def firings(self) -> int:
        """Return 0: it is no event."""
        return 0

    @property
    def sequence(self) -> int:
        """Return 0: it is no event."""
        return 0


class Attribution(NamedTuple):
    """The actor, known only now, of a request's rows that were stored without one."""

    recorder: UUID
    trace_id: str
    actor_pk: str
    actor: str

    def concerns(self, row: Row) -> bool:
        """Return whether it is about this row."""
        return not row.actor and (row.recorder, row.trace_id) == (self.recorder, self.trace_id)

    @property
    def firings(self) -> int:
        """Return 0: it is no event."""
        return 0

    @property
    def sequence(self) -> int:
        """Return 0: it is no event."""
        return 0

    @property
    def is_passive(self) -> bool:
        """Return False: a database was used."""
        return False

    def seal(self) -> "Attribution":
        """Return it: it does not change."""
        return self

    def add_to(self, batch: Batch) -> None:
        """Add it to a batch."""
        batch.add_actor(self)
