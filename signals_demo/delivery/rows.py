"""Turns what was captured into rows, in the order in which it was captured."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Protocol, Self
from uuid import UUID

from signals_demo.catalog import EVENTS_LOST
from signals_demo.catalog.outcomes import OPEN
from signals_demo.clock import clock
from signals_demo.delivery.held_rows import HeldRows
from signals_demo.events import Attribution, Event, Row
from signals_demo.faults import note_fault
from signals_demo.serialize.impersonated import with_impersonator
from signals_demo.serialize.source import site_text
from signals_demo.serialize.text import clean, encode, render, storable
from signals_demo.tracing.actors import Actor
from signals_demo.tracing.identity import Identity
from signals_demo.tracing.origins import process_trace
from signals_demo.tracing.outcomes import TransactionOutcome

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

    def add_to(self, batch: "RowBatch") -> None:
        """Add to a batch what the sinks get."""


class JournaledEvent(NamedTuple):
    """An event that is in the journal, and its row there."""

    event: Event
    row: Row
    is_final: bool = True
    """Whether no field has yet to be asked how it stores a value."""

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

    def add_to(self, batch: "RowBatch") -> None:
        batch.read_session(self.event.trace.who)
        batch.add_row(self.renewed(), self.event.outcome)

    def renewed(self) -> Row:
        """Return its row with what has become known since."""
        event, row, is_final = self
        if not is_final:
            row = row._replace(
                arguments=storable(render(event.arguments)),
                changes=storable(render(event.changes)),
            )
        outcome = row.outcome if event.outcome is None else event.outcome.value
        if outcome != row.outcome:
            row = row._replace(outcome=outcome)
        actor = event.trace.who.at(event.sequence)
        if actor is None or ((row.actor or row.actor_pk) and actor.impersonator is None):
            return row
        return _with_actor(row, actor)


class NoEvent:
    """What waits for the worker among the events, and is none."""

    is_passive = True
    firings = 0
    sequence = 0

    def seal(self) -> Self:
        return self


class SegmentEnd(NoEvent):
    """Where a file of the journal ended: it can be removed once all before this is stored."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sinks: int | None = None

    def add_to(self, batch: "RowBatch") -> None:
        self._sinks = batch.sinks
        batch.ends_segment = True
        batch.entries.append(self)

    def pass_sink(self) -> None:
        """Note that a sink has stored all before it."""
        if self._sinks is not None:
            self._sinks -= 1

    @property
    def is_stored(self) -> bool:
        """Return whether all sinks have stored all before it."""
        return self._sinks == 0


class RowBatch:
    """What the sinks get of some items of the buffer; `sinks` is their number.

    Rows whose outcome is not known yet go to `held`. `user_of` says whose a session is, of which
    nobody has read that.
    """

    def __init__(
        self,
        recorder: UUID,
        held: HeldRows,
        sinks: int,
        user_of: Callable[[str], str] = lambda session_key: "",
    ) -> None:
        self.entries: list[Queued] = []
        self.sinks = sinks
        self.ends_segment = False
        """Whether a file of the journal ends here, so that no row before may wait."""
        self._recorder = recorder
        self._held = held
        self._user_of = user_of

    def read_session(self, who: Identity) -> None:
        """Find out who acts, if a session says it that nobody has read."""
        if who.session_key:
            who.name_session_user(self._user_of(who.session_key))

    def add_actors(self, who: Identity) -> None:
        """Add who acted, for the rows that were stored without an actor."""
        self.read_session(who)
        for attribution in attributions(self._recorder, who):
            self.add_actor(attribution)

    def add_event(self, event: Event) -> None:
        self.read_session(event.trace.who)
        self.add_row(rendered(event, self._recorder, event.outcome_value), event.outcome)

    def add_row(self, row: Row, outcome: TransactionOutcome | None) -> None:
        # It may have become known since the row was made. If `open` is all that will ever be
        # known, there is nothing to wait for.
        if row.outcome == OPEN and outcome is not None and outcome.known != OPEN:
            self._held.add(outcome, row)
        else:
            self.entries.append(row)

    def add_actor(self, attribution: Attribution) -> None:
        self._held.attribute(attribution)
        self.entries.append(attribution)


def attributions(recorder: UUID, who: Identity) -> list[Attribution]:
    """Return who acted, for the rows that were stored without an actor."""
    return [
        Attribution(
            recorder, first, last, *unit, actor.pk, actor.name, *(actor.impersonator or ())[:2]
        )
        for unit in tuple(who.incomplete)
        for first, last, actor in who.parts()
    ]


def _fit(text: str, limit: int) -> str:
    text = clean(text)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _with_actor(row: Row, actor: Actor) -> Row:
    """Return a row with who acted, and who stands behind that one."""
    row = row._replace(actor_pk=_fit(actor.pk, 255), actor=_fit(actor.name, 255))
    return row._replace(arguments=_with_impersonator(row.arguments, actor))


def _with_impersonator(arguments: str, actor: Actor) -> str:
    behind = actor.impersonator
    return arguments if behind is None else with_impersonator(arguments, behind.pk, behind.name)


def row_of(event: Event, recorder: UUID, outcome: str) -> Row:
    """Return `event` as it is stored."""
    trace = event.trace
    actor = trace.who.at(event.sequence)
    arguments = storable(render(event.arguments))
    duration = event.duration
    return Row(
        recorder,
        event.sequence,
        _EPOCH + timedelta(microseconds=event.time // 1000),
        _fit(event.signal, 255),
        _fit(event.sender, 255),
        trace.trace_id,
        trace.span_id,
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
        _with_impersonator(arguments, actor) if actor else arguments,
        storable(render(event.changes)),
        _fit(event.exception, 2000),
        "",
    )


def rendered(event: Event, recorder: UUID, outcome: str) -> Row:
    """Return `event` as it is stored, or what is left of it if it cannot be rendered."""
    try:
        trace = event.trace
        was_over = trace.who.is_over
        row = row_of(event, recorder, outcome)
        if not was_over:
            who = trace.who
            has_actor = row.actor or row.actor_pk
            (who.stored if has_actor else who.incomplete).add((trace.trace_id, trace.span_id))
            if who.is_over:  # it ended before that was noted: now its actor is known
                row = row_of(event, recorder, outcome)
        return row
    except Exception:  # noqa: BLE001 - one event must not keep the others out
        note_fault(event.signal)
        bare = event._replace(arguments=encode({"...": "not rendered"}), changes="{}")
        return row_of(bare, recorder, outcome)


def loss_row(recorder: UUID, numbers: Iterator[int], lost: int, reason: str) -> Row:
    """Return a row that says how many firings have no row."""
    trace = process_trace()
    arguments = encode({"lost": lost, "reason": reason})
    event = Event(
        next(numbers), clock.time_ns(), EVENTS_LOST, "", arguments, "", "", "", trace,
        next(trace.positions), 0, None, None, None, "{}", lost,
    )  # fmt: skip
    return rendered(event, recorder, "")
