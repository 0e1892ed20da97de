"""What fired lately and what went wrong, at a glance; everything leads to the rows behind it."""

from contextlib import suppress
from typing import Any

from django.db import DatabaseError, connections
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_demo.catalog import EVENTS_LOST
from signals_demo.delivery.health import health
from signals_demo.models import SignalEvent
from signals_demo.query.filters import SPANS
from signals_demo.query.parsing import Period
from signals_demo.query.statistics import by_hour, by_minute, failures_since
from signals_demo.rollups.hours import HourlySums, catch_up, last_key, summed_up_to
from signals_demo.web.base_page import LogAdmin, render
from signals_demo.web.chart import LENGTHS, Chart, edges_of
from signals_demo.web.links import PeriodLinks
from signals_demo.web.rankings import Rankings

USUAL = "24h"

MANY = 20_000  # events not in the sums yet, for which it is worth to add some up first
BUDGET = 1.0  # seconds that this takes

# After an import on a quiet site no worker thread adds up.
_sums = HourlySums()


def view(log: LogAdmin, request: HttpRequest) -> HttpResponse:
    """Show the overview of a span of time."""
    span = request.GET.get("time", USUAL)
    if span not in LENGTHS:
        raise Http404(gettext("There is no such overview."))
    _catch_up()
    return render(
        log,
        request,
        "admin/signals_demo/overview.html",
        _("Overview"),
        overview=Overview(log, span),
        health=health(),
        tabs=[
            {"label": SPANS[key], "url": f"?time={key}", "current": key == span} for key in LENGTHS
        ],
    )


def _catch_up() -> None:
    """Add to the sums what is certain; the rest is read one by one."""
    connection = connections[SignalEvent.objects.db]
    with suppress(DatabaseError):  # it may be locked, or read only
        if last_key(connection) - summed_up_to(connection) > MANY:
            catch_up(connection, BUDGET)
            _sums.advance(connection)


class Overview:
    """The statistics of a span of time, laid out for the page."""

    def __init__(self, log: LogAdmin, span: str) -> None:
        edges = edges_of(span, timezone.now())
        statistics = (by_minute if span == "1h" else by_hour)(edges)
        self._signals = statistics.signals
        self._failures = failures_since(edges[0])
        self._links = PeriodLinks(log.links, Period(edges[0], edges[-1]))
        self.firings = self._signals.total()
        self.pending = statistics.pending
        self.latest = self._failures.latest
        self.chart = Chart(span, statistics, self._links)
        self.rankings = Rankings(statistics, self._links, log.links.trace_at)

    @property
    def tiles(self) -> list[dict[str, Any]]:
        """Return the numbers that tell whether anything is odd, each with what is behind it."""
        failures, links, login_failed = self._failures, self._links, "user_login_failed"
        failed, lost = self._signals[login_failed], self._signals[EVENTS_LOST]
        tiles = [
            (_("Firings"), self.firings, links.events(), False),
            (_("Failed logins"), failed, links.events(signal=login_failed), True),
            (_("Exceptions"), failures.exceptions, links.requests(kind="errors"), True),
            (_("Rolled back"), failures.rolled_back, links.events(outcome="rolled_back"), True),
        ]
        if lost:
            tiles.append((_("Lost"), lost, links.events(signal=EVENTS_LOST), True))
        return [
            {"label": label, "number": number, "url": url, "is_bad": is_bad and number > 0}
            for label, number, url, is_bad in tiles
        ]
