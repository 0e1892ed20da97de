"""The page of one event: what is known about it and its signal, and the trace around it."""

from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext

from signals_demo.models import SignalEvent
from signals_demo.query.keyset import AS_FIRED
from signals_demo.serialize.model_info import model_named
from signals_demo.web.base_page import EVENT, LogAdmin, full_name, render
from signals_demo.web.names import object_name, object_of, short_name
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
    around = _trace_around(event)
    log.name_objects(request, around.events)
    return render(
        log,
        request,
        "admin/signals_demo/event.html",
        short_name(event.signal),
        original=event,
        node=EventNode(event),
        changes=changes(event),
        arguments=arguments(event),
        object_label=f"{model} {key}",
        object_name=object_name(event),
        object_url=log.object_url(request, model_named(model), key),
        person_url=log.links.person(event),
        event_url_name=f"{log.admin_site.name}:{full_name(EVENT)}",
        guide_url=log.url_of("guide"),
        trace_url=log.links.trace_at(event),
        list_query=request.GET.get("_changelist_filters", ""),
        nodes=tree(around.events),
        previous=around.previous,
        next=around.next,
        is_part=around.is_part,
    )


@dataclass(frozen=True, slots=True)
class Around:
    """The events around one, in the order in which they fired, with itself."""

    events: list[SignalEvent]
    previous: SignalEvent | None
    next: SignalEvent | None
    is_part: bool


def _trace_around(event: SignalEvent) -> Around:
    before, after = _neighbours(event) if event.trace_id else ([], [])
    return Around(
        [*reversed(before[:NEIGHBOURS]), event, *after[:NEIGHBOURS]],
        before[0] if before else None,
        after[0] if after else None,
        max(len(before), len(after)) > NEIGHBOURS,
    )


def _neighbours(event: SignalEvent) -> tuple[list[SignalEvent], list[SignalEvent]]:
    """Return the events before one and those after it, the nearest first, and one too many."""
    unit = SignalEvent.objects.filter(trace_id=event.trace_id, span_id=event.span_id)
    here = AS_FIRED.of(event)
    before, after = (
        list(unit.filter(order.after(here)).order_by(*order.fields)[: NEIGHBOURS + 1])
        for order in (AS_FIRED.reversed(), AS_FIRED)
    )
    return before, after
