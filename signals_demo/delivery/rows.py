"""Turns what was captured into rows, in the order in which it was captured."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Protocol
from uuid import UUID

from signals_demo.catalog.outcomes import OPEN
from signals_demo.delivery.health import EVENTS_LOST
from signals_demo.delivery.open_outcomes import OpenOutcomes
from signals_demo.events import Attribution, Event, Row
from signals_demo.faults import note_fault
from signals_demo.serialize.source import site_text
from signals_demo.serialize.text import clean, encode, render, storable
from signals_demo.tracing.origins import process_trace
from signals_demo.tracing.outcomes import TransactionOutcome
from signals_demo.tracing.trace import Actor

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Queued(Protocol):
    """What waits for the worker or for a sink."""

    @property
    def firings(self) -> int:
        """Return how many firings it stands for: 0 if it is no event."""

    @property
    def sequence(self) -> int:
        """Return the number of its event: 0 if it is none."""


class Buffered(Queued, Protocol):
    """What waits for the worker."""

    @property
    def is_passive(self) -> bool:
        """Return whether it alone is no reason to open a database."""

    def seal(self) -> "Buffered":
        """Return it as it is now; it does not change any more."""

    def add_to(self, batch: "Batch") -> None:
        """Add to a batch what the sinks get."""


class JournaledEvent(NamedTuple):
    """An event that is in the journal, and its row there."""

    event: Event
    row: Row

    @property
    def firings(self) -> int:
        return self.row.count

    @property
    def sequence(self) -> int:
        return self.row.sequence

    @property
    def is_passive(self) -> bool:
        return self.event.is_passive

    def seal(self) -> "JournaledEvent":
        return self

    def add_to(self, batch: "Batch") -> None:
        batch.add_row(self.renewed(), self.event.outcome)

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


class SegmentEnd:
    """Where a file of the journal ended: it can be removed once all before this is stored."""

    is_passive = True
    firings = 0
    sequence = 0

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sinks: int | None = None

    def seal(self) -> "SegmentEnd":
        return self

    def add_to(self, batch: "Batch") -> None:
        self._sinks = batch.sinks
        batch.entries.append(self)

    def pass_sink(self) -> None:
        """Note that a sink has stored all before it."""
        if self._sinks is not None:
            self._sinks -= 1

    @property
    def is_stored(self) -> bool:
        """Return whether all sinks have stored all before it."""
        return self._sinks == 0


class Batch:
    """What the sinks get of some items of the buffer; `sinks` is their number."""

    def __init__(self, recorder: UUID, open_outcomes: OpenOutcomes, sinks: int) -> None:
        self.entries: list[Queued] = []
        self.sinks = sinks
        self._recorder = recorder
        self._open = open_outcomes

    def add_event(self, event: Event) -> None:
        self.add_row(rendered(event, self._recorder, event.outcome_value), event.outcome)

    def add_row(self, row: Row, outcome: TransactionOutcome | None) -> None:
        if row.outcome == OPEN and outcome is not None and not outcome.known:
            self._open.add(outcome, row)
        self.entries.append(row)

    def add_actor(self, attribution: Attribution) -> None:
        self.entries.append(attribution)


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
            if trace.is_over:  # it ended before that was noted: now its actor is known
                row = row_of(event, recorder, outcome)
        return row
    except Exception:  # noqa: BLE001 - one event must not keep the others out
        note_fault(event.signal)
        bare = event._replace(
            arguments=encode({"…": "not rendered"}), changes="{}", actor=Actor("", "")
        )
        return row_of(bare, recorder, outcome)


def loss_row(recorder: UUID, numbers: Iterator[int], lost: int) -> Row:
    """Return a row that says how many firings have no row."""
    trace = process_trace()
    arguments = encode({"lost": lost, "reason": "BUFFER_LIMIT"})
    event = Event(
        next(numbers), time.time_ns(), EVENTS_LOST, "", arguments, "", "", "", trace,
        next(trace.positions), 0, None, None, None, "{}", None, lost,
    )  # fmt: skip
    return rendered(event, recorder, "")
