"""Requests and other work: the traces, to be looked through, filtered and sorted."""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_demo.models import SignalTrace
from signals_demo.query.filters import SPANS
from signals_demo.query.keyset import NotACursor
from signals_demo.query.parsing import NotUnderstood, period
from signals_demo.query.traces import KINDS, ORDERS, PARAMETERS, TraceSelection
from signals_demo.web.actors import name_keys
from signals_demo.web.base_page import LogAdmin, render
from signals_demo.web.links import Links
from signals_demo.web.times import in_short, in_words

LONGEST_BAR = 100


def view(log: LogAdmin, request: HttpRequest) -> HttpResponse:
    """Show a page of the list."""
    wanted = _wanted(request)
    page = wanted.page()
    return render(
        log,
        request,
        "admin/signals_demo/requests.html",
        _("Requests, commands and tasks"),
        lines=lines(page.traces, log.links),
        wanted=wanted,
        period=_period(wanted),
        is_everything=_query(wanted) == "?",
        tabs=[
            {"label": label, "url": _query(wanted, kind=kind), "current": kind == wanted.kind}
            for kind, (label, _condition) in KINDS.items()
        ],
        orders=[(order, label) for order, (label, _field) in ORDERS.items()],
        narrowed=[
            (name, getattr(wanted, name))
            for name in ("kind", "origin", "name", "actor_pk")
            if getattr(wanted, name)
        ],
        wider_url=_query(wanted, origin="", name=""),
        spans=list(SPANS.items()),
        first_url=_query(wanted) if wanted.after else "",
        next_url=_query(wanted, after=str(page.next)) if page.next else "",
        stopped=page.stopped,
    )


def _wanted(request: HttpRequest) -> TraceSelection:
    try:
        return TraceSelection.read(request.GET)
    except NotACursor as error:
        raise Http404(gettext("There is no such page.")) from error
    except NotUnderstood as error:
        raise Http404(str(error)) from error


def _query(wanted: TraceSelection, **other: str) -> str:
    """Return the address of the same list, except for these parameters."""
    names = {name: getattr(wanted, name) for name in PARAMETERS}
    named = {name: value for name, value in (names | other).items() if value}
    return f"?{urlencode(named)}"


def _period(wanted: TraceSelection) -> str:
    """Return the time that is asked for, in words, if it is none of those offered."""
    return "" if wanted.time in ("", *SPANS) else in_short(period(wanted.time))


@dataclass(frozen=True, slots=True)
class TraceLine:
    """A trace in the list, and how much of the longest bar its own takes, in per cent."""

    trace: SignalTrace
    url: str
    person_url: str
    bar: int

    @property
    def name(self) -> str:
        """Return what it is called; its origin where it has no name of its own."""
        return self.trace.origin_name or str(self.trace.get_origin_display())

    @property
    def duration(self) -> str:
        """Return how long it took, in words."""
        return in_words(self.trace.duration / timedelta(milliseconds=1))


def lines(traces: list[SignalTrace], links: Links) -> list[TraceLine]:
    """Return traces as the lines of a list."""
    name_keys(traces)
    longest = max((trace.duration for trace in traces), default=timedelta())
    return [
        TraceLine(
            trace,
            links.unit(trace),
            links.person(trace),
            round(trace.duration / longest * LONGEST_BAR) if longest else 0,
        )
        for trace in traces
    ]
