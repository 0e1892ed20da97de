"""The page of a trace: one request, command, task or block, in its order and over time."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext

from signals_demo.models import SignalEvent
from signals_demo.query import trace_parts
from signals_demo.query.keyset import AS_FIRED, Cursor, NotACursor
from signals_demo.query.parsing import trace_id_in
from signals_demo.query.trace_parts import OVERVIEW, START, Part, Whole
from signals_demo.query.traces import units_of
from signals_demo.web.base_page import EVENT, LIST, LogAdmin, render
from signals_demo.web.links import FROM_VAR, UNIT_VAR
from signals_demo.web.trace_links import HIDDEN, INITS_VAR, TraceLinks
from signals_demo.web.trace_rows import Repeats, RowBuilder, TraceRow, spans_of
from signals_demo.web.trace_summary import TraceSummary
from signals_demo.web.tree import tree_of_pairs
from signals_demo.web.waterfall import Scale, Span

_SPAN_ID = re.compile("[0-7][0-9a-f]{15}")


def view(log: LogAdmin, request: HttpRequest, trace_id: str) -> HttpResponse:
    """Show a trace, or say that nothing is recorded of it."""
    known = trace_id_in(trace_id)
    whole = Whole(known, _span_id(request))
    glances, is_partial = trace_parts.overview(whole) if known else ([], False)
    if not glances:
        return unknown(log, request, trace_id)
    with_inits = request.GET.get(INITS_VAR) != HIDDEN
    part = trace_parts.read(whole, _start(request), with_inits=with_inits)
    if not part.events and part.previous:
        raise _no_part()
    # Between one query and the next, all of it may have been deleted.
    found = part.events or list(whole.events()[:1])
    if not found:
        return unknown(log, request, trace_id)
    log.name_objects(request, found)
    summary = TraceSummary(glances, is_partial)
    picture = Picture.of(whole, part, summary, _addresses(log))
    lead = _lead(found)
    return render(
        log,
        request,
        "admin/signals_demo/trace.html",
        lead.origin_name or lead.get_origin_display() or gettext("Trace"),
        trace_id=known,
        lead=lead,
        person_url=log.links.person(lead),
        summary=summary,
        picture=picture,
        part=part,
        limit=OVERVIEW,
        links=TraceLinks(log.url_of("trace", known), part, summary, with_inits, whole.span_id),
        whole=whole,
        units=[(log.links.unit(unit), unit) for unit in units_of(known)],
        whole_url=log.url_of("trace", known),
        download_url=log.url_of("trace_download", known),
        as_list_url=f"{log.url_of(LIST)}?{urlencode({'q': known})}",
    )


def _start(request: HttpRequest) -> Cursor:
    text = request.GET.get(FROM_VAR)
    try:
        return START if text is None else AS_FIRED.read(text)
    except NotACursor as error:
        raise _no_part() from error


def _span_id(request: HttpRequest) -> str:
    text = request.GET.get(UNIT_VAR, "")
    if text and not _SPAN_ID.fullmatch(text):
        raise Http404(gettext("There is no such unit of work."))
    return text


def _no_part() -> Http404:
    return Http404(gettext("There is no such part of the trace."))


def unknown(log: LogAdmin, request: HttpRequest, trace_id: str) -> HttpResponse:
    """Return a page that says that nothing is recorded of a trace."""
    template, title = "admin/signals_demo/trace_unknown.html", gettext("Trace not found")
    response = render(log, request, template, title, trace_id=trace_id)
    response.status_code = 404
    return response


def _addresses(log: LogAdmin) -> Callable[[int], str]:
    """Return what gives the address of an event's page; to reverse each would take too long."""
    before, _none, after = log.url_of(EVENT, 0).rpartition("/0/")
    return lambda pk: f"{before}/{pk}/{after}"


def _lead(events: Sequence[SignalEvent]) -> SignalEvent:
    """Return the event that says who did it; the first one, if none does."""
    return next((event for event in events if event.actor or event.actor_pk), events[0])


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of work; those that came with one and the same `traceparent` share a trace."""

    lead: SignalEvent
    rows: list[TraceRow | Repeats]


@dataclass(frozen=True, slots=True)
class Picture:
    """The rows of a part of a trace, and the scale that their bars are drawn to."""

    scale: Scale
    units: list[Unit]

    @classmethod
    def of(
        cls, whole: Whole, part: Part, summary: TraceSummary, address: Callable[[int], str]
    ) -> "Picture":
        """Return the picture of a part, with the rows of the pairs that go on around it."""
        around = []
        if part.events and (part.previous or part.next):
            around = trace_parts.around(whole, part.events, summary.glances)
        keys = frozenset(event.pk for event in around)
        units = [tree_of_pairs(unit) for unit in _units([*part.events, *around])]
        own = [Span(event.occurred_at) for event in part.events] or [summary.span]
        spans = (span for nodes in units for span in spans_of(nodes, without=keys))
        scale = Scale.over([*own, *spans], summary.began)
        builder = RowBuilder(scale, address)
        return cls(scale, [Unit(nodes[0].event, builder.rows(nodes)) for nodes in units])


def _units(events: Sequence[SignalEvent]) -> list[list[SignalEvent]]:
    units: dict[tuple[Any, ...], list[SignalEvent]] = {}
    for event in sorted(events, key=AS_FIRED.of):
        units.setdefault((event.recorder, event.span_id), []).append(event)
    return sorted(units.values(), key=lambda unit: unit[0].occurred_at)
