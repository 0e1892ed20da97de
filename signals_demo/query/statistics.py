"""Statistics of the firings in a period, from the sums and from events not in the sums yet.

It takes a fixed number of queries. None reads more than `MOST_PENDING` events, except for the
statistics by the minute, which read the events themselves.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from django.db import connections
from django.db.models import Case, Max, Q, QuerySet, Sum, Value, When

from signals_demo.models import SignalEvent, SignalHour, SignalTrace
from signals_demo.rollups.hours import (
    IN_DAYS,
    ORIGIN,
    SIGNAL,
    TOTAL,
    HourSum,
    Minute,
    day_of,
    last_key,
    summed_up_to,
    sums_of,
)

MOST_PENDING = 250_000  # events not in the sums yet that are read one by one: half a second
CANDIDATES = 200  # sums with a slow pair, among which the slowest pairs are found
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

Pair = tuple[str, str]
"""A signal and a sender."""


@dataclass(frozen=True, slots=True)
class SlowPair:
    """The longest time that pairs of a signal and a sender took, within `grain` of `start`."""

    signal: str
    sender: str
    longest: timedelta
    start: datetime
    grain: timedelta

    @property
    def pair(self) -> Pair:
        """Return what it is the slowest of."""
        return self.signal, self.sender


@dataclass
class Statistics:
    """The firings between `edges`, the ends of equally long periods."""

    edges: Sequence[datetime]
    firings: Counter[tuple[int, str]] = field(default_factory=Counter)
    """By number of the period, and signal."""
    senders: Counter[str] = field(default_factory=Counter)
    origins: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By origin and its name, with `*` for the keys in it."""
    slowest: dict[Pair, SlowPair] = field(default_factory=dict)
    pending: int = 0
    """How many of the latest events are not in it, because they are not in the sums yet."""

    @property
    def signals(self) -> Counter[str]:
        """Return the firings of each signal."""
        found: Counter[str] = Counter()
        for (_number, signal), firings in self.firings.items():
            found[signal] += firings
        return found

    def add(self, parts: Iterable[HourSum], grain: timedelta) -> None:
        """Add what lies between the edges."""
        for part in parts:
            number = self._number(part.hour)
            if number is None:
                continue
            if part.kind == ORIGIN:
                self.origins[part.name, part.detail] += part.firings
                continue
            self.firings[number, part.name] += part.firings
            self.senders[part.detail] += part.firings
            if part.longest:
                self.consider(SlowPair(part.name, part.detail, part.longest, part.hour, grain))

    def consider(self, slow: SlowPair) -> None:
        """Keep the slowest of each pair."""
        known = self.slowest.get(slow.pair)
        if known is None or known.longest < slow.longest:
            self.slowest[slow.pair] = slow

    def _number(self, moment: datetime) -> int | None:
        first, last = self.edges[0], self.edges[-1]
        if not first <= moment < last:
            return None
        # Days are not equally long where the clocks change.
        near = min(int((moment - first) / (self.edges[1] - first)), len(self.edges) - 2)
        while moment < self.edges[near]:
            near -= 1
        while moment >= self.edges[near + 1]:
            near += 1
        return near


def by_minute(edges: Sequence[datetime]) -> Statistics:
    """Return the statistics of a few hours at most, to the minute."""
    found = Statistics(edges)
    events = SignalEvent.objects.filter(occurred_at__gte=edges[0], occurred_at__lt=edges[-1])
    found.add(sums_of(events, Minute), MINUTE)
    return found


def by_hour(edges: Sequence[datetime]) -> Statistics:
    """Return the statistics between full hours."""
    found = Statistics(edges)
    firings = Sum("firings")
    bars = Case(*(When(hour__lt=edge, then=Value(n)) for n, edge in enumerate(edges[1:])))
    totals = _between(edges[0], edges[-1], TOTAL).annotate(number=bars)
    for number, signal, total in totals.values_list("number", "name").annotate(firings):
        found.firings[number, signal] = total
    by_signal, by_origin = (_sums(kind, edges[0], edges[-1]) for kind in (SIGNAL, ORIGIN))
    found.senders.update(dict(by_signal.values_list("detail").annotate(firings)))
    for name, detail, total in by_origin.values_list("name", "detail").annotate(firings):
        found.origins[name, detail] = total
    slow = by_signal.filter(longest__gt=timedelta()).order_by("-longest")
    for one in slow[:CANDIDATES]:
        grain = HOUR if one.kind == SIGNAL else DAY
        found.consider(SlowPair(one.name, one.detail, one.longest, one.hour, grain))
    _add_pending(found)
    return found


def _between(since: datetime, until: datetime, kind: str) -> QuerySet[SignalHour]:
    return SignalHour.objects.filter(kind=kind, hour__gte=since, hour__lt=until)


def _sums(kind: str, since: datetime, until: datetime) -> QuerySet[SignalHour]:
    """Return the sums of the whole days in a period, and of the hours before and after these."""
    first, last = day_of(since + DAY - timedelta.resolution), day_of(until)
    if first >= last:
        return _between(since, until, kind)
    before, after = _between(since, first, kind), _between(last, until, kind)
    return _between(first, last, IN_DAYS[kind]) | before | after


def _add_pending(found: Statistics) -> None:
    """Add the events that are not in the sums yet."""
    events = SignalEvent.objects.all()
    connection = connections[events.db]
    done = summed_up_to(connection)
    last = last_key(connection)
    until = min(last, done + MOST_PENDING)
    found.add(sums_of(events.filter(pk__gt=done, pk__lte=until)), HOUR)
    found.pending = last - until


@dataclass(frozen=True, slots=True)
class Failures:
    """What went wrong since a time, and when the latest event fired."""

    exceptions: int
    rolled_back: int
    latest: datetime | None


def failures_since(moment: datetime) -> Failures:
    """Return what went wrong since a time. Runs three queries."""
    traces = SignalTrace.objects.filter(started_at__gte=moment)
    return Failures(
        traces.filter(errors__gt=0).aggregate(total=Sum("errors"))["total"] or 0,
        traces.filter(rolled_back__gt=0).aggregate(total=Sum("rolled_back"))["total"] or 0,
        SignalEvent.objects.aggregate(latest=Max("occurred_at"))["latest"],
    )


def events_of(slowest: Sequence[SlowPair]) -> dict[Pair, SignalEvent]:
    """Return the events that closed the slowest pairs, as far as they are still there."""
    if not slowest:
        return {}
    wanted = Q()
    for one in _to_the_hour(slowest):
        wanted |= Q(
            signal=one.signal, sender=one.sender, duration=one.longest,
            occurred_at__gte=one.start, occurred_at__lt=one.start + one.grain,
        )  # fmt: skip
    # Several may have taken equally long; one of each pair will do.
    found = SignalEvent.objects.filter(wanted).only(
        "signal", "sender", "trace_id", "position", "origin_name"
    )
    return {(event.signal, event.sender): event for event in found[:CANDIDATES]}


def _to_the_hour(slowest: Sequence[SlowPair]) -> Iterable[SlowPair]:
    """Return them with the hour of those whose day is known: a day may have very many events."""
    if all(one.grain == MINUTE for one in slowest):
        return slowest
    wanted = Q()
    for one in slowest:
        wanted |= Q(
            kind=SIGNAL, hour__gte=one.start, hour__lt=one.start + one.grain,
            name=one.signal, detail=one.sender, longest=one.longest,
        )  # fmt: skip
    found = SignalHour.objects.filter(wanted).values_list("name", "detail", "hour")
    hours = {(signal, sender): hour for signal, sender, hour in found}
    return [
        replace(one, start=hours[one.pair], grain=HOUR) if one.pair in hours else one
        for one in slowest
    ]


def as_utc(moment: datetime) -> datetime:
    """Return an aware time in UTC, a naive one as it is."""
    return moment.astimezone(UTC) if moment.tzinfo else moment
