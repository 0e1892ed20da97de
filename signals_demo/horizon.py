"""How far to look for the events of a page, so that no page looks through very many.

The rows of one range of an index come in the order of time, a page at a time. Those of several
ranges would all have to be sorted first; and where few of them pass a filter that has no index,
they might all have to be read. So it is asked first, of the index alone, where so many rows of
each range end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, Subquery
from django.db.models.functions import Coalesce

from signals_demo.models import SignalEvent

HORIZON = 10_000
"""How many events a page looks through at most."""

_LEAST = timedelta(microseconds=1)

Ranges = Sequence[Q]
"""A filter as conditions that are a range of an index each, in the order of time."""


@dataclass(slots=True)
class Filters:
    """What was chosen: filters that are ranges, a period, and whether there are others.

    `since` belongs to the period, `until` does not.
    """

    ranges: list[Ranges] = field(default_factory=list)
    since: datetime | None = None
    until: datetime | None = None
    has_others: bool = False

    @property
    def period(self) -> Q:
        """Return the condition for the period."""
        found = Q() if self.since is None else Q(occurred_at__gte=self.since)
        return found if self.until is None else found & Q(occurred_at__lt=self.until)

    @property
    def come_in_order(self) -> bool:
        """Return whether one index has what is looked for in the order of time."""
        alone = len(self.ranges) == 1 and not self.has_others
        return not self.ranges or (alone and len(self.ranges[0]) == 1)

    def order(self, names: Sequence[str]) -> list[Any]:
        """Return what to order by, as `names` have it.

        Where few rows have to be sorted, an expression keeps databases that misjudge how few they
        are from going through the index of all events, which has them in order.
        """
        if self.come_in_order:
            return list(names)
        name = names[0].removeprefix("-")
        first = Coalesce(name, name)
        return [first.desc() if names[0].startswith("-") else first.asc(), *names[1:]]

    def narrow(self, size: int, place: datetime | None, *, is_back: bool) -> datetime | None:
        """Let the period end where `size` events are found; return that time, None for no such.

        `is_back` says that the oldest are looked for first. What is looked for is beyond `place`;
        the period is left open there: of two bounds on one side, SQLite may follow the wrong one.
        Runs one query at most.
        """
        near, far = ("since", "until") if is_back else ("until", "since")
        bound = getattr(self, near)
        if place is not None and (bound is None or (place > bound if is_back else place < bound)):
            setattr(self, near, place + _LEAST if is_back else place)
            bound = None
        edge = self._edge(size, is_back=is_back)
        if edge is not None:
            setattr(self, far, edge + _LEAST if is_back else edge)
        setattr(self, near, bound)
        return edge

    def _edge(self, size: int, *, is_back: bool) -> datetime | None:
        if self.come_in_order and not self.has_others:
            return None
        passes_over = self.has_others or len(self.ranges) > 1
        reach = HORIZON if passes_over else 0
        filters = [
            [self._end(each, max(reach // len(ranges), size), is_back) for each in ranges]
            for ranges in self.ranges or [[Q()]]
        ]
        ends = iter(at_once([end for each in filters for end in each]))
        # A filter's rows are enough from where those of its fullest range end; and the filter
        # that few events pass leads far with as many of them.
        nearest, farthest = (min, max) if is_back else (max, min)
        found = []
        for each in filters:
            known = [end for end in (next(ends) for _ in each) if end is not None]
            if not known:
                return None
            found.append(nearest(known))
        return farthest(found)

    def _end(self, condition: Q, reach: int, is_back: bool) -> Subquery:
        order = "occurred_at" if is_back else "-occurred_at"
        events = SignalEvent.objects.filter(self.period, condition).order_by(order)
        return Subquery(events.values("occurred_at")[reach : reach + 1])


def at_once(queries: Sequence[Subquery]) -> list[datetime | None]:
    """Return the time that each query finds, None for one that finds none. Runs one query."""
    named = {f"end_{number}": query for number, query in enumerate(queries)}
    return list(SignalEvent.objects.at_once(**named).values())
