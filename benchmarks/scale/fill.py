"""Fills the three tables of the app, fast, and those of the project with what is looked up."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import Max

from benchmarks.scale import events
from benchmarks.shop.models import Product
from signals_demo.events import Row
from signals_demo.models import SignalEvent, SignalTrace
from signals_demo.rollups import hours, traces
from signals_demo.rollups.driver_values import adapt_span

AT_ONCE = 20_000
HOURS_AT_ONCE = 1_000_000
_MICROSECOND = timedelta(microseconds=1)


def is_filled() -> bool:
    """Return whether an earlier run has filled this database: the sums by the hour come last."""
    return bool(hours.summed_up_to(connection))


def fill(number: int, longest: int = events.LONGEST) -> None:
    """Fill the database with about so many events, up to now."""
    if SignalEvent.objects.exists():
        raise SystemExit("Here an earlier run was broken off: run it without --keep.")
    _make_users_and_products()
    made = events.rows(number, datetime.now(UTC), longest)
    with _without_indexes(SignalEvent), _without_indexes(SignalTrace):
        with _timed("events"):
            (_copy if connection.vendor == "postgresql" else _insert)(made)
        with _timed("traces"):
            _sum_up_traces()
    with _timed("hours"):
        hours.STEP = HOURS_AT_ONCE  # nobody else is waiting for this table
        hours.sum_up(connection, hours.last_key(connection))
    if connection.vendor == "postgresql":
        with _timed("vacuum"), connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")  # which the server would have done by itself


@contextmanager
def _timed(what: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)


def _make_users_and_products() -> None:
    users = get_user_model()
    users.objects.bulk_create(
        users(pk=number, username=f"user{number}") for number in range(1, events.USERS + 1)
    )
    Product.objects.bulk_create(
        Product(pk=number, name=f"Product {number}", price=1200) for number in range(1, 1001)
    )


def _copy(rows: Iterable[Row]) -> None:
    names = ", ".join(Row._fields)
    table = SignalEvent._meta.db_table
    connection.ensure_connection()
    # Faster than its own write_row(). No text of the scripts needs a backslash before it.
    with (
        connection.connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy,
    ):
        while lines := list(map(_line, islice(rows, AT_ONCE))):
            copy.write("".join(lines))


def _line(row: Row) -> str:
    lasted = "\\N" if row.duration is None else row.duration
    return "\t".join(map(str, _stored(row, row.occurred_at, lasted))) + "\n"


def _insert(rows: Iterable[Row]) -> None:
    names = ", ".join(f'"{name}"' for name in Row._fields)
    marks = ", ".join("?" * len(Row._fields))
    sql = f"INSERT INTO {SignalEvent._meta.db_table} ({names}) VALUES ({marks})"  # noqa: S608
    connection.ensure_connection()
    while some := list(map(_values, islice(rows, AT_ONCE))):
        with transaction.atomic():
            connection.connection.executemany(sql, some)


def _values(row: Row) -> tuple[Any, ...]:
    moment = row.occurred_at.replace(tzinfo=None).isoformat(" ")
    lasted = None if row.duration is None else row.duration // _MICROSECOND
    return _stored(row, moment, lasted)


def _stored(row: Row, moment: Any, lasted: Any) -> tuple[Any, ...]:
    span = adapt_span(row.span_id)
    return (row.recorder.hex, row.sequence, moment, *row[3:6], span, *row[7:10], lasted, *row[11:])


def _sum_up_traces() -> None:
    # Here each unit of work has one actor at most.
    one = {name: Max(name) for name in ("actor_pk", "actor")}
    found = traces.summed_up(SignalEvent.objects.exclude(trace_id=""), **one)
    sql, params = found.query.get_compiler(connection=connection).as_sql()
    names = ", ".join(f'"{name}"' for name in traces.TraceSum._fields)
    # In the order of time, in which they would have come.
    order = traces.TraceSum._fields.index("started_at") + 1
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE names (exact varchar PRIMARY KEY, general varchar)")
        exact = SignalEvent.objects.order_by().values_list("origin_name", flat=True).distinct()
        cursor.executemany(
            "INSERT INTO names VALUES (%s, %s)",
            [(name, traces.general_name(name)) for name in exact.iterator()],
        )
        cursor.execute(
            f"INSERT INTO {SignalTrace._meta.db_table} ({names}, general_name)"  # noqa: S608
            f" SELECT traces.*, general FROM ({sql}) traces JOIN names ON exact = _origin_name"
            f" ORDER BY {order}",
            params,
        )


@contextmanager
def _without_indexes(model: Any) -> Iterator[None]:
    """Take the indexes away and make them anew: quicker than keeping them up with each row."""
    indexes = model._meta.indexes
    constraints = model._meta.constraints
    is_server = connection.vendor == "postgresql"
    with connection.schema_editor() as editor:
        for index in indexes:
            editor.remove_index(model, index)
        if is_server:  # SQLite would copy the table
            for constraint in constraints:
                editor.remove_constraint(model, constraint)
            editor.execute(f"ALTER TABLE {model._meta.db_table} SET UNLOGGED")
            editor.execute("SET maintenance_work_mem = '1GB'")
            editor.execute("SET work_mem = '512MB'")
    yield
    with _timed(f"indexes of {model.__name__}"), connection.schema_editor() as editor:
        for index in indexes:
            editor.add_index(model, index)
        if is_server:
            for constraint in constraints:
                editor.add_constraint(model, constraint)
