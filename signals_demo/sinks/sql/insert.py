"""Stores rows of `SignalEvent` by INSERT, which passes over those that are stored already."""

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import lru_cache, partial
from itertools import chain
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from signals_demo.events import Row
from signals_demo.rollups.driver_values import (
    adapt_duration,
    adapt_span,
    adapt_trace,
    adapt_uuid,
    datetime_adapter,
)
from signals_demo.rollups.tables import table
from signals_demo.sinks.base import Session

ROWS_AT_ONCE = 100  # 2,400 values: any SQLite takes them in one statement

Values = tuple[Any, ...]


def insert(connection: BaseDatabaseWrapper, rows: Sequence[Row], session: Session) -> None:
    """Insert rows, except those that are there."""
    adapt = _adapter(connection)
    sql = partial(_sql, table("signalevent"), connection.vendor, connection.ops.quote_name)
    if connection.vendor == "mysql":  # whose driver makes long statements of it
        with closing(connection.create_cursor()) as cursor:
            for some in session.portions(rows):
                cursor.executemany(sql(1), list(map(adapt, some)))
        return
    # SQLite's driver takes the interpreter's lock back after each statement, and a busy project
    # makes it wait for that: so few statements. Not on Django's cursor, which rewrites each one.
    is_sqlite = connection.vendor == "sqlite"
    with closing(
        connection.connection.cursor() if is_sqlite else connection.create_cursor()
    ) as cursor:
        for portion in [rows] if is_sqlite else session.portions(rows):
            for start in range(0, len(portion), ROWS_AT_ONCE):
                some = portion[start : start + ROWS_AT_ONCE]
                cursor.execute(sql(len(some)), tuple(chain.from_iterable(map(adapt, some))))
        if is_sqlite:
            last = cursor.lastrowid or 0
            session.note_keys(last - len(rows) + 1, last)


def any_stored(connection: BaseDatabaseWrapper, rows: Sequence[Row]) -> bool:
    """Return whether some of the rows may be stored already: their numbers are taken."""
    recorders = {row.recorder for row in rows}
    if len(recorders) > 1:
        return True
    quote = connection.ops.quote_name
    numbers = [row.sequence for row in rows]
    sql = (
        f"SELECT 1 FROM {quote(table('signalevent'))}"  # noqa: S608
        f" WHERE {quote('recorder')} = %s AND {quote('sequence')} BETWEEN %s AND %s LIMIT 1"
    )
    with closing(connection.create_cursor()) as cursor:
        cursor.execute(sql, [adapt_uuid(connection, *recorders), min(numbers), max(numbers)])
        return cursor.fetchone() is not None


@lru_cache(maxsize=ROWS_AT_ONCE)
def _sql(name: str, vendor: str, quote: Callable[[str], str], rows: int) -> str:
    names = ", ".join(map(quote, Row._fields))
    marks = ", ".join(["?" if vendor == "sqlite" else "%s"] * len(Row._fields))
    # Not INSERT IGNORE, which passes over rows that the database refuses as well.
    if vendor == "mysql":
        once = f"ON DUPLICATE KEY UPDATE {quote('sequence')} = {quote('sequence')}"
    else:
        once = f"ON CONFLICT ({quote('recorder')}, {quote('sequence')}) DO NOTHING"
    values = ", ".join([f"({marks})"] * rows)
    return f"INSERT INTO {quote(name)} ({names}) VALUES {values} {once}"  # noqa: S608


def _adapter(connection: BaseDatabaseWrapper) -> Callable[[Row], Values]:
    """Return a function that adapts a row's values for the driver."""
    known: UUID | None = None
    recorder: UUID | str = ""
    adapt_datetime = datetime_adapter(connection)
    is_native = connection.features.has_native_duration_field

    def adapt(row: Row) -> Values:
        nonlocal known, recorder
        if row.recorder is not known:  # nearly always one object; hashing it is slow
            recorder, known = adapt_uuid(connection, row.recorder), row.recorder
        duration = row.duration if is_native else adapt_duration(connection, row.duration)
        return (
            recorder, row.sequence, adapt_datetime(row.occurred_at), *row[3:5],
            adapt_trace(row.trace_id), adapt_span(row.span_id), *row[7:10], duration, *row[11:],
        )  # fmt: skip

    return adapt
