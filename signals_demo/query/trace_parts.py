"""Reading a trace in parts of a bounded size, with what is around a part."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import QuerySet

from signals_demo import catalog
from signals_demo.models import Outcome, SignalEvent
from signals_demo.query.keyset import AS_FIRED, Cursor
from signals_demo.query.pairs import OpenPairs, closing_signal

SIBLINGS = ("pre_delete", "pre_migrate")
PART = 400
"""How many events are shown at a time."""
OVERVIEW = 20_000
"""How many events are looked over at most for what is said about a trace as a whole."""

START = AS_FIRED.cursor()
"""Where a trace begins."""


class Whole(NamedTuple):
    """A trace, or one unit of work in it, which has a `span_id`."""

    trace_id: str
    span_id: str = ""

    def events(self) -> QuerySet[SignalEvent]:
        """Return its events, as they fired."""
        named = {"span_id": self.span_id} if self.span_id else {}
        return SignalEvent.objects.filter(trace_id=self.trace_id, **named).order_by(
            *AS_FIRED.fields
        )


class Glance(NamedTuple):
    """The little of an event that is needed of all events of a trace."""

    position: int
    pk: int
    depth: int
    signal: str
    count: int  # type: ignore[assignment]  # hides tuple.count, as the field is named
    occurred_at: datetime
    duration: timedelta | None
    outcome: str
    database: str
    exception: str

    @property
    def is_change(self) -> bool:
        """Return whether something was saved, deleted or linked."""
        return catalog.is_change(self.signal, self.duration)

    @property
    def is_bad(self) -> bool:
        """Return whether it was rolled back, or is an exception."""
        return bool(self.exception) or self.outcome == Outcome.ROLLED_BACK


def overview(whole: Whole) -> tuple[list[Glance], bool]:
    """Return a glance at each event of a trace, and whether there are more than `OVERVIEW`."""
    rows = whole.events().values_list(*Glance._fields)[: OVERVIEW + 1]
    glances = [Glance._make(row) for row in rows]
    return glances[:OVERVIEW], len(glances) > OVERVIEW


def chunks(whole: Whole, size: int) -> Iterable[list[SignalEvent]]:
    """Return all events of a trace, bit by bit; no query stays open in between."""
    start: Cursor | None = START
    while start is not None:
        events = list(whole.events().filter(AS_FIRED.after(start, inclusive=True))[: size + 1])
        start = AS_FIRED.of(events.pop()) if len(events) > size else None
        yield events


@dataclass(frozen=True, slots=True)
class Part:
    """Events that follow each other in a trace, and where the parts beside them begin."""

    start: Cursor
    events: list[SignalEvent]
    previous: Cursor | None
    next: Cursor | None


def read(whole: Whole, start: Cursor, *, with_inits: bool) -> Part:
    """Return the part of a trace that begins at `start`, with or without its init signals."""
    wanted = whole.events()
    if not with_inits:
        wanted = wanted.exclude(signal__in=catalog.INIT)
    events = list(wanted.filter(AS_FIRED.after(start, inclusive=True))[: PART + 1])
    earlier = wanted.filter(AS_FIRED.reversed().after(start)).reverse()
    before = list(earlier.values_list(*AS_FIRED.fields)[:PART])
    return Part(
        start,
        events[:PART],
        AS_FIRED.cursor(*before[-1]) if before else None,
        AS_FIRED.of(events[PART]) if len(events) > PART else None,
    )


def around(
    whole: Whole, part: Sequence[SignalEvent], glances: Sequence[Glance]
) -> list[SignalEvent]:
    """Return the events around a part: what opened the pairs it is in, and what closes them."""
    before = _fetch(whole, _openings(part[0], glances))
    wanted = {(closing_signal(event), event.depth) for event in _left_open([*before, *part])}
    return before + _fetch(whole, _closings(part[-1], glances, wanted))


def _fetch(whole: Whole, glances: Iterable[Glance]) -> list[SignalEvent]:
    return list(whole.events().filter(pk__in=[glance.pk for glance in glances]))


def _openings(first: SignalEvent, glances: Sequence[Glance]) -> list[Glance]:
    """Return the nearest earlier event that is less deep, the nearest before that one, …"""
    found: list[Glance] = []
    # So far into a very long trace nothing is known of what came just before.
    depth = first.depth if AS_FIRED.of(first) <= AS_FIRED.of(glances[-1]) else 0
    for glance in reversed(glances):
        if depth == 0:
            break
        if glance.depth < depth and AS_FIRED.of(glance) < AS_FIRED.of(first):
            found.append(glance)
            depth = glance.depth
    return found


def _left_open(events: Sequence[SignalEvent]) -> list[SignalEvent]:
    """Return the events whose pairs go on after the last one."""
    waiting = OpenPairs(len(events))
    for event in events:
        if waiting.closed_by(event) is None:
            waiting.opened(event)
    keys = {event.pk for event in waiting}
    found, least = [], math.inf
    for event in reversed(events):
        # What fires inside a pair is deeper than it; only these may stand beside each other.
        if event.pk in keys and (event.depth < least or event.signal in SIBLINGS):
            found.append(event)
        least = min(least, event.depth)
    return found


def _closings(
    last: SignalEvent, glances: Sequence[Glance], wanted: set[tuple[str, int]]
) -> list[Glance]:
    """Return the first later event of each signal and depth that is wanted."""
    found = []
    for glance in glances:
        if not wanted:
            break
        if (glance.signal, glance.depth) in wanted and AS_FIRED.of(glance) > AS_FIRED.of(last):
            wanted.remove((glance.signal, glance.depth))
            found.append(glance)
    return found
