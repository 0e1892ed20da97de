"""Sums events up by the hour and the day in `SignalHour`, some time after they were stored.

It follows the keys that the database gives: what has a key up to `summed_up_to()` is in the sums,
however late it came, and what has a higher one is not yet. Several processes may do it at a time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Max, Min, Sum
from django.db.models.functions import TruncHour, TruncMinute

from signals_demo.rollups.adaptation import adapt_duration
from signals_demo.rollups.tables import model
from signals_demo.rollups.traces import general
from signals_demo.rollups.upsert import Upsert, greatest

STEP = 5000  # keys summed up in one transaction
BUDGET = 0.2  # seconds that one turn takes, if there is much to do
EVERY = 30.0  # seconds between two turns

Block = Callable[[], AbstractContextManager[Any]]
"""What opens a transaction."""

SIGNAL, ORIGIN = "signal", "origin"
# Before all others in the order of keys: MySQL locks the key after one that it adds, and who adds
# a sum must not wait there for who waits to note this one.
DONE = "done"
TOTAL = "total"
IN_DAYS = {SIGNAL: "signal/day", ORIGIN: "origin/day"}
"""The kinds of the sums of a whole day (UTC), by those of its hours."""


class Part(NamedTuple):
    """The fields of `SignalHour`, in their order, but for `id`."""

    hour: datetime
    kind: str
    name: str
    detail: str
    firings: int
    longest: timedelta


class _Text:
    """On SQLite, where times are text, a time is cut as text: not by a function in Python."""

    lhs: Any
    length: int
    rest: str

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        sql, params = compiler.compile(self.lhs)
        return f"SUBSTR({sql}, 1, {self.length}) || '{self.rest}'", params


class Hour(_Text, TruncHour):
    """The hour of a time."""

    length, rest = len("2030-01-02 03"), ":00:00"


class Minute(_Text, TruncMinute):
    """The minute of a time."""

    length, rest = len("2030-01-02 03:04"), ":00"


class HourlySums:
    """Keeps the sums up to date, whenever it is asked to go on."""

    def __init__(self) -> None:
        # Not at once: what a process does that soon ends, others sum up.
        self._next = monotonic() + EVERY
        self._safe = 0

    def go_on(self, connection: BaseDatabaseWrapper, block: Block | None = None) -> None:
        """Sum up, for a moment, what was there at the last turn.

        Not what came since: a lower key may belong to a transaction that has yet to commit.
        """
        if monotonic() < self._next:
            return
        if sum_up(connection, self._safe, BUDGET, block):
            self._safe = last_key(connection)
            self._next = monotonic() + EVERY


def last_key(connection: BaseDatabaseWrapper) -> int:
    """Return the highest key of an event, 0 if there is none."""
    found = model("signalevent").objects.using(connection.alias).aggregate(last=Max("pk"))
    return int(found["last"] or 0)


def summed_up_to(connection: BaseDatabaseWrapper) -> int:
    """Return the key of the last event that is in the sums; if there is none, one before all."""
    hours = model("signalhour").objects.using(connection.alias)
    row = hours.filter(**how_far()).values_list("firings", flat=True)[:1]
    return next(iter(row), None) or _before_next(connection)


def _before_next(connection: BaseDatabaseWrapper, after: int = 0) -> int:
    """Return the key before the next event's; `after`, if there is none."""
    events = model("signalevent").objects.using(connection.alias).filter(pk__gt=after)
    return int(events.aggregate(first=Min("pk"))["first"] or after + 1) - 1


def sum_up(
    connection: BaseDatabaseWrapper,
    until: int,
    seconds: float = float("inf"),
    block: Block | None = None,
) -> bool:
    """Sum up the events with keys up to `until`; return whether all were done in time."""
    end = monotonic() + seconds
    block = block or partial(transaction.atomic, using=connection.alias)
    with block():
        done = _begun(connection)
    while done < until:
        # No step is spent on keys that no event has: what was deleted, what another test used.
        step = min(_before_next(connection, done) + STEP, until)
        with block():
            if not _is_done(connection, done, step):
                return True  # by another process, which goes on
        done = step
        if monotonic() >= end:
            break
    return done >= until


def how_far() -> dict[str, Any]:
    """Return the key under which it is noted how far the sums go: an hour before all events."""
    beginning = datetime(1970, 1, 1, tzinfo=UTC if settings.USE_TZ else None)
    return {"hour": beginning, "kind": DONE, "name": "", "detail": ""}


def _begun(connection: BaseDatabaseWrapper) -> int:
    """Return where the sums end, which is noted from now on if it was not."""
    hours = model("signalhour").objects.using(connection.alias)
    row, _is_new = hours.get_or_create(
        **how_far(),
        defaults={"firings": partial(_before_next, connection), "longest": timedelta()},
    )
    return int(row.firings)


def _is_done(connection: BaseDatabaseWrapper, after: int, until: int) -> bool:
    """Sum up some events, unless another process has."""
    hours = model("signalhour").objects.using(connection.alias)
    # Who changes this row does the step; the others wait, and find it changed.
    place = hours.filter(**how_far(), firings=after)
    if not place.update(firings=until):
        return False
    events = model("signalevent").objects.using(connection.alias)
    _add(connection, parts_of(events.filter(pk__gt=after, pk__lte=until)))
    return True


def parts_of(events: Any, truncated: type[Hour | Minute] = Hour) -> list[Part]:
    """Return what a queryset of events adds up to, by the hour. Runs two queries."""
    zone = connections[events.db].timezone
    by_hour = events.order_by().annotate(hour=truncated("occurred_at", tzinfo=zone))
    return [*_by_signal(by_hour), *_by_origin(by_hour)]


def _by_signal(events: Any) -> Iterator[Part]:
    found = events.values_list("hour", "signal", "sender")
    for hour, name, sender, firings, longest in found.annotate(
        _firings=Sum("count"), _longest=Max("duration")
    ):
        yield Part(hour, SIGNAL, name, sender, firings, longest or timedelta())


def _by_origin(events: Any) -> Iterator[Part]:
    parts: dict[tuple[datetime, str, str], int] = {}
    found = events.values_list("hour", "origin", "origin_name")
    for hour, origin, name, firings in found.annotate(_firings=Sum("count")):
        key = hour, origin, general(name)
        parts[key] = parts.get(key, 0) + firings
    for (hour, origin, name), firings in parts.items():
        yield Part(hour, ORIGIN, origin, name, firings, timedelta())


def day_of(moment: datetime) -> datetime:
    """Return the beginning of the day, in UTC if the time is an aware one."""
    moment = moment.astimezone(UTC) if moment.tzinfo else moment
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _coarser(parts: Iterable[Part]) -> Iterable[Part]:
    """Return the sums of whole days, and of each hour those over all senders of a signal."""
    found: dict[tuple[Any, ...], Part] = {}
    for one in parts:
        places = [one._replace(hour=day_of(one.hour), kind=IN_DAYS[one.kind])]
        if one.kind == SIGNAL:
            places.append(one._replace(kind=TOTAL, detail=""))
        for place in places:
            known = found.get(place[:4], place._replace(firings=0))
            found[place[:4]] = place._replace(
                firings=known.firings + one.firings, longest=max(known.longest, one.longest)
            )
    return found.values()


def _add(connection: BaseDatabaseWrapper, parts: Sequence[Part]) -> None:
    """Add to the sums. In order of their keys, so that no two processes wait for each other."""
    moment = connection.ops.adapt_datetimefield_value
    values = [
        (moment(one.hour), *one[1:5], adapt_duration(connection, one.longest))
        for one in sorted([*parts, *_coarser(parts)], key=lambda one: one[:4])
    ]
    _SUMS.write(connection, values)


def _added(upsert: Upsert, connection: BaseDatabaseWrapper) -> dict[str, str]:
    longest = "{}({}, {})".format(greatest(connection), *upsert.old_and_new(connection, "longest"))
    firings = "{} + {}".format(*upsert.old_and_new(connection, "firings"))
    return {"firings": firings, "longest": longest}


_SUMS = Upsert("signalhour", Part._fields, Part._fields[:4], _added)
