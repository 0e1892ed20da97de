"""When a signal was last sent by a sender, from the sums by the day.

Both may be frequent and yet hardly ever meet: to find where, very many events would be read.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet, Subquery
from django.db.models.functions import Coalesce

from signals_demo.models import SignalEvent, SignalHour
from signals_demo.rollups.hours import IN_DAYS, SIGNAL, day_of, how_far

BEHIND = 10_000
"""How many of the latest events are looked through because the sums may not have them yet."""

_DAY = timedelta(days=1)


def nearest(
    signals: Collection[str],
    senders: Collection[str],
    since: datetime | None,
    until: datetime | None,
    *,
    is_back: bool,
) -> datetime | None:
    """Return a time after the newest such event of a period, close to it.

    With `is_back`, a time before the oldest one. Where the period has none, a time that no event
    is beyond. None, if that is not known because the sums are far behind. Runs one query.
    """
    days = SignalHour.objects.filter(kind=IN_DAYS[SIGNAL], name__in=signals, detail__in=senders)
    late = _not_summed_up().filter(_signal__in=signals, _sender__in=senders)
    if since is not None:
        days, late = days.filter(hour__gte=day_of(since)), late.filter(_moment__gte=since)
    if until is not None:
        days, late = days.filter(hour__lte=day_of(until)), late.filter(_moment__lt=until)
    found = SignalEvent.objects.at_once(
        done=Subquery(_done()),
        last=Subquery(SignalEvent.objects.order_by("-pk").values("pk")[:1]),
        day=_end(days, "hour", is_back),
        late=_end(late, "occurred_at", is_back),
    )
    if found["done"] is None or found["last"] > found["done"] + BEHIND:
        return None
    times = [
        start if is_back else start + length
        for start, length in ((found["day"], _DAY), (found["late"], timedelta.resolution))
        if start is not None
    ]
    never = datetime(9000 if is_back else 1970, 1, 1, tzinfo=UTC if settings.USE_TZ else None)
    return (min if is_back else max)(times, default=never)


def _done() -> QuerySet[Any, Any]:
    return SignalHour.objects.filter(**how_far()).values("firings")[:1]


def _not_summed_up() -> QuerySet[Any]:
    """Return the latest events, with fields under which no database knows an index of them."""
    done = Coalesce(Subquery(_done()), 0)
    return SignalEvent.objects.filter(pk__gt=done, pk__lte=done + BEHIND).alias(
        _signal=Coalesce("signal", "signal"),
        _sender=Coalesce("sender", "sender"),
        _moment=Coalesce("occurred_at", "occurred_at"),
    )


def _end(rows: QuerySet[Any], field: str, is_back: bool) -> Subquery:
    # An expression, so that no database walks through an index in this order.
    order = Coalesce(field, field)
    return Subquery(rows.order_by(order.asc() if is_back else order.desc()).values(field)[:1])
