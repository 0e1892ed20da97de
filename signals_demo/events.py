"""What travels from the recorder to the sinks."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count, islice
from typing import NamedTuple, Protocol
from uuid import UUID

from signals_demo.catalog import PASSIVE
from signals_demo.catalog.outcomes import OPEN
from signals_demo.clock import clock
from signals_demo.serialize.folded import with_folded
from signals_demo.serialize.impersonated import with_impersonator
from signals_demo.serialize.source import Site
from signals_demo.serialize.text import Text
from signals_demo.tracing.outcomes import TransactionOutcome
from signals_demo.tracing.trace import Trace


class Batch(Protocol):
    """What delivery adds the items that wait to: see `delivery.rows.RowBatch`."""

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
    """Similar firings that become one event when the worker takes it.

    Firings are counted without a lock: `next()` of a counter is one step for all threads and
    signal handlers, and so is `extend()` in `seal()`. The number that it takes divides the firings
    that belong to the event from those that come too late.
    """

    __slots__ = (
        "_began", "_end", "_event", "_generation", "_last", "_numbers", "keys", "on_add",
    )  # fmt: skip

    generation = 0
    """Grows with each fork: a folded event belongs to the process that began it."""

    def __init__(self, event: Event, key: str | int | None = None) -> None:
        self._event = event
        self._generation = FoldedEvent.generation
        self._numbers = count(2)  # the first firing is the event itself
        self._end: list[int] = []
        self._began = self._last = clock.perf_counter_ns()
        self.keys: dict[str | int, None] = {} if key is None else {key: None}
        """The keys of the first few instances that it is about, as JSON, in their order."""
        self.on_add: Callable[[FoldedEvent], None] | None = None
        """Called after each firing that is added."""

    def add(self, key: str | int | None = None) -> bool:
        """Count one more firing, or return False if the worker has taken it."""
        if self._generation != FoldedEvent.generation:
            return False
        if key is not None:
            self.keys[key] = None
        self._last = clock.perf_counter_ns()
        number = next(self._numbers)
        if self._end and number >= self._end[0]:
            return False
        if self.on_add is not None:
            self.on_add(self)
        return True

    @property
    def event(self) -> Event:
        """Return its event as it was when it began."""
        return self._event

    @property
    def firings(self) -> int:
        """Return at least 1: how many it stands for is known when it is sealed."""
        return self._end[0] - 1 if self._end else 1

    @property
    def sequence(self) -> int:
        """Return the number of its event."""
        return self._event.sequence

    @property
    def last(self) -> int:
        """Return when the last firing was, in nanoseconds since the epoch."""
        return self._event.time + self._last - self._began

    @property
    def is_passive(self) -> bool:
        """Return whether it alone is no reason to open a database."""
        return self._event.is_passive

    def seal(self) -> Event:
        """End it, and return its event."""
        if not self._end:
            self._end.extend(islice(self._numbers, 1))
        event, firings = self._event, self.firings
        if firings == 1:
            return event
        return event._replace(
            count=firings,
            arguments=with_folded(event.arguments, self.last, self.keys),
            object_pk="" if len(self.keys) > 1 else event.object_pk,
        )

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
    span_id: str
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

    It holds for the rows of `recorder` numbered `first` to `last` that belong to that unit of
    work and `database` and are still open.
    """

    recorder: UUID
    first: int
    last: int
    trace_id: str
    span_id: str
    database: str
    outcome: str

    def concerns(self, row: Row) -> bool:
        """Return whether it is about this row."""
        return (
            row.outcome == OPEN
            and row.recorder == self.recorder
            and self.first <= row.sequence <= self.last
            and row.span_id == self.span_id
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
    """The actor, known only now, of rows that were stored without one, and who stands behind it.

    It holds for the rows of `recorder` numbered `first` to `last` that belong to that unit of work
    and have no actor, or this one.
    """

    recorder: UUID
    first: int
    last: int
    trace_id: str
    span_id: str
    actor_pk: str
    actor: str
    impersonator_pk: str = ""
    impersonator: str = ""

    @property
    def is_impersonated(self) -> bool:
        """Return whether somebody else stands behind the actor."""
        return bool(self.impersonator_pk or self.impersonator)

    def applied_to(self, row: Row) -> Row:
        """Return a row with what it says."""
        row = row._replace(actor_pk=self.actor_pk, actor=self.actor)
        if not self.is_impersonated:
            return row
        named = with_impersonator(row.arguments, self.impersonator_pk, self.impersonator)
        return row._replace(arguments=named)

    def concerns(self, row: Row) -> bool:
        """Return whether it is about this row."""
        return (
            (row.actor_pk, row.actor) in (("", ""), (self.actor_pk, self.actor))
            and row.recorder == self.recorder
            and self.first <= row.sequence <= self.last
            and row.span_id == self.span_id
            and row.trace_id == self.trace_id
        )

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
