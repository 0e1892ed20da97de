"""Keeps a row of `SignalTrace` for each trace, in the transaction that stores its events."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Count, DurationField, ExpressionWrapper, Max, Min, Q, Sum, Value

from signals_demo import catalog
from signals_demo.catalog.outcomes import ROLLED_BACK
from signals_demo.events import Attribution, Resolution, Row
from signals_demo.rollups.driver_values import (
    adapt_duration,
    adapt_span,
    adapt_trace,
    adapt_uuid,
    datetime_adapter,
)
from signals_demo.rollups.tables import model, table
from signals_demo.rollups.upsert import Upsert, greatest, least

Key = tuple[UUID, str, str]
"""A recorder, a trace id and a span id: a unit of work."""

IS_CHANGE = Q(signal__in=catalog.WRITES) | Q(signal=catalog.LINKS, duration__isnull=False)
"""The condition of `catalog.is_change()`, for a queryset of events."""

# An address that names one thing stands for all addresses of its kind.
_VARIABLE = re.compile(
    r"(?<=/)(?:\d+|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{16,})(?=/|$)",
    re.IGNORECASE,
)
ANY = "*"


def general_name(name: str) -> str:
    """Return the name of an origin with `*` for the keys in it: `GET /orders/*/`."""
    return _VARIABLE.sub(ANY, name)


class TraceSum(NamedTuple):
    """The fields of `SignalTrace` that are summed up; `general_name` follows from them."""

    recorder: UUID
    trace_id: str
    span_id: str
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
    """Return the units of work that rows belong to."""
    return {key_of(row) for row in rows if row.trace_id}


def key_of(item: Row | Resolution | Attribution) -> Key:
    """Return the unit of work that something belongs to."""
    return item.recorder, item.trace_id, item.span_id


def sums_of(rows: Iterable[Row]) -> Iterator[TraceSum]:
    """Yield what rows add up to, a summary for each unit of work that they belong to."""
    traces: dict[Key, list[Row]] = {}
    # A row is nearly always of the same unit as the one before it; hashing a recorder is slow.
    recorder, span_id, trace_id, own = None, "", "", []
    for row in rows:
        if row.recorder is not recorder or row.span_id != span_id or row.trace_id != trace_id:
            recorder, trace_id, span_id = row.recorder, row.trace_id, row.span_id
            own = traces.setdefault((recorder, trace_id, span_id), []) if trace_id else []
        own.append(row)
    yield from map(_sum, traces.values())


def add(connection: BaseDatabaseWrapper, sums: Iterable[TraceSum]) -> None:
    """Add sums of rows that have just been stored, all of them new."""
    _write(connection, sums, _ADDED)


def _sum(rows: list[Row]) -> TraceSum:
    first = rows[0]
    named = next((row for row in rows if row.actor or row.actor_pk), first)
    moments = [row.occurred_at for row in rows]
    start, end = min(moments), max(moments)
    return TraceSum(
        first.recorder, first.trace_id, first.span_id, first.origin, first.origin_name,
        named.actor_pk, named.actor, first.remote_address, start, end, end - start,
        sum(row.count for row in rows),
        sum(catalog.is_change(row.signal, row.duration) for row in rows),
        sum(bool(row.exception) for row in rows),
        sum(row.outcome == ROLLED_BACK for row in rows),
    )  # fmt: skip


def recount(connection: BaseDatabaseWrapper, keys: Collection[Key]) -> None:
    """Sum traces up from their stored events: it is not certain which of them are new."""
    events = model("signalevent").objects.using(connection.alias)
    for recorder in {key[0] for key in keys}:
        own = [key[1:] for key in keys if key[0] == recorder]
        trace_ids, span_ids = map(set, zip(*own, strict=True))
        found = events.filter(recorder=recorder, trace_id__in=trace_ids, span_id__in=span_ids)
        sums = [TraceSum(*row) for row in _read(connection, summed_up(found))]
        numbers = [one.actor for one in sums if one.actor]
        named = events.filter(recorder=recorder, sequence__in=numbers)
        actors = {
            number: {"actor_pk": pk, "actor": name}
            for number, pk, name in _read(
                connection, named.values_list("sequence", "actor_pk", "actor")
            )
        }
        nobody = {"actor_pk": "", "actor": ""}
        _write(
            connection, [one._replace(**actors.get(one.actor, nobody)) for one in sums], _REPLACED
        )


def summed_up(events: Any, **others: Any) -> Any:
    """Return what a queryset of events adds up to: a `TraceSum` for each unit of work.

    In place of the actor there is the number of the first event that has one, or None. `others`
    are sums in place of those here.
    """
    length = ExpressionWrapper(Max("occurred_at") - Min("occurred_at"), DurationField())
    # Not the greatest key and the greatest name: they may be those of two people.
    first_named = Min("sequence", filter=~Q(actor_pk="", actor=""))
    sums = {
        "origin": Max("origin"), "origin_name": Max("origin_name"), "actor_pk": Value(""),
        "actor": first_named, "remote_address": Max("remote_address"),
        "started_at": Min("occurred_at"), "ended_at": Max("occurred_at"), "duration": length,
        "firings": Sum("count"), "changes": Count("pk", filter=IS_CHANGE),
        "errors": Count("pk", filter=~Q(exception="")),
        "rolled_back": Count("pk", filter=Q(outcome=ROLLED_BACK)),
    }  # fmt: skip
    # Under other names: some are those of the columns that are summed up.
    named = {f"_{name}": (sums | others)[name] for name in TraceSum._fields[3:]}
    key = TraceSum._fields[:3]
    return events.order_by().values_list(*key).annotate(**named).values_list(*key, *named)


def _read(connection: BaseDatabaseWrapper, found: Any) -> list[Any]:
    # On a cursor of our own: in inline mode Django's would show in the project's query log.
    compiler = found.query.get_compiler(connection=connection)
    try:
        sql, params = compiler.as_sql()
    except EmptyResultSet:
        return []
    with closing(connection.create_cursor()) as cursor:
        cursor.execute(sql, params)
        rows = cursor.fetchall()
    return list(compiler.results_iter([rows]))


def roll_back(connection: BaseDatabaseWrapper, key: Key, events: int) -> None:
    """Note that so many more of a unit's stored events turned out to be rolled back."""
    _change(connection, key, "{rolled_back} = {rolled_back} + %s", [events])


def attribute(connection: BaseDatabaseWrapper, key: Key, actor_pk: str, actor: str) -> None:
    """Note whose unit of work it is, unless that is known."""
    nobody = "AND {actor_pk} = '' AND {actor} = ''"
    _change(connection, key, "{actor_pk} = %s, {actor} = %s", [actor_pk, actor], nobody)


def _change(
    connection: BaseDatabaseWrapper, key: Key, what: str, values: Sequence[Any], which: str = ""
) -> None:
    quote = connection.ops.quote_name
    sql = f"UPDATE {{table}} SET {what} WHERE {{recorder}} = %s AND {{trace_id}} = %s"  # noqa: S608
    names = {name: quote(name) for name in TraceSum._fields}
    sql = f"{sql} AND {{span_id}} = %s {which}".format(table=quote(table("signaltrace")), **names)
    recorder, trace_id, span_id = key
    place = adapt_uuid(connection, recorder), adapt_trace(trace_id), adapt_span(span_id)
    with closing(connection.create_cursor()) as cursor:
        cursor.execute(sql, [*values, *place])


def _write(connection: BaseDatabaseWrapper, sums: Iterable[TraceSum], upsert: Upsert) -> None:
    adapt_datetime = datetime_adapter(connection)
    values = [
        (
            adapt_uuid(connection, one.recorder), adapt_trace(one.trace_id),
            adapt_span(one.span_id), *one[3:8], adapt_datetime(one.started_at),
            adapt_datetime(one.ended_at), adapt_duration(connection, one.duration), *one[11:],
            general_name(one.origin_name),
        )
        for one in sums
    ]  # fmt: skip
    upsert.write(connection, values)


def _replaced(upsert: Upsert, connection: BaseDatabaseWrapper) -> dict[str, str]:
    return {name: upsert.old_and_new(connection, name)[1] for name in upsert.fields[3:]}


def _added(upsert: Upsert, connection: BaseDatabaseWrapper) -> dict[str, str]:
    old_and_new = partial(upsert.old_and_new, connection)
    start = "{}({}, {})".format(least(connection), *old_and_new("started_at"))
    end = "{}({}, {})".format(greatest(connection), *old_and_new("ended_at"))
    length, _params = connection.ops.subtract_temporals("DateTimeField", (end, ()), (start, ()))
    values = {"duration": length, "started_at": start, "ended_at": end}
    # Both together, or neither. MySQL assigns one after the other, so the second sees the first.
    (old_pk, new_pk), (old, new) = old_and_new("actor_pk"), old_and_new("actor")
    values["actor"] = f"CASE WHEN {old_pk} = '' AND {old} = '' THEN {new} ELSE {old} END"
    is_same = f"{old_pk} = '' AND ({old} = '' OR {old} = {new})"
    values["actor_pk"] = f"CASE WHEN {is_same} THEN {new_pk} ELSE {old_pk} END"
    for name in _COUNTS:
        values[name] = "{} + {}".format(*old_and_new(name))
    return values


_ADDED, _REPLACED = (
    Upsert(
        "signaltrace",
        (*TraceSum._fields, "general_name"),
        ("trace_id", "recorder", "span_id"),
        changed,
    )
    for changed in (_added, _replaced)
)
