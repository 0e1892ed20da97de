"""The page of a trace: one request, command, task or block, in its order and over time."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.utils import quote
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.formats import number_format
from django.utils.translation import gettext

from signals_demo.models import SignalEvent
from signals_demo.query import trace_parts
from signals_demo.query.keyset import AS_FIRED, Cursor, NotACursor
from signals_demo.query.parsing import trace_id_in
from signals_demo.query.trace_parts import OVERVIEW, PART, START, Glance, Part
from signals_demo.web.page import EVENT, LIST, LogAdmin, render
from signals_demo.web.presentation import tree_of_pairs
from signals_demo.web.trace_rows import Drawing, Row, Run, anchor, spans_of
from signals_demo.web.trace_summary import Summary
from signals_demo.web.waterfall import Bar, Bucket, Scale, Span, buckets

NAME, DOWNLOAD = "trace", "trace_download"
FROM_VAR, INITS_VAR, HIDDEN = "from", "inits", "hidden"


def show(log: LogAdmin, request: HttpRequest, trace_id: str) -> HttpResponse:
    """Show a trace, or say that nothing is recorded of it."""
    known = trace_id_in(trace_id)
    glances, is_partial = trace_parts.overview(known) if known else ([], False)
    if not glances:
        return unknown(log, request, trace_id)
    with_inits = request.GET.get(INITS_VAR) != HIDDEN
    part = trace_parts.read(known, _start(request), with_inits=with_inits)
    if not part.events and part.previous:
        raise _no_part()
    # Between one query and the next, all of it may have been deleted.
    told = part.events or list(SignalEvent.objects.in_trace(known)[:1])
    if not told:
        return unknown(log, request, trace_id)
    summary = Summary(glances, is_partial)
    picture = Picture.of(known, part, summary, _addresses(log))
    lead = _lead(told)
    return render(
        log,
        request,
        "admin/signals_demo/trace.html",
        lead.origin_name or lead.get_origin_display() or gettext("Trace"),
        trace_id=known,
        lead=lead,
        person_url=log.url_of("person", quote(lead.actor_pk)) if lead.actor_pk else "",
        summary=summary,
        picture=picture,
        part=part,
        limit=OVERVIEW,
        links=Links(log.url_of(NAME, known), part, summary, with_inits),
        download_url=log.url_of(DOWNLOAD, known),
        as_list_url=f"{log.url_of(LIST)}?{urlencode({'q': known})}",
    )


def _start(request: HttpRequest) -> Cursor:
    text = request.GET.get(FROM_VAR)
    try:
        return START if text is None else AS_FIRED.read(text)
    except NotACursor as error:
        raise _no_part() from error


def _no_part() -> Http404:
    return Http404(gettext("There is no such part of the trace."))


def unknown(log: LogAdmin, request: HttpRequest, trace_id: str) -> HttpResponse:
    """Return a page that says that nothing is recorded of a trace."""
    template, title = "admin/signals_demo/trace_unknown.html", gettext("Trace not found")
    response = render(log, request, template, title, trace_id=trace_id)
    response.status_code = 404
    return response


def url_of(log: LogAdmin, event: SignalEvent) -> str:
    """Return the address of the trace of an event; nothing if it is in none."""
    return log.url_of(NAME, event.trace_id) if trace_id_in(event.trace_id) else ""


def url_at(log: LogAdmin, event: SignalEvent) -> str:
    """Return the address of an event in its trace; nothing if it is in none."""
    url = url_of(log, event)
    if not url:
        return ""
    # Positions have no gaps, so this part has the event in its middle.
    start = AS_FIRED.cursor(event.position - PART // 2) if event.position > PART else START
    return f"{url}{_query(_from(start))}#{anchor(event.pk)}"


def _addresses(log: LogAdmin) -> Callable[[int], str]:
    """Return what gives the address of an event's page; to reverse each would take too long."""
    before, _none, after = log.url_of(EVENT, 0).rpartition("/0/")
    return lambda pk: f"{before}/{pk}/{after}"


def _from(start: Cursor) -> dict[str, str]:
    return {} if start == START else {FROM_VAR: str(start)}


def _query(params: dict[str, Any]) -> str:
    return f"?{urlencode(params)}" if params else ""


def _lead(events: Sequence[SignalEvent]) -> SignalEvent:
    """Return the event that says who did it; the first one, if none does."""
    return next((event for event in events if event.actor or event.actor_pk), events[0])


@dataclass(frozen=True, slots=True)
class Links:
    """Where the page leads: the same trace, from elsewhere or with other rows."""

    url: str
    part: Part
    summary: Summary
    with_inits: bool

    @property
    def first(self) -> str:
        """Return the address of the first part; nothing on that."""
        return self._at(START) if self.part.previous else ""

    @property
    def previous(self) -> str:
        """Return the address of the part before this one; nothing on the first."""
        return self._at(self.part.previous) if self.part.previous else ""

    @property
    def next(self) -> str:
        """Return the address of the part after this one; nothing on the last."""
        return self._at(self.part.next) if self.part.next else ""

    @property
    def toggle(self) -> str:
        """Return the address of this part with init signals hidden or shown."""
        return self._at(self.part.start, with_inits=not self.with_inits)

    @property
    def exceptions(self) -> list[tuple[str, Glance]]:
        """Return the exceptions, and where in the trace they are."""
        return [(self._near(glance), glance) for glance in self.summary.exceptions]

    @property
    def strip(self) -> list[tuple[str, Bucket, bool]]:
        """Return the columns of the whole trace: where they lead, and if something failed."""
        glances = self.summary.glances
        scale = Scale.over([self.summary.span])
        return [
            (
                self._at(AS_FIRED.of(glances[bucket.indexes[0]])),
                bucket,
                any(glances[index].is_bad for index in bucket.indexes),
            )
            for bucket in buckets(scale, [glance.occurred_at for glance in glances])
        ]

    @property
    def extent(self) -> str:
        """Return which events of the trace this part is about, in words.

        Nothing where the part is not among those that were looked over.
        """
        places = [AS_FIRED.of(glance) for glance in self.summary.glances]
        events = self.part.events
        if not events or AS_FIRED.of(events[-1]) > places[-1]:
            return ""
        first, last, count = (
            number_format(number, force_grouping=True)
            for number in (
                bisect_left(places, AS_FIRED.of(events[0])) + 1,
                bisect_left(places, AS_FIRED.of(events[-1])) + 1,
                len(places),
            )
        )
        return gettext("Events {first} to {last} of {all}").format(
            first=first, last=last, all=f"{count}{'+' if self.summary.is_partial else ''}"
        )

    @property
    def here(self) -> Bar:
        """Return where this part is in the strip."""
        events = self.part.events
        moments = [event.occurred_at for event in events] or [self.summary.began]
        span = Span(min(moments), max(moments) - min(moments))
        return Scale.over([self.summary.span]).bar(span)

    def _near(self, glance: Glance) -> str:
        place, end = AS_FIRED.of(glance), self.part.next
        is_here = self.part.start <= place and (end is None or place < end)
        return f"{'' if is_here else self._at(place)}#{anchor(glance.pk)}"

    def _at(self, place: Cursor, *, with_inits: bool | None = None) -> str:
        shown = self.with_inits if with_inits is None else with_inits
        params = _from(place)
        return self.url + _query(params if shown else params | {INITS_VAR: HIDDEN})


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of work; those that came with one and the same `traceparent` share a trace."""

    lead: SignalEvent
    rows: list[Row | Run]


@dataclass(frozen=True, slots=True)
class Picture:
    """The rows of a part of a trace, and the scale that their bars are drawn to."""

    scale: Scale
    units: list[Unit]

    @classmethod
    def of(
        cls, trace_id: str, part: Part, summary: Summary, address: Callable[[int], str]
    ) -> "Picture":
        """Return the picture of a part, with the rows of the pairs that go on around it."""
        around = []
        if part.events and (part.previous or part.next):
            around = trace_parts.around(trace_id, part.events, summary.glances)
        keys = frozenset(event.pk for event in around)
        units = [tree_of_pairs(unit) for unit in _units([*part.events, *around])]
        own = [Span(event.occurred_at) for event in part.events] or [summary.span]
        spans = (span for nodes in units for span in spans_of(nodes, without=keys))
        scale = Scale.over([*own, *spans], summary.began)
        drawing = Drawing(scale, address)
        return cls(scale, [Unit(nodes[0].event, drawing.rows(nodes)) for nodes in units])


def _units(events: Sequence[SignalEvent]) -> list[list[SignalEvent]]:
    units: dict[tuple[Any, ...], list[SignalEvent]] = {}
    for event in sorted(events, key=AS_FIRED.of):
        key = (event.recorder, event.origin, event.origin_name)
        units.setdefault(key, []).append(event)
    return sorted(units.values(), key=lambda unit: unit[0].occurred_at)
