"""What fired lately and what went wrong, at a glance; everything leads to the rows behind it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.db import connections
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_demo.catalog.types import Family, LazyText
from signals_demo.conf import config
from signals_demo.delivery.health import EVENTS_LOST, health
from signals_demo.models import Origin, SignalEvent
from signals_demo.query.filters import SPANS
from signals_demo.query.parsing import Period
from signals_demo.query.statistics import (
    SlowPair,
    Statistics,
    as_utc,
    by_hour,
    by_minute,
    events_of,
    failures_since,
)
from signals_demo.rollups.hours import HourlySums
from signals_demo.web.page import LIST, LogAdmin, render
from signals_demo.web.pages import trace
from signals_demo.web.presentation import (
    family,
    in_words,
    local,
    sender_name,
    short_name,
    time_of_day,
)

NAME = "overview"
MOST = 8  # lines of each table
HEIGHT = 100  # of the picture, in its own units
WIDTH = 20  # of a bar and the gap beside it
GAP = 3

LENGTHS: Mapping[str, tuple[timedelta, int]] = {
    "1h": (timedelta(minutes=5), 12),
    "24h": (timedelta(hours=1), 24),
    "7d": (timedelta(hours=6), 28),
    "30d": (timedelta(days=1), 30),
}
"""How long a time each bar stands for, and how many there are."""
USUAL = "24h"
_HOUR = timedelta(hours=1)
_MILLISECOND = timedelta(milliseconds=1)

# Inline, nothing else adds up: the writer's thread has nothing to do.
_sums = HourlySums()


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
class Piece:
    """The firings of one family in a bar: a rectangle, and the address of its events."""

    family: str
    label: LazyText
    firings: int
    url: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time."""

    x: int
    when: str
    firings: int
    url: str
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table, with its share of the greatest in per cent."""

    name: str
    detail: str
    number: int | str
    share: int
    url: str
    css_class: str = ""


class Overview:
    """The figures of a span of time, laid out for the page."""

    def __init__(self, log: LogAdmin, span: str) -> None:
        self._log = log
        self.span = span
        now = timezone.now()
        self.edges = edges_of(span, now)
        self._statistics: Statistics = (by_minute if span == "1h" else by_hour)(self.edges)
        self._signals = self._statistics.signals
        self._failures = failures_since(self.edges[0])
        self.pending = self._statistics.pending
        self.latest = self._failures.latest

    @property
    def firings(self) -> int:
        """Return the number of all firings."""
        return self._signals.total()

    @property
    def tiles(self) -> list[dict[str, Any]]:
        """Return the numbers that tell whether anything is odd, each with what is behind it."""
        failed = self._signals["user_login_failed"]
        failures = self._failures
        tiles = [
            (_("Firings"), self.firings, self._list(), False),
            (_("Failed logins"), failed, self._list(signal="user_login_failed"), True),
            (_("Exceptions"), failures.exceptions, self._requests(kind="errors"), True),
            (_("Rolled back"), failures.rolled_back, self._list(outcome="rolled_back"), True),
        ]
        if lost := self._signals[EVENTS_LOST]:
            tiles.append((_("Lost"), lost, self._list(signal=EVENTS_LOST), True))
        return [
            {"label": label, "number": number, "url": url, "is_bad": is_bad and number > 0}
            for label, number, url, is_bad in tiles
        ]

    @cached_property
    def _sums(self) -> list[Counter[str]]:
        """The firings of each family, or of `other` signals, in each bar."""
        sums: list[Counter[str]] = [Counter() for _edge in self.edges[1:]]
        for (number, signal), firings in self._statistics.firings.items():
            sums[number][family(signal) or "other"] += firings
        return sums

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
                "url": "" if key == "other" else self._list(family=key),
            }
            for key, firings in sum(self._sums, Counter()).most_common()
        ]

    @cached_property
    def bars(self) -> list[Bar]:
        """Return the firings over time, by family."""
        order = [each["key"] for each in self.families]
        return [self._bar(number, each, order) for number, each in enumerate(self._sums)]

    def _bar(self, number: int, sums: Mapping[str, int], order: Sequence[str]) -> Bar:
        period = Period(self.edges[number], self.edges[number + 1])
        base, pieces = float(HEIGHT), []
        for key in order:
            if key not in sums:
                continue
            height = sums[key] / max(self.greatest, 1) * HEIGHT
            base -= height
            pieces.append(
                Piece(
                    key, _label(key), sums[key],
                    self._list(period, family="" if key == "other" else key),
                    round(base, 2), round(height, 2),
                )
            )  # fmt: skip
        return Bar(
            number * WIDTH, self._when(self.edges[number]), sum(sums.values()),
            self._list(period), pieces,
        )  # fmt: skip

    def _when(self, moment: datetime) -> str:
        here = local(moment)
        if self.span in ("1h", "24h"):
            return time_of_day(here)
        day = date_format(here, "MONTH_DAY_FORMAT")
        return day if self.span == "30d" else f"{day} {time_of_day(here)}"

    @property
    def marks(self) -> list[Bar]:
        """Return the bars whose time is told below the picture."""
        return [self.bars[0], self.bars[len(self.bars) // 2]]

    @property
    def width(self) -> int:
        """Return how wide the picture is, in its own units."""
        return WIDTH * (len(self.edges) - 1)

    @property
    def tables(self) -> list[dict[str, Any]]:
        """Return the busiest signals, senders and origins."""
        return [
            {"title": _("Busiest signals"), "lines": self._busiest_signals()},
            {"title": _("Busiest senders"), "lines": self._busiest_senders()},
            {"title": _("Busiest origins"), "lines": self._busiest_origins()},
        ]

    def _busiest_signals(self) -> list[Line]:
        found = self._signals.most_common(MOST)
        return [
            Line(
                short_name(name), "", firings, _share(firings, found[0][1]),
                self._list(signal=name), f"signals-{family(name) or 'other'}",
            )
            for name, firings in found
        ]  # fmt: skip

    def _busiest_senders(self) -> list[Line]:
        senders = self._statistics.senders
        found = [each for each in senders.most_common(MOST + 1) if each[0]][:MOST]
        return [
            Line(
                sender_name(name),
                "",
                firings,
                _share(firings, found[0][1]),
                self._list(sender=name),
            )
            for name, firings in found
        ]

    def _busiest_origins(self) -> list[Line]:
        found = self._statistics.origins.most_common(MOST)
        return [
            Line(
                name or gettext("unnamed"),
                str(dict(Origin.choices).get(origin, origin)),
                firings,
                _share(firings, found[0][1]),
                self._requests(origin=origin, name=name),
            )
            for (origin, name), firings in found
        ]

    @property
    def slowest(self) -> list[Line]:
        """Return the slowest pairs of signals, each with the trace that it was in."""
        ranked = sorted(self._statistics.slowest.values(), key=lambda one: -one.longest)[:MOST]
        events = events_of(ranked)
        return [
            Line(
                short_name(one.signal),
                _whose(one, events.get(one.pair)),
                in_words(one.longest / _MILLISECOND),
                _share(one.longest, ranked[0].longest),
                trace.url_at(self._log, events[one.pair]) if one.pair in events else "",
                f"signals-{family(one.signal) or 'other'}",
            )
            for one in ranked
        ]  # fmt: skip

    def _list(self, period: Period | None = None, **filters: str) -> str:
        return self._address(LIST, period, filters)

    def _requests(self, **filters: str) -> str:
        return self._address("requests", None, filters)

    def _address(self, page: str, period: Period | None, filters: Mapping[str, str]) -> str:
        period = period or Period(self.edges[0], self.edges[-1])
        query = {name: value for name, value in filters.items() if value} | {"time": str(period)}
        return f"{self._log.url_of(page)}?{urlencode(query)}"


def _label(key: str) -> LazyText:
    return _("Other signals") if key == "other" else Family(key).label


def _whose(slow: SlowPair, event: SignalEvent | None) -> str:
    """Return what a pair is about: the sender of a request's own is but the server's handler."""
    if event is not None and event.origin_name and family(slow.signal) == Family.REQUEST:
        return event.origin_name
    return sender_name(slow.sender)


def _share(part: Any, whole: Any) -> int:
    return round(100 * (part / whole)) if whole else 0


def show(log: LogAdmin, request: HttpRequest) -> HttpResponse:
    """Show the overview of a span of time."""
    span = request.GET.get("time", USUAL)
    if span not in LENGTHS:
        raise Http404(gettext("There is no such overview."))
    if config().inline:
        _sums.advance(connections[SignalEvent.objects.db])
    overview = Overview(log, span)
    return render(
        log,
        request,
        "admin/signals_demo/overview.html",
        _("Overview"),
        overview=overview,
        health=health(),
        tabs=[
            {"label": SPANS[key], "url": f"?time={key}", "current": key == span} for key in LENGTHS
        ],
        bar_width=WIDTH - GAP,
        height=HEIGHT,
    )
