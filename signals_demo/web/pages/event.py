"""The page of one event: what is known about it and its signal, and the trace around it."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext

from signals_demo.models import SignalEvent
from signals_demo.query.keyset import AS_FIRED
from signals_demo.serialize.model_info import model_named
from signals_demo.web.base_page import EVENT, LogAdmin, full_name, render
from signals_demo.web.names import object_of, short_name
from signals_demo.web.tree import EventNode, tree
from signals_demo.web.values import arguments, changes

# How much of a trace is shown on each side of the event.
NEIGHBOURS = 100


def view(log: LogAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """Show an event."""
    event = log.get_object(request, object_id)
    if event is None:
        raise Http404(gettext("There is no such event."))
    model, key = object_of(event)
    return render(
        log,
        request,
        "admin/signals_demo/event.html",
        short_name(event.signal),
        original=event,
        node=EventNode(event),
        changes=changes(event),
        arguments=arguments(event),
        object_url=log.object_url(request, model_named(model), key),
        person_url=log.links.person(event),
        event_url_name=f"{log.admin_site.name}:{full_name(EVENT)}",
        guide_url=log.url_of("guide"),
        trace_url=log.links.trace_at(event),
        list_query=request.GET.get("_changelist_filters", ""),
        **_trace_around(event),
    )


def _trace_around(event: SignalEvent) -> dict[str, Any]:
    before, after = _neighbours(event) if event.trace_id else ([], [])
    shown = [*reversed(before[:NEIGHBOURS]), event, *after[:NEIGHBOURS]]
    return {
        "nodes": tree(shown),
        "previous": before[0] if before else None,
        "next": after[0] if after else None,
        "is_part": max(len(before), len(after)) > NEIGHBOURS,
    }


def _neighbours(event: SignalEvent) -> tuple[list[SignalEvent], list[SignalEvent]]:
    """Return the events before one and those after it, the nearest first, and one too many."""
    unit = SignalEvent.objects.filter(trace_id=event.trace_id, span_id=event.span_id)
    here = AS_FIRED.of(event)
    before, after = (
        list(unit.filter(order.after(here)).order_by(*order.fields)[: NEIGHBOURS + 1])
        for order in (AS_FIRED.reversed(), AS_FIRED)
    )
    return before, after
