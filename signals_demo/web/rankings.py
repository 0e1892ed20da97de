"""What fired most in a span of time, and what took longest."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_demo.catalog.types import Family, LazyText
from signals_demo.models import Origin, SignalEvent
from signals_demo.query.statistics import SlowPair, Statistics, events_of
from signals_demo.web.links import PeriodLinks
from signals_demo.web.names import css_class, family, sender_name, short_name
from signals_demo.web.times import in_words

MOST = 8  # items of each ranking
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Ranked:
    """An item of a ranking, with its share of the first in per cent."""

    name: str
    detail: str
    number: int | str
    share: int
    url: str
    css_class: str = ""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The first items in an order, as `admin/signals_demo/ranking.html` shows them."""

    title: LazyText
    items: list[Ranked]


@dataclass(frozen=True, slots=True)
class Rankings:
    """The rankings of the statistics of a span."""

    statistics: Statistics
    links: PeriodLinks
    event_url: Callable[[SignalEvent], str]

    @property
    def all(self) -> list[Ranking]:
        """Return the rankings. Runs up to two queries, for the traces of the slowest pairs."""
        return [
            Ranking(_("Busiest signals"), self._signals()),
            Ranking(_("Busiest senders"), self._senders()),
            Ranking(_("Busiest origins"), self._origins()),
            Ranking(_("Slowest pairs"), self._slowest()),
        ]

    def _signals(self) -> list[Ranked]:
        found = self.statistics.signals.most_common(MOST)
        return [
            Ranked(
                short_name(name), "", firings, _share(firings, found[0][1]),
                self.links.events(signal=name), css_class(name),
            )
            for name, firings in found
        ]  # fmt: skip

    def _senders(self) -> list[Ranked]:
        most = self.statistics.senders.most_common(MOST + 1)
        found = [each for each in most if each[0]][:MOST]
        return [
            Ranked(
                sender_name(name), "", firings, _share(firings, found[0][1]),
                self.links.events(sender=name),
            )
            for name, firings in found
        ]  # fmt: skip

    def _origins(self) -> list[Ranked]:
        found = self.statistics.origins.most_common(MOST)
        labels = dict(Origin.choices)
        return [
            Ranked(
                name or gettext("unnamed"), str(labels.get(origin, origin)), firings,
                _share(firings, found[0][1]), self.links.requests(origin=origin, name=name),
            )
            for (origin, name), firings in found
        ]  # fmt: skip

    def _slowest(self) -> list[Ranked]:
        found = sorted(self.statistics.slowest.values(), key=lambda one: -one.longest)[:MOST]
        events = events_of(found)
        return [
            Ranked(
                short_name(one.signal),
                _subject(one, events.get(one.pair)),
                in_words(one.longest / _MILLISECOND),
                _share(one.longest, found[0].longest),
                self.event_url(events[one.pair]) if one.pair in events else "",
                css_class(one.signal),
            )
            for one in found
        ]


def _subject(slow: SlowPair, event: SignalEvent | None) -> str:
    """Return what a pair is about: the sender of a request's own is but the server's handler."""
    if event is not None and event.origin_name and family(slow.signal) == Family.REQUEST:
        return event.origin_name
    return sender_name(slow.sender)


def _share(part: Any, whole: Any) -> int:
    return round(100 * (part / whole)) if whole else 0
