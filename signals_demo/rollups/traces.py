"""Keeps a row of `SignalTrace` for each trace, in the transaction that stores its events."""

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Count, DurationField, ExpressionWrapper, Max, Min, Q, Sum

from signals_demo import catalog
from signals_demo.catalog.outcomes import ROLLED_BACK
from signals_demo.events import Row
from signals_demo.rollups.driver_values import adapt_duration, adapt_uuid, datetime_adapter
from signals_demo.rollups.tables import model, table
from signals_demo.rollups.upsert import Upsert, greatest, least

Key = tuple[UUID, str]
"""A recorder and a trace id."""

IS_CHANGE = Q(signal__in=catalog.WRITES) | Q(signal=catalog.LINKS, duration__isnull=False)
"""The condition of `catalog.is_change()`, for a queryset of events."""

# An address that names one thing stands for all addresses of its kind.
_VARIABLE = re.compile(
    r"(?<=/)(?:\d+|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{16,})(?=/|$)",
    re.IGNORECASE,
)
ANY = "…"


def general_name(name: str) -> str:
    """Return the name of an origin with `…` for the keys in it: `GET /orders/…/`."""
    return _VARIABLE.sub(ANY, name)


class TraceSum(NamedTuple):
    """The fields of `SignalTrace` that are summed up; `general_name` follows from them."""

    recorder: UUID
    trace_id: str
    origin: str
    origin_name: str
    actor_pk: str
    actor: str
    remote_address: str
    started_at: datetime
    ended_at: datetime
    duration: timedelta
    firings: int
    changes: int
    errors: int
    rolled_back: int


_COUNTS = ("firings", "changes", "errors", "rolled_back")


def keys_of(rows: Iterable[Row]) -> set[Key]:
    """Return the traces that rows belong to."""
    return {(row.recorder, row.trace_id) for row in rows if row.trace_id}


def sums_of(rows: Iterable[Row]) -> Iterator[TraceSum]:
    """Yield what rows add up to, a summary for each trace that they belong to."""
    traces: dict[Key, list[Row]] = {}
    # A row is nearly always of the same trace as the one before it; hashing a recorder is slow.
    recorder, trace_id, own = None, "", []
    for row in rows:
        if row.recorder is not recorder or row.trace_id != trace_id:
            recorder, trace_id = row.recorder, row.trace_id
            own = traces.setdefault((recorder, trace_id), []) if trace_id else []
        own.append(row)
    yield from map(_sum, traces.values())


def add(connection: BaseDatabaseWrapper, sums: Iterable[TraceSum]) -> None:
    """Add sums of rows that have just been stored, all of them new."""
    _write(connection, sums, _ADDED)


def _sum(rows: list[Row]) -> TraceSum:
    first = rows[0]
    named = next((row for row in rows if row.actor), first)
    moments = [row.occurred_at for row in rows]
    start, end = min(moments), max(moments)
    return TraceSum(
        first.recorder, first.trace_id, first.origin, first.origin_name,
        named.actor_pk, named.actor, first.remote_address, start, end, end - start,
        sum(row.count for row in rows),
        sum(catalog.is_change(row.signal, row.duration) for row in rows),
        sum(bool(row.exception) for row in rows),
        sum(row.outcome == ROLLED_BACK for row in rows),
    )  # fmt: skip


def recount(connection: BaseDatabaseWrapper, keys: Collection[Key]) -> None:
    """Sum traces up from their stored events: it is not certain which of them are new."""
    for recorder in {recorder for recorder, _trace_id in keys}:
        events = model("signalevent").objects.using(connection.alias)
        own = [trace_id for other, trace_id in keys if other == recorder]
        found = summed_up(events.filter(recorder=recorder, trace_id__in=own))
        _write(connection, _read(connection, found), _REPLACED)


def summed_up(events: Any) -> Any:
    """Return what a queryset of events adds up to: a `TraceSum` for each recorder and trace."""
    length = ExpressionWrapper(Max("occurred_at") - Min("occurred_at"), DurationField())
    sums = {
        "origin": Max("origin"), "origin_name": Max("origin_name"), "actor_pk": Max("actor_pk"),
        "actor": Max("actor"), "remote_address": Max("remote_address"),
        "started_at": Min("occurred_at"), "ended_at": Max("occurred_at"), "duration": length,
        "firings": Sum("count"), "changes": Count("pk", filter=IS_CHANGE),
        "errors": Count("pk", filter=~Q(exception="")),
        "rolled_back": Count("pk", filter=Q(outcome=ROLLED_BACK)),
    }  # fmt: skip
    # Under other names: some are those of the columns that are summed up.
    named = {f"_{name}": sums[name] for name in TraceSum._fields[2:]}
    return (
        events.order_by()
        .values_list("recorder", "trace_id")
        .annotate(**named)
        .values_list("recorder", "trace_id", *named)
    )


def _read(connection: BaseDatabaseWrapper, found: Any) -> list[TraceSum]:
    # On a cursor of our own: in inline mode Django's would show in the project's query log.
    compiler = found.query.get_compiler(connection=connection)
    sql, params = compiler.as_sql()
    with closing(connection.create_cursor()) as cursor:
        cursor.execute(sql, params)
        rows = cursor.fetchall()
    return [TraceSum(*row) for row in compiler.results_iter([rows])]


def roll_back(connection: BaseDatabaseWrapper, key: Key, events: int) -> None:
    """Note that so many more of a trace's stored events turned out to be rolled back."""
    _change(connection, key, "{rolled_back} = {rolled_back} + %s", events)


def attribute(connection: BaseDatabaseWrapper, key: Key, actor_pk: str, actor: str) -> None:
    """Note whose trace it is, unless that is known."""
    _change(connection, key, "{actor_pk} = %s, {actor} = %s", actor_pk, actor, unless="{actor}")


def _change(
    connection: BaseDatabaseWrapper, key: Key, what: str, *values: Any, unless: str = "''"
) -> None:
    quote = connection.ops.quote_name
    names = {name: quote(name) for name in TraceSum._fields}
    where = f"{{recorder}} = %s AND {{trace_id}} = %s AND {unless} = ''".format_map(names)
    sql = f"UPDATE {quote(table('signaltrace'))} SET {what.format_map(names)} WHERE {where}"  # noqa: S608
    recorder, trace_id = key
    with closing(connection.create_cursor()) as cursor:
        cursor.execute(sql, [*values, adapt_uuid(connection, recorder), trace_id])


def _write(connection: BaseDatabaseWrapper, sums: Iterable[TraceSum], upsert: Upsert) -> None:
    adapt_datetime = datetime_adapter(connection)
    values = [
        (
            adapt_uuid(connection, one.recorder), *one[1:7], adapt_datetime(one.started_at),
            adapt_datetime(one.ended_at), adapt_duration(connection, one.duration), *one[10:],
            general_name(one.origin_name),
        )
        for one in sums
    ]  # fmt: skip
    upsert.write(connection, values)


def _replaced(upsert: Upsert, connection: BaseDatabaseWrapper) -> dict[str, str]:
    return {name: upsert.old_and_new(connection, name)[1] for name in upsert.fields[2:]}


def _added(upsert: Upsert, connection: BaseDatabaseWrapper) -> dict[str, str]:
    old_and_new = partial(upsert.old_and_new, connection)
    start = "{}({}, {})".format(least(connection), *old_and_new("started_at"))
    end = "{}({}, {})".format(greatest(connection), *old_and_new("ended_at"))
    length, _params = connection.ops.subtract_temporals("DateTimeField", (end, ()), (start, ()))
    values = {"duration": length, "started_at": start, "ended_at": end}
    for name in ("actor_pk", "actor"):
        old, new = old_and_new(name)
        values[name] = f"CASE WHEN {old} = '' THEN {new} ELSE {old} END"
    for name in _COUNTS:
        values[name] = "{} + {}".format(*old_and_new(name))
    return values


_ADDED, _REPLACED = (
    Upsert("signaltrace", (*TraceSum._fields, "general_name"), ("trace_id", "recorder"), changed)
    for changed in (_added, _replaced)
)
