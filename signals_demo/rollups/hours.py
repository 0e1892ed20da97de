"""Sums events up by the hour and the day in `SignalHour`, some time after they were stored.

It follows the keys that the database gives: an event with a key up to `summed_up_to()` is in the
sums, however late it came, and one with a higher key is not yet. Several processes may do it at a
time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Max, Min, Sum
from django.db.models.functions import TruncHour, TruncMinute

from signals_demo.clock import clock
from signals_demo.rollups.driver_values import adapt_duration
from signals_demo.rollups.tables import model
from signals_demo.rollups.traces import general_name
from signals_demo.rollups.upsert import Upsert, greatest

STEP = 5000  # keys summed up in one transaction
BUDGET = 0.2  # seconds that one round takes, if there is much to do
INTERVAL = 30.0  # seconds between two rounds

NewTransaction = Callable[[], AbstractContextManager[Any]]

SIGNAL, ORIGIN = "signal", "origin"
# Before all others in the order of keys: MySQL locks the key after one that it adds, and a process
# that adds a sum must not wait there for one that waits to change this row.
DONE = "done"
TOTAL = "total"
IN_DAYS = {SIGNAL: "signal/day", ORIGIN: "origin/day"}
"""The kinds of the sums of whole days (UTC), by those of their hours."""


class HourSum(NamedTuple):
    """The fields of `SignalHour`, in their order, except `id`."""

    hour: datetime
    kind: str
    name: str
    detail: str
    firings: int
    longest: timedelta


class _CutAsText:
    """Cuts a time as text on SQLite, where times are text: not by a function in Python."""

    lhs: Any
    length: int
    suffix: str

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        sql, params = compiler.compile(self.lhs)
        return f"SUBSTR({sql}, 1, {self.length}) || '{self.suffix}'", params


class Hour(_CutAsText, TruncHour):
    """The hour of a time."""

    length, suffix = len("2030-01-02 03"), ":00:00"


class Minute(_CutAsText, TruncMinute):
    """The minute of a time."""

    length, suffix = len("2030-01-02 03:04"), ":00"


class HourlySums:
    """Keeps the sums up to date, by a round now and then."""

    def __init__(self) -> None:
        # Not at once: other processes sum up what one that soon ends does.
        self._next = clock.monotonic() + INTERVAL
        self._safe = 0

    def advance(
        self, connection: BaseDatabaseWrapper, new_transaction: NewTransaction | None = None
    ) -> None:
        """Sum up what was there at the last round, if it is time for one.

        Not what came since: a lower key may belong to a transaction that has yet to commit.
        """
        if clock.monotonic() < self._next:
            return
        if sum_up(connection, self._safe, BUDGET, new_transaction):
            self._safe = last_key(connection)
            self._next = clock.monotonic() + INTERVAL


def catch_up(connection: BaseDatabaseWrapper, seconds: float) -> None:
    """Sum up all that is certain to have no gaps, for somebody who waits for it.

    On SQLite that is everything: its writers take turns, and each adds higher keys.
    """
    if connection.vendor == "sqlite":
        sum_up(connection, last_key(connection), seconds)


def last_key(connection: BaseDatabaseWrapper) -> int:
    """Return the highest key of an event, 0 if there is none."""
    found = model("signalevent").objects.using(connection.alias).aggregate(last=Max("pk"))
    return int(found["last"] or 0)


def summed_up_to(connection: BaseDatabaseWrapper) -> int:
    """Return the key of the last event that is in the sums; if there is none, one before all."""
    hours = model("signalhour").objects.using(connection.alias)
    row = hours.filter(**_progress_key()).values_list("firings", flat=True)[:1]
    return next(iter(row), None) or _before_next(connection)


def _before_next(connection: BaseDatabaseWrapper, after: int = 0) -> int:
    """Return the key before the next event's; `after`, if there is none."""
    events = model("signalevent").objects.using(connection.alias).filter(pk__gt=after)
    return int(events.aggregate(first=Min("pk"))["first"] or after + 1) - 1


def sum_up(
    connection: BaseDatabaseWrapper,
    until: int,
    seconds: float = float("inf"),
    new_transaction: NewTransaction | None = None,
) -> bool:
    """Sum up the events with keys up to `until`; return whether all were done in time."""
    end = clock.monotonic() + seconds
    new_transaction = new_transaction or partial(transaction.atomic, using=connection.alias)
    with new_transaction():
        done = _progress(connection)
    while done < until:
        # No step is spent on keys that no event has: of deleted ones, or of another test's.
        step = min(_before_next(connection, done) + STEP, until)
        events = model("signalevent").objects.using(connection.alias)
        # Before the transaction: on SQLite the project would wait for this.
        sums = sums_of(events.filter(pk__gt=done, pk__lte=step))
        with new_transaction():
            if not _do_step(connection, done, step, sums):
                return True  # another process does it, and goes on
        done = step
        if clock.monotonic() >= end:
            break
    return done >= until


def _progress_key() -> dict[str, Any]:
    """Return the key of the row that says how far the sums go: an hour before all events."""
    beginning = datetime(1970, 1, 1, tzinfo=UTC if settings.USE_TZ else None)
    return {"hour": beginning, "kind": DONE, "name": "", "detail": ""}


def _progress(connection: BaseDatabaseWrapper) -> int:
    """Return how far the sums go, and make the row that says so if there is none."""
    hours = model("signalhour").objects.using(connection.alias)
    row, _is_new = hours.get_or_create(
        **_progress_key(),
        defaults={"firings": partial(_before_next, connection), "longest": timedelta()},
    )
    return int(row.firings)


def _do_step(
    connection: BaseDatabaseWrapper, after: int, until: int, sums: Sequence[HourSum]
) -> bool:
    """Sum up some events, unless another process has; return whether this one did."""
    hours = model("signalhour").objects.using(connection.alias)
    # The process that changes this row does the step; others wait, and find it changed.
    progress = hours.filter(**_progress_key(), firings=after)
    if not progress.update(firings=until):
        return False
    _add(connection, sums)
    return True


def sums_of(events: Any, truncated: type[Hour | Minute] = Hour) -> list[HourSum]:
    """Return the sums of a queryset of events, by the hour. Runs two queries."""
    zone = connections[events.db].timezone
    by_hour = events.order_by().annotate(hour=truncated("occurred_at", tzinfo=zone))
    return [*_by_signal(by_hour), *_by_origin(by_hour)]


def _by_signal(events: Any) -> Iterator[HourSum]:
    found = events.values_list("hour", "signal", "sender")
    for hour, name, sender, firings, longest in found.annotate(
        _firings=Sum("count"), _longest=Max("duration")
    ):
        yield HourSum(hour, SIGNAL, name, sender, firings, longest or timedelta())


def _by_origin(events: Any) -> Iterator[HourSum]:
    sums: dict[tuple[datetime, str, str], int] = {}
    found = events.values_list("hour", "origin", "origin_name")
    for hour, origin, name, firings in found.annotate(_firings=Sum("count")):
        key = hour, origin, general_name(name)
        sums[key] = sums.get(key, 0) + firings
    for (hour, origin, name), firings in sums.items():
        yield HourSum(hour, ORIGIN, origin, name, firings, timedelta())


def day_of(moment: datetime) -> datetime:
    """Return the beginning of the day, in UTC if the time is an aware one."""
    moment = moment.astimezone(UTC) if moment.tzinfo else moment
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _coarser(sums: Iterable[HourSum]) -> Iterable[HourSum]:
    """Return the sums of whole days, and of each hour those over all senders of a signal."""
    found: dict[tuple[Any, ...], HourSum] = {}
    for one in sums:
        coarse = [one._replace(hour=day_of(one.hour), kind=IN_DAYS[one.kind])]
        if one.kind == SIGNAL:
            coarse.append(one._replace(kind=TOTAL, detail=""))
        for each in coarse:
            known = found.get(each[:4], each._replace(firings=0))
            found[each[:4]] = each._replace(
                firings=known.firings + one.firings, longest=max(known.longest, one.longest)
            )
    return found.values()


def _add(connection: BaseDatabaseWrapper, sums: Sequence[HourSum]) -> None:
    """Add to the sums. In order of their keys, so that no two processes wait for each other."""
    adapt_datetime = connection.ops.adapt_datetimefield_value
    values = [
        (adapt_datetime(one.hour), *one[1:5], adapt_duration(connection, one.longest))
        for one in sorted([*sums, *_coarser(sums)], key=lambda one: one[:4])
    ]
    _UPSERT.write(connection, values)


def _added(upsert: Upsert, connection: BaseDatabaseWrapper) -> dict[str, str]:
    longest = "{}({}, {})".format(greatest(connection), *upsert.old_and_new(connection, "longest"))
    firings = "{} + {}".format(*upsert.old_and_new(connection, "firings"))
    return {"firings": firings, "longest": longest}


_UPSERT = Upsert("signalhour", HourSum._fields, HourSum._fields[:4], _added)
