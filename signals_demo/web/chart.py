"""The firings of a span of time as stacked bars, one for each of its equal parts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from signals_demo.catalog.types import Family, LazyText
from signals_demo.query.parsing import Period
from signals_demo.query.statistics import Statistics, as_utc
from signals_demo.web.links import PeriodLinks
from signals_demo.web.names import family
from signals_demo.web.times import local, time_of_day

# In the chart's own units.
HEIGHT = 100
STEP = 20  # a bar and the gap beside it
GAP = 3

LENGTHS: Mapping[str, tuple[timedelta, int]] = {
    "1h": (timedelta(minutes=5), 12),
    "24h": (timedelta(hours=1), 24),
    "7d": (timedelta(hours=6), 28),
    "30d": (timedelta(days=1), 30),
}
"""How long a time each bar stands for, and how many there are, by the span's name."""

OTHER = "other"
_HOUR = timedelta(hours=1)


def edges_of(span: str, now: datetime) -> list[datetime]:
    """Return the ends of the bars: full five minutes or hours, or quarters of a day, or days."""
    length, count = LENGTHS[span]
    if length <= _HOUR:
        now = as_utc(now)
        end = now.replace(minute=0, second=0, microsecond=0)
        end += length * ((now - end) // length + 1)
        return [end - length * number for number in range(count, -1, -1)]
    clock = local(now).replace(tzinfo=None)
    end = clock.replace(hour=0, minute=0, second=0, microsecond=0)
    end += length * ((clock - end) // length + 1)
    is_aware = timezone.is_aware(now)
    return [_in_sums(end - length * number, is_aware) for number in range(count, -1, -1)]


def _in_sums(clock: datetime, is_aware: bool) -> datetime:
    """Return what a clock's time is in the sums, which have no half hours, whatever the zone."""
    moment = as_utc(timezone.make_aware(clock)) if is_aware else clock
    return moment.replace(minute=0) + _HOUR if moment.minute else moment


@dataclass(frozen=True, slots=True)
class Segment:
    """The firings of one family in a bar: a rectangle, and the address of its events."""

    family: str
    label: LazyText
    firings: int
    url: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class StackedBar:
    """The firings of one part of the span."""

    x: int
    when: str
    firings: int
    url: str
    segments: Sequence[Segment]


class Chart:
    """The statistics of a span, laid out as an SVG of `width` by `height`."""

    height = HEIGHT
    bar_width = STEP - GAP

    def __init__(self, span: str, statistics: Statistics, links: PeriodLinks) -> None:
        self._span = span
        self._edges = statistics.edges
        self._links = links
        self._sums: list[Counter[str]] = [Counter() for _edge in self._edges[1:]]
        for (number, signal), firings in statistics.firings.items():
            self._sums[number][family(signal) or OTHER] += firings

    @property
    def width(self) -> int:
        """Return how wide it is."""
        return STEP * (len(self._edges) - 1)

    @cached_property
    def greatest(self) -> int:
        """Return the number of firings that the highest bar stands for."""
        return max(each.total() for each in self._sums)

    @cached_property
    def families(self) -> list[dict[str, Any]]:
        """Return the families that fired, the busiest first."""
        return [
            {
                "key": key,
                "label": _label(key),
                "firings": firings,
                "url": "" if key == OTHER else self._links.events(family=key),
            }
            for key, firings in sum(self._sums, Counter()).most_common()
        ]

    @cached_property
    def bars(self) -> list[StackedBar]:
        """Return the firings over time, by family."""
        return [self._bar(number, sums) for number, sums in enumerate(self._sums)]

    @property
    def marks(self) -> list[StackedBar]:
        """Return the bars whose time is shown below the chart."""
        return [self.bars[0], self.bars[len(self.bars) // 2]]

    def _bar(self, number: int, sums: Counter[str]) -> StackedBar:
        links = self._links.within(Period(self._edges[number], self._edges[number + 1]))
        return StackedBar(
            number * STEP,
            self._when(self._edges[number]),
            sums.total(),
            links.events(),
            self._segments(sums, links),
        )

    def _segments(self, sums: Mapping[str, int], links: PeriodLinks) -> list[Segment]:
        y, segments = float(HEIGHT), []
        for key in (each["key"] for each in self.families if each["key"] in sums):
            height = sums[key] / max(self.greatest, 1) * HEIGHT
            y -= height
            url = links.events(family="" if key == OTHER else key)
            segments.append(
                Segment(key, _label(key), sums[key], url, round(y, 2), round(height, 2))
            )
        return segments

    def _when(self, moment: datetime) -> str:
        here = local(moment)
        if self._span in ("1h", "24h"):
            return time_of_day(here)
        day = date_format(here, "MONTH_DAY_FORMAT")
        return day if self._span == "30d" else f"{day} {time_of_day(here)}"


def _label(key: str) -> LazyText:
    return _("Other signals") if key == OTHER else Family(key).label
