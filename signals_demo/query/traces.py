"""Which traces match, in which order, a page at a time.

It reads `SignalTrace` alone, from an index, however many there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_demo.catalog.types import LazyText
from signals_demo.models import Origin, SignalTrace
from signals_demo.query.keyset import Cursor, Order
from signals_demo.query.parsing import NotUnderstood, Period, period
from signals_demo.query.predicates import Condition, without_index
from signals_demo.rollups.traces import ANY, general_name

SIZE = 50
FEW = 40_000
"""How many traces can be sorted for a page."""
SCAN_LIMIT = 10_000
"""How many traces a page looks through for those of a name, in an index that has others too."""

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
class TraceSelection:
    """Which traces to list, in which order, and from where on.

    A `name` may have a `*` for each of the keys that it leaves open. `after` is the last row of
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
    def read(cls, given: Mapping[str, str]) -> "TraceSelection":
        """Return what the parameters of an address select.

        Raises `NotUnderstood` for what there is not, and `NotACursor` for another `after`.
        """
        values = {name: given.get(name, "") for name in PARAMETERS}
        if values["time"]:
            period(values["time"])
        is_known = values["kind"] in KINDS and values["order"] in ORDERS
        if not is_known or any("\0" in value for value in values.values()):
            raise NotUnderstood(gettext("There is no such list of requests."))
        after = given.get("after")
        order = ORDERS[values["order"]][1]
        return cls(**values, after=None if after is None else order.read(after))

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


@dataclass(frozen=True, slots=True)
class TracePage:
    """Traces, and where the page after them begins, if there may be one.

    `stopped` says that it looked through so many traces that it ended before it was full.
    """

    traces: list[SignalTrace]
    next: Cursor | None
    stopped: bool = False


def units_of(trace_id: str) -> list[SignalTrace]:
    """Return the units of work that share a trace, the first ones in time."""
    return list(SignalTrace.objects.filter(trace_id=trace_id).order_by("started_at", "pk")[:SIZE])


def _edge(traces: QuerySet[SignalTrace], field: str) -> Cursor | None:
    """Return the place of the last trace that is looked through, None if that is the last."""
    rows = traces.values_list(field, "pk")[SCAN_LIMIT - 1 : SCAN_LIMIT]
    return next(map(Cursor, rows), None)
