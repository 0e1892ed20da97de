"""What fires, as it fires: a page that asks for news about once a second."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.template.loader import render_to_string
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_demo.models import SignalEvent, SignalEventQuerySet
from signals_demo.query.filters import FILTERS
from signals_demo.query.keyset import NotACursor
from signals_demo.query.parsing import NotUnderstood
from signals_demo.query.selection import from_address
from signals_demo.query.tail import BATCH, MAX_LAG, TailCursor, end_of_log, poll
from signals_demo.tracing.ignored import NAME
from signals_demo.web.base_page import EVENT, LIST, LogAdmin, full_name, refused, render
from signals_demo.web.tree import EventNode

FIRST = 50  # events that the page begins with
MOST = 200  # events sent at a time; more cannot be read in a second
FORM = ("family", "signal", "sender", "actor")
AFTER = "after"


def view(log: LogAdmin, request: HttpRequest) -> HttpResponse:
    """Show the latest events, and a script that adds to them."""
    cursor = end_of_log()
    remark = ""
    try:
        found = _latest(_events(request), cursor, cursor.last - MAX_LAG, FIRST)
    except NotUnderstood as error:
        found, remark = [], str(error)
    log.name_objects(request, found)
    return render(
        log,
        request,
        "admin/signals_demo/live.html",
        _("Live"),
        **_of_events(log, found),
        remark=remark,
        after=cursor,
        news_url=log.url_of(NAME),
        chosen={name: request.GET.get(name, "") for name in FORM},
        choices={name: FILTERS[name].choices() for name in FORM},
    )


def news(log: LogAdmin, request: HttpRequest) -> HttpResponse:
    """Return what is new since the place in the address, and from where to ask next."""
    try:
        cursor = TailCursor.read(request.GET.get(AFTER, ""))
        events = _events(request)
    except NotACursor:
        return refused(gettext("There is no such page."))
    except NotUnderstood as error:
        return refused(error)
    cursor, keys = poll(cursor)
    if len(keys) < BATCH:
        after = cursor.move(keys)
        late = events.filter(pk__in=keys).order_by("-pk")
        found = list(late[: MOST + 1])[::-1] if keys else []
    else:  # too far behind to catch up
        after = end_of_log()
        found = _latest(events, after, cursor.last, MOST + 1)
    shown = found[-MOST:]
    log.name_objects(request, shown)
    html = _html(log, shown, is_part=len(found) > MOST) if found else ""
    return JsonResponse({AFTER: str(after), "count": len(shown), "html": html})


def _html(log: LogAdmin, events: list[SignalEvent], *, is_part: bool) -> str:
    context = _of_events(log, events) | {"is_fresh": True, "is_part": is_part}
    return render_to_string("admin/signals_demo/live_traces.html", context)


def _events(request: HttpRequest) -> SignalEventQuerySet:
    """Return the events that the form chooses; what was left empty chooses nothing."""
    filled = QueryDict(mutable=True)
    for name, values in request.GET.lists():
        if name != AFTER and any(values):
            filled.setlist(name, [str(value) for value in values if value])
    return from_address(filled).events()


def _latest(
    events: SignalEventQuerySet, cursor: TailCursor, beyond: int, number: int
) -> list[SignalEvent]:
    """Return the newest events between two numbers, the oldest of them first."""
    near = events.filter(pk__gt=beyond, pk__lte=cursor.last).order_by("-pk")
    return list(near[:number])[::-1]


def _of_events(log: LogAdmin, events: Iterable[SignalEvent]) -> dict[str, Any]:
    """Return what the template of events needs: by unit of work, the latest first."""
    units: dict[tuple[str, str], list[EventNode]] = {}
    for event in events:
        units.setdefault((event.trace_id, event.span_id), []).append(EventNode(event))
    return {
        "is_fresh": False,
        "is_part": False,
        "traces": list(reversed(units.values())),
        "list_url": log.url_of(LIST),
        "event_url_name": f"{log.admin_site.name}:{full_name(EVENT)}",
        "trace_url_name": f"{log.admin_site.name}:{full_name('trace')}",
    }
