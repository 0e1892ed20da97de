"""How far to scan for the events of a page, so that no page reads very many.

The rows of one range of an index come in the order of time, a page at a time. Those of several
ranges would all have to be sorted first. Where few rows pass another filter, all might have to be
read. So a first query asks, of the index alone, where a number of rows of each range end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from signals_demo.models import SignalEvent
from signals_demo.query.predicates import Predicate, any_of, without_index

SCAN_LIMIT = 10_000
"""The most events that a page reads."""

_LEAST = timedelta(microseconds=1)


@dataclass(slots=True)
class Scan:
    """The predicates that an index serves, the other ones, and a period.

    `since` belongs to the period, `until` does not.
    """

    served: list[Predicate] = field(default_factory=list)
    others: list[Predicate] = field(default_factory=list)
    since: datetime | None = None
    until: datetime | None = None

    @property
    def period(self) -> Q:
        """Return the condition for the period."""
        found = Q() if self.since is None else Q(occurred_at__gte=self.since)
        return found if self.until is None else found & Q(occurred_at__lt=self.until)

    def select(self, events: QuerySet[SignalEvent], order: Sequence[str]) -> QuerySet[SignalEvent]:
        """Return those that pass all of it, in this order; of the filters the first is served.

        `narrow()` sees to which is the first.
        """
        events = events.filter(self.period)
        if self.served:
            events = events.filter(any_of(self.served[0]))
        events = without_index(events, [*self.served[1:], *self.others])
        if not self.served or len(self.served[0]) == 1:
            return events.order_by(*order)
        # Few have to be sorted. An expression keeps databases that misjudge how few they are
        # from going through the index of all events, which has them in order.
        name = order[0].removeprefix("-")
        first = Coalesce(name, name)
        return events.order_by(first.desc() if order[0].startswith("-") else first, *order[1:])

    def narrow(self, size: int, start: datetime | None, *, is_back: bool) -> datetime | None:
        """Let the period end where `size` events are found; return that time, None for no such.

        `is_back` says that the oldest are wanted first. The scan begins at `start`; the period is
        left open there: of two bounds on one side, SQLite may follow the wrong one.
        Puts the filter first whose events reach farthest. Runs one query at most.
        """
        near, far = ("since", "until") if is_back else ("until", "since")
        bound = getattr(self, near)
        if start is not None and (bound is None or (start > bound if is_back else start < bound)):
            setattr(self, near, start + _LEAST if is_back else start)
            bound = None
        edge = self._edge(size, is_back=is_back)
        if edge is not None:
            setattr(self, far, edge + _LEAST if is_back else edge)
        setattr(self, near, bound)
        return edge

    def _edge(self, size: int, *, is_back: bool) -> datetime | None:
        passes_over = bool(self.others) or len(self.served) > 1
        if not passes_over and all(len(one) == 1 for one in self.served):
            return None  # they come in order
        reach = SCAN_LIMIT if passes_over else 0
        filters = self.served or [[{}]]
        queries = [
            [self._end(Q(**each), max(reach // len(one), size), is_back) for each in one]
            for one in filters
        ]
        ends = iter(at_once([query for each in queries for query in each]))
        # A filter's rows are enough from where those of its fullest range end.
        nearest, farthest = (min, max) if is_back else (max, min)
        edges = []
        for one in filters:
            known = [end for end in (next(ends) for _ in one) if end is not None]
            edges.append(nearest(known) if known else None)
        # The one that few events pass leads far with as many of them, or to the end.
        found = None if None in edges else farthest(filter(None, edges))
        if self.served:
            self.served.insert(0, self.served.pop(edges.index(found)))
        return found

    def _end(self, condition: Q, reach: int, is_back: bool) -> Subquery:
        order = "occurred_at" if is_back else "-occurred_at"
        events = SignalEvent.objects.filter(self.period, condition).order_by(order)
        return Subquery(events.values("occurred_at")[reach : reach + 1])


def at_once(queries: Sequence[Subquery]) -> list[datetime | None]:
    """Return the time that each query finds, None for one that finds none. Runs one query."""
    named = {f"end_{number}": query for number, query in enumerate(queries)}
    return list(SignalEvent.objects.at_once(**named).values())
