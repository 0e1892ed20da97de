"""A trace as a file in the Trace Event Format, for Perfetto, chrome://tracing and speedscope.

The format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
A pair is a complete event ("X"), any other firing an instant ("i"); times are microseconds.
Viewers want the complete events of a thread nested, so pairs that cross get threads of their own.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.utils.timezone import is_naive, make_aware

from signals_demo.models import Outcome, SignalEvent
from signals_demo.query import trace_parts
from signals_demo.query.pairs import OpenPairs
from signals_demo.query.parsing import trace_id_in
from signals_demo.web.page import LogAdmin
from signals_demo.web.pages import trace
from signals_demo.web.presentation import TIMES, family, object_of, sender_name, short_name
from signals_demo.web.streaming import attachment

AT_A_TIME = 500
# Opening events that wait for their closing one, and threads for pairs that cross.
MOST_OPEN = 1000
MOST_LANES = 100

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Entry = dict[str, Any]


def show(log: LogAdmin, request: HttpRequest, trace_id: str) -> HttpResponseBase:
    """Send a trace as a file, a few hundred events at a time."""
    known = trace_id_in(trace_id)
    chunks = iter(trace_parts.chunks(known, AT_A_TIME))
    first = next(chunks) if known else []
    if not first:
        return trace.unknown(log, request, trace_id)

    events = chain(first, chain.from_iterable(chunks))
    pieces = as_json(first[0], events)
    return attachment(request, pieces, f"trace-{known}.json", "application/json")


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
    for entry in entries(events):
        lines.append(f"{before}{json.dumps(entry)}")
        before = ",\n"
        if len(lines) == AT_A_TIME:
            yield "".join(lines)
            lines.clear()
    yield "".join([*lines, "\n]}\n"])


def entries(events: Iterable[SignalEvent]) -> Iterator[Entry]:
    """Return the entries of the file. Takes the same memory for however many events."""
    processes: dict[UUID, Process] = {}
    for event in events:
        process = processes.get(event.recorder)
        if process is None:
            process = processes[event.recorder] = Process(len(processes) + 1)
            yield process.named(event)
        yield from process.entries(event)
    for process in processes.values():
        yield from process.rest()


@dataclass(slots=True)
class Process:
    """A process of the file, and the threads ("lanes") in which its pairs are nested.

    A pair must not lie in a lane where it would cross one that has ended already: `_taken` has
    these lanes for each pair that is open, and `_ends` the latest end in each lane.
    """

    pid: int
    _waiting: OpenPairs = field(default_factory=lambda: OpenPairs(MOST_OPEN))
    _taken: dict[int, set[int]] = field(default_factory=dict)
    _starts: dict[int, int] = field(default_factory=dict)
    _ends: list[int] = field(default_factory=list)

    def entries(self, event: SignalEvent) -> Iterator[Entry]:
        """Return the entries that can be made, now that this event is known."""
        opening = self._waiting.closed_by(event)
        if opening is not None or event.duration is not None:
            yield from self._pair(opening, event)
        elif self._waiting.opened(event):
            self._opened(event)
            yield from map(self._single, self._waiting.forgotten())
        else:
            yield self._single(event)

    def rest(self) -> Iterator[Entry]:
        """Return the entries of the pairs that never closed."""
        return map(self._single, self._waiting)

    def named(self, event: SignalEvent) -> Entry:
        """Return the entry that gives the process its name."""
        name = f"{event.origin} {event.origin_name}".strip()
        return self._entry("M", "process_name", 0, args={"name": name})

    def _opened(self, event: SignalEvent) -> None:
        start = self._starts[event.pk] = microseconds(event.occurred_at)
        # The order is not that of time where several requests share one trace.
        self._taken[event.pk] = {lane for lane, last in enumerate(self._ends) if last > start}

    def _single(self, event: SignalEvent) -> Entry:
        self._forget(event)
        moment = microseconds(event.occurred_at)
        name = _name(short_name(event.signal), event)
        return self._entry("i", name, 0, ts=moment, s="t", **_described(event))

    def _pair(self, opening: SignalEvent | None, closing: SignalEvent) -> Iterator[Entry]:
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
            yield self._entry("i", name, 0, ts=start, s="t", **described)
            return
        if lane == len(self._ends):
            self._ends.append(end)
            title = "signals" if lane == 0 else f"signals that cross, {lane}"
            yield self._entry("M", "thread_name", lane, args={"name": title})
        self._ends[lane] = max(self._ends[lane], end)
        for pk, other_start in self._starts.items():
            if start < other_start < end:
                self._taken[pk].add(lane)
        yield self._entry("X", name, lane, ts=start, dur=end - start, **described)

    def _forget(self, event: SignalEvent) -> set[int]:
        self._starts.pop(event.pk, None)
        return self._taken.pop(event.pk, set())

    def _entry(self, phase: str, name: str, lane: int, **fields: Any) -> Entry:
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


def _described(event: SignalEvent, opening: SignalEvent | None = None) -> Entry:
    """Return the category and the arguments of an entry, without those that are empty."""
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
    described: Entry = {"args": {name: value for name, value in known.items() if value}}
    if event.outcome == Outcome.ROLLED_BACK or event.exception:
        described["cname"] = "terrible"
    return {"cat": ",".join(categories), **described}
