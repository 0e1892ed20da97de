"""Stores rows of `SignalEvent` by PostgreSQL's COPY: a fifth of the time of an INSERT."""

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from signals_demo.events import Row
from signals_demo.rollups.driver_values import adapt_span, adapt_trace
from signals_demo.rollups.tables import table
from signals_demo.sinks.base import Session


def can_copy(connection: BaseDatabaseWrapper, session: Session) -> bool:
    """Return whether COPY works here: with psycopg 3, outside the project's transactions."""
    if connection.vendor != "postgresql" or session.is_callers:
        return False
    return bool(_driver(connection).__name__ == "psycopg")


def copy(connection: BaseDatabaseWrapper, rows: Sequence[Row], session: Session) -> None:
    """Store rows, all of them new."""
    quote = connection.ops.quote_name
    names = ", ".join(map(quote, Row._fields))
    sql = f"COPY {quote(table('signalevent'))} ({names}) FROM STDIN"
    # Not Django's cursor, which puts values into the text of a statement.
    with _driver(connection).Cursor(connection.connection) as cursor:
        for some in session.portions(rows):
            with cursor.copy(sql) as stream:
                for row in session.steps(some):
                    stream.write_row(
                        (*row[:5], adapt_trace(row.trace_id), adapt_span(row.span_id), *row[7:])
                    )


def _driver(connection: Any) -> Any:
    """Return the driver's module. Importing it would load it where another is in use."""
    return connection.Database
