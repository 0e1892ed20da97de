"""Requests and other work: the traces, to be looked through, filtered and sorted.

It reads `SignalTrace` alone, a page at a time from an index, however many there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_demo.catalog.types import LazyText
from signals_demo.models import Origin, SignalTrace
from signals_demo.query.filters import SPANS
from signals_demo.query.keyset import Cursor, NotACursor, Order
from signals_demo.query.parsing import NotUnderstood, Period, period
from signals_demo.query.predicates import Condition, without_index
from signals_demo.rollups.traces import ANY, general_name
from signals_demo.web.links import Links
from signals_demo.web.page import LogAdmin, render
from signals_demo.web.times import in_short, in_words

SIZE = 50
FEW = 40_000
"""How many traces can be sorted for a page."""
SCAN_LIMIT = 10_000
"""How many traces a page looks through for those of a name, in an index that has others too."""
LONGEST_BAR = 100

KINDS: Mapping[str, tuple[LazyText, Condition]] = {
    "": (_("Everything"), {}),
    "requests": (_("Requests"), {"origin": Origin.REQUEST}),
    "commands": (_("Commands"), {"origin": Origin.COMMAND}),
    "tasks": (_("Tasks"), {"origin": Origin.TASK}),
    "errors": (_("With exceptions"), {"errors__gt": 0}),
    "undone": (_("With rollbacks"), {"rolled_back__gt": 0}),
}
ORDERS: Mapping[str, tuple[LazyText, Order]] = {
    "": (_("Newest first"), Order({"-started_at": datetime, "-pk": int})),
    "slowest": (_("Slowest first"), Order({"-duration": timedelta, "-pk": int})),
    "firings": (_("Most firings first"), Order({"-firings": int, "-pk": int})),
    "changes": (_("Most changes first"), Order({"-changes": int, "-pk": int})),
}
PARAMETERS = ("kind", "order", "time", "origin", "name", "actor_pk")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an address asks for.

    A `name` may have a `…` for each of the keys that it leaves open. `after` is the last row of
    the page before, or None.
    """

    kind: str = ""
    order: str = ""
    time: str = ""
    origin: str = ""
    name: str = ""
    actor_pk: str = ""
    after: Cursor | None = None

    @classmethod
    def read(cls, request: HttpRequest) -> "Wanted":
        """Read an address. Raises `Http404` for what this page does not have."""
        given = {name: request.GET.get(name, "") for name in PARAMETERS}
        is_known = given["kind"] in KINDS and given["order"] in ORDERS
        try:
            if given["time"]:
                period(given["time"])
        except NotUnderstood:
            is_known = False
        if not is_known or any("\0" in value for value in given.values()):
            raise Http404(gettext("There is no such list of requests."))
        return cls(**given, after=_cursor(ORDERS[given["order"]][1], request.GET.get("after")))

    def page(self) -> "TracePage":
        """Return what is wanted, from the place on where the page before ended.

        Runs a query more if it is filtered and not in the order of time, and one for a name.
        """
        in_time = SignalTrace.objects.filter(self._period().condition("started_at"))
        served, passing = self._conditions()
        found = looked_through = in_time.filter(*(Q(**each) for each in served))
        are_few = self._are_few(found)
        if self.name and self.order and not are_few:
            # In the index of that order, which has all traces, whatever is filtered.
            found, looked_through = in_time, SignalTrace.objects.all()
            passing += served
        order = ORDERS[self.order][1]
        first, second = order.fields
        field = first.removeprefix("-")
        # Of few, the index of that order might have to be read to its end: rather sort them.
        sorting = (Coalesce(field, field).desc() if are_few else first, second)
        if self.after is not None:
            place = order.after(self.after)
            found, looked_through = found.filter(place), looked_through.filter(place)
        edge = None
        if self.name:
            edge = _edge(looked_through.order_by(*sorting), field)
            found = without_index(found, ([each] for each in passing))
        if edge is not None:
            found = found.filter(order.reversed().after(edge, inclusive=True))
        traces = list(found.order_by(*sorting)[: SIZE + 1])
        if len(traces) > SIZE:
            del traces[SIZE:]
            return TracePage(traces, order.of(traces[-1]))
        return TracePage(traces, edge, edge is not None)

    def _period(self) -> Period:
        return period(self.time) if self.time else Period()

    def _conditions(self) -> tuple[list[Condition], list[Condition]]:
        """Return the conditions that an index serves, and those that each row has to pass."""
        chosen = [KINDS[self.kind][1]]
        chosen += [{"origin": self.origin}] if self.origin else []
        chosen += [{"actor_pk": self.actor_pk}] if self.actor_pk else []
        if not self.name:
            return chosen, []
        name: list[Condition] = [{"general_name": general_name(self.name)}]
        exact: list[Condition] = [] if ANY in self.name else [{"origin_name": self.name}]
        # A name leaves fewer than an origin, and more than the other filters.
        if all(each.keys() <= {"origin"} for each in chosen):
            return name, chosen + exact
        return chosen, name + exact

    def _are_few(self, found: QuerySet[SignalTrace]) -> bool:
        is_filtered = self.kind or self.time or self.origin or self.name or self.actor_pk
        if not (self.order and is_filtered):
            return False
        # In the order of the index that the filter has, so that it is read alone.
        return not found.order_by("-started_at", "-pk").values("pk")[FEW : FEW + 1]

    @property
    def period(self) -> str:
        """Return the time that is asked for, in words, if it is none of those offered."""
        return "" if self.time in ("", *SPANS) else in_short(period(self.time))

    def query(self, **other: str) -> str:
        """Return the address of the same list, except for these parameters."""
        names = {name: getattr(self, name) for name in PARAMETERS}
        named = {name: value for name, value in (names | other).items() if value}
        return f"?{urlencode(named)}"


@dataclass(frozen=True, slots=True)
class TracePage:
    """Traces, and where the page after them begins, if there may be one.

    `stopped` says that it looked through so many traces that it ended before it was full.
    """

    traces: list[SignalTrace]
    next: Cursor | None
    stopped: bool = False


def _edge(traces: QuerySet[SignalTrace], field: str) -> Cursor | None:
    """Return the place of the last trace that is looked through, None if that is the last."""
    rows = traces.values_list(field, "pk")[SCAN_LIMIT - 1 : SCAN_LIMIT]
    return next(map(Cursor, rows), None)


def _cursor(order: Order, text: str | None) -> Cursor | None:
    try:
        return None if text is None else order.read(text)
    except NotACursor as error:
        raise Http404(gettext("There is no such page.")) from error


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
    longest = max((trace.duration for trace in traces), default=timedelta())
    return [
        TraceLine(
            trace,
            links.trace(trace),
            links.person(trace),
            round(trace.duration / longest * LONGEST_BAR) if longest else 0,
        )
        for trace in traces
    ]


def view(log: LogAdmin, request: HttpRequest) -> HttpResponse:
    """Show a page of the list."""
    wanted = Wanted.read(request)
    page = wanted.page()
    return render(
        log,
        request,
        "admin/signals_demo/requests.html",
        _("Requests and other traces"),
        lines=lines(page.traces, log.links),
        wanted=wanted,
        tabs=[
            {"label": label, "url": wanted.query(kind=kind), "current": kind == wanted.kind}
            for kind, (label, _condition) in KINDS.items()
        ],
        orders=[(order, label) for order, (label, _field) in ORDERS.items()],
        narrowed=[
            (name, getattr(wanted, name))
            for name in ("kind", "origin", "name", "actor_pk")
            if getattr(wanted, name)
        ],
        wider_url=wanted.query(origin="", name=""),
        spans=list(SPANS.items()),
        first_url=wanted.query() if wanted.after else "",
        next_url=wanted.query(after=str(page.next)) if page.next else "",
        stopped=page.stopped,
    )
