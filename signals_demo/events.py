"""What travels from the recorder to the sinks."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from signals_demo.catalog.outcomes import OPEN
from signals_demo.faults import note_fault
from signals_demo.serialize.source import Site, site_text
from signals_demo.serialize.text import Text, clean, encode, render, storable
from signals_demo.tracing.outcomes import TransactionOutcome
from signals_demo.tracing.trace import Actor, Trace


class Event(NamedTuple):
    """A firing as it was captured. Cheap to make: rendering is left to the writer."""

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


class Run:
    """A run of like firings that becomes one event when the writer comes for it."""

    __slots__ = ("_count", "_event", "_generation", "_lock", "_sealed", "on_add")

    generation = 0
    """Grows with each fork: a run belongs to the process that began it."""

    def __init__(self, event: Event) -> None:
        self._event = event
        self._count = 1
        self._generation = Run.generation
        self._sealed = False
        self._lock = threading.RLock()  # a signal handler may come in between, and add as well
        self.on_add: Callable[[int], None] | None = None
        """What to tell of each firing that is added: the number of the event."""

    def add(self) -> bool:
        """Count one firing more, or return False if the writer was here already."""
        if self._generation != Run.generation:
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

    def seal(self) -> Event:
        """End the run and return its event."""
        with self._lock:
            self._sealed = True
            return self._event._replace(count=self._count)


class Row(NamedTuple):
    """An event as it is stored: the fields of `SignalEvent`, in their order, but for `id`.

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


class Kept(NamedTuple):
    """An event that is in the journal, and its row there."""

    event: Event
    row: Row

    def renewed(self) -> Row:
        """Return its row with what has become known since."""
        event, row = self
        outcome = row.outcome if event.outcome is None else event.outcome.value
        if outcome != row.outcome:
            row = row._replace(outcome=outcome)
        actor = None if row.actor else event.trace.find_actor()
        if actor is not None:
            row = row._replace(actor_pk=_fit(actor.pk, 255), actor=_fit(actor.name, 255))
        return row


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


class Attribution(NamedTuple):
    """The actor, known only now, of a request's rows that were stored without one."""

    recorder: UUID
    trace_id: str
    actor_pk: str
    actor: str

    def concerns(self, row: Row) -> bool:
        """Return whether it is about this row."""
        return not row.actor and (row.recorder, row.trace_id) == (self.recorder, self.trace_id)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _fit(text: str, limit: int) -> str:
    text = clean(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def row_of(event: Event, recorder: UUID, outcome: str) -> Row:
    """Return `event` as it is stored."""
    trace = event.trace
    actor = event.actor or trace.find_actor()
    duration = event.duration
    return Row(
        recorder,
        event.sequence,
        _EPOCH + timedelta(microseconds=event.time // 1000),
        _fit(event.signal, 255),
        _fit(event.sender, 255),
        trace.trace_id,
        event.position,
        event.depth,
        event.count,
        None if duration is None else timedelta(microseconds=duration // 1000),
        trace.origin,
        _fit(trace.origin_name, 255),
        _fit(actor.pk, 255) if actor else "",
        _fit(actor.name, 255) if actor else "",
        _fit(trace.remote_address, 64),
        _fit(str(event.object_pk), 255),
        _fit(event.database, 255),
        outcome,
        _fit(site_text(event.site), 500) if event.site else "",
        storable(render(event.arguments)),
        storable(render(event.changes)),
        _fit(event.exception, 2000),
        "",
    )


def rendered(event: Event, recorder: UUID, outcome: str) -> Row:
    """Return `event` as it is stored, or what is left of it if it cannot be rendered."""
    try:
        row = row_of(event, recorder, outcome)
        trace = event.trace
        if not row.actor and trace.origin == "request":
            trace.stored_without_actor = True
            if trace.is_over:  # which ended before it was told: then it has its actor
                row = row_of(event, recorder, outcome)
        return row
    except Exception:  # noqa: BLE001 - one event must not keep the others out
        note_fault(event.signal)
        bare = event._replace(
            arguments=encode({"…": "not rendered"}), changes="{}", actor=Actor("", "")
        )
        return row_of(bare, recorder, outcome)
