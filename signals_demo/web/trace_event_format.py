"""A trace as a file in the Trace Event Format, for Perfetto, chrome://tracing and speedscope.

The format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
A pair is a complete event ("X"), any other firing an instant ("i"); times are microseconds.
Viewers want the complete events of a thread nested, so pairs that cross get threads of their own.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils.timezone import is_naive, make_aware

from signals_demo.models import Outcome, SignalEvent
from signals_demo.query.pairs import OpenPairs
from signals_demo.web.names import TIMES, family, object_of, sender_name, short_name

AT_A_TIME = 500
# Opening events that wait for their closing one, and threads for pairs that cross.
MOST_OPEN = 1000
MOST_LANES = 100

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

TraceEvent = dict[str, Any]


def as_json(lead: SignalEvent, events: Iterable[SignalEvent]) -> Iterator[str]:
    """Return the file, piece by piece; `lead` is any event of the trace."""
    about = {
        "trace_id": lead.trace_id,
        "origin": lead.origin,
        "origin_name": lead.origin_name,
        "actor": lead.actor,
        "remote_address": lead.remote_address,
        "recorded_by": "signals_demo",
    }
    yield f'{{"displayTimeUnit": "ms", "otherData": {json.dumps(about)}, "traceEvents": [\n'
    lines: list[str] = []
    before = ""
    for each in trace_events(events):
        lines.append(f"{before}{json.dumps(each)}")
        before = ",\n"
        if len(lines) == AT_A_TIME:
            yield "".join(lines)
            lines.clear()
    yield "".join([*lines, "\n]}\n"])


def trace_events(events: Iterable[SignalEvent]) -> Iterator[TraceEvent]:
    """Return the trace events of the file. Takes the same memory for however many events."""
    processes: dict[tuple[UUID, str], Process] = {}
    for event in events:
        unit = event.recorder, event.span_id
        process = processes.get(unit)
        if process is None:
            process = processes[unit] = Process(len(processes) + 1)
            yield process.named(event)
        yield from process.trace_events(event)
    for process in processes.values():
        yield from process.rest()


@dataclass(slots=True)
class Process:
    """A process of the file: a unit of work. Its pairs are nested in threads ("lanes").

    A pair must not lie in a lane where it would cross one that has ended already: `_taken` has
    these lanes for each pair that is open, and `_ends` the latest end in each lane.
    """

    pid: int
    _waiting: OpenPairs = field(default_factory=lambda: OpenPairs(MOST_OPEN))
    _taken: dict[int, set[int]] = field(default_factory=dict)
    _starts: dict[int, int] = field(default_factory=dict)
    _ends: list[int] = field(default_factory=list)

    def trace_events(self, event: SignalEvent) -> Iterator[TraceEvent]:
        """Return the trace events that can be made, now that this event is known."""
        opening = self._waiting.closed_by(event)
        if opening is not None or event.duration is not None:
            yield from self._pair(opening, event)
        elif self._waiting.opened(event):
            self._opened(event)
            yield from map(self._single, self._waiting.forgotten())
        else:
            yield self._single(event)

    def rest(self) -> Iterator[TraceEvent]:
        """Return the trace events of the pairs that never closed."""
        return map(self._single, self._waiting)

    def named(self, event: SignalEvent) -> TraceEvent:
        """Return the trace event that gives the process its name."""
        name = f"{event.origin} {event.origin_name}".strip()
        return self._event("M", "process_name", 0, args={"name": name})

    def _opened(self, event: SignalEvent) -> None:
        start = self._starts[event.pk] = microseconds(event.occurred_at)
        # The order is not that of time where several requests share one trace.
        self._taken[event.pk] = {lane for lane, last in enumerate(self._ends) if last > start}

    def _single(self, event: SignalEvent) -> TraceEvent:
        self._forget(event)
        moment = microseconds(event.occurred_at)
        name = _name(short_name(event.signal), event)
        return self._event("i", name, 0, ts=moment, s="t", **_described(event))

    def _pair(self, opening: SignalEvent | None, closing: SignalEvent) -> Iterator[TraceEvent]:
        start, end = _ends_of(opening, closing)
        crossed = self._forget(opening) if opening else set(range(len(self._ends)))
        lane = next(
            (
                lane
                for lane, last in enumerate(self._ends)
                if last <= (end if lane not in crossed else start)
            ),
            len(self._ends),
        )
        name, described = _pair_name(closing), _described(closing, opening)
        if lane == MOST_LANES:
            yield self._event("i", name, 0, ts=start, s="t", **described)
            return
        if lane == len(self._ends):
            self._ends.append(end)
            title = "signals" if lane == 0 else f"signals that cross, {lane}"
            yield self._event("M", "thread_name", lane, args={"name": title})
        self._ends[lane] = max(self._ends[lane], end)
        for pk, other_start in self._starts.items():
            if start < other_start < end:
                self._taken[pk].add(lane)
        yield self._event("X", name, lane, ts=start, dur=end - start, **described)

    def _forget(self, event: SignalEvent) -> set[int]:
        self._starts.pop(event.pk, None)
        return self._taken.pop(event.pk, set())

    def _event(self, phase: str, name: str, lane: int, **fields: Any) -> TraceEvent:
        return {"ph": phase, "name": name, "pid": self.pid, "tid": lane + 1, **fields}


def microseconds(moment: datetime) -> int:
    """Return a time as microseconds since 1970."""
    if is_naive(moment):
        moment = make_aware(moment)
    return (moment - _EPOCH) // _MICROSECOND


def _ends_of(opening: SignalEvent | None, closing: SignalEvent) -> tuple[int, int]:
    took = closing.duration
    if opening is None:
        end = microseconds(closing.occurred_at)
        return end - (took or timedelta()) // _MICROSECOND, end
    start = microseconds(opening.occurred_at)
    if took is None:
        return start, max(start, microseconds(closing.occurred_at))
    return start, start + took // _MICROSECOND


def _name(what: str, event: SignalEvent) -> str:
    times = f"{TIMES} {event.count}" if event.count > 1 else ""
    return " ".join(filter(None, [what, sender_name(event.sender), times]))


def _pair_name(closing: SignalEvent) -> str:
    """Return what a pair is about: `save shop.Order`, `request WSGIHandler`."""
    return _name(closing.signal.removeprefix("post_").removesuffix("_finished"), closing)


def _described(event: SignalEvent, opening: SignalEvent | None = None) -> TraceEvent:
    """Return the category and the arguments of a trace event, without those that are empty."""
    categories = [str(family(event.signal) or "other")]
    if event.outcome == Outcome.ROLLED_BACK:
        categories.append(Outcome.ROLLED_BACK.value)
    known = {
        "signals": [each.signal for each in (opening, event) if each],
        "sender": event.sender,
        "object": " ".join(object_of(event)) if event.object_pk else "",
        "call_site": event.call_site or (opening.call_site if opening else ""),
        "outcome": event.outcome,
        "database": event.database,
        "changes": event.changes,
        "exception": event.exception,
        "firings": event.count + (opening.count if opening else 0),
        "events": [each.pk for each in (opening, event) if each],
    }
    described: TraceEvent = {"args": {name: value for name, value in known.items() if value}}
    if event.outcome == Outcome.ROLLED_BACK or event.exception:
        described["cname"] = "terrible"
    return {"cat": ",".join(categories), **described}
