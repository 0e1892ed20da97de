"""Stores events as rows of `SignalEvent`, by prepared inserts."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    connections,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.constants import OnConflict
from django.utils import timezone

from signals_demo.conf import config
from signals_demo.events import Resolution, Row
from signals_demo.sinks.base import BaseSink, NotReady
from signals_demo.transactions import OPEN

logger = logging.getLogger("signals_demo")

Values = tuple[Any, ...]


class DatabaseSink(BaseSink):
    """Store rows in the database of the `DATABASE` setting, on this thread's connection."""

    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        super().__init__(alias, options)
        if options:
            raise TypeError("the database sink takes no options; its alias is DATABASE")

    def store(self, rows: Sequence[Row]) -> None:
        connection = connections[config().database]
        if connection.in_atomic_block and connection.needs_rollback:
            return  # inline, in a transaction that cannot commit: no row is what it should leave
        was_open = connection.connection is not None
        sql = _insert(connection)
        values = [_adapted(connection, row) for row in rows]
        self._insert(connection, sql, values)
        if not was_open and config().inline and not connection.in_atomic_block:
            # Django has closed the connection at the end of the request: leave it so.
            connection.close()

    def _insert(
        self, connection: BaseDatabaseWrapper, sql: str, values: list[Values]
    ) -> None:
        try:
            _execute(connection, sql, values)
        except (DataError, IntegrityError) as error:
            # One row that the database refuses must not keep the others out.
            if len(values) == 1:
                logger.error("The database refused an event, which is lost: %s", error)
                return
            middle = len(values) // 2
            self._insert(connection, sql, values[:middle])
            self._insert(connection, sql, values[middle:])

    def resolve(self, resolutions: Sequence[Resolution]) -> None:
        connection = connections[config().database]
        quote = connection.ops.quote_name
        sql = (
            f"UPDATE {quote(_table())} SET {quote('outcome')} = %s"  # noqa: S608
            f" WHERE {quote('recorder')} = %s AND {quote('sequence')} BETWEEN %s AND %s"
            f" AND {quote('trace_id')} = %s AND {quote('database')} = %s"
            f" AND {quote('outcome')} = %s"
        )
        values = [
            (
                resolution.outcome, _uuid(connection, resolution.recorder), resolution.first,
                resolution.last, resolution.trace_id, resolution.database, OPEN,
            )
            for resolution in resolutions
        ]  # fmt: skip
        _execute(connection, sql, values)

    def rest(self) -> None:
        connections[config().database].close()


def _table() -> str:
    return apps.get_model("signals_demo", "SignalEvent")._meta.db_table


def _insert(connection: BaseDatabaseWrapper) -> str:
    ops = connection.ops
    names = ", ".join(ops.quote_name(name) for name in Row._fields)
    marks = ", ".join(["%s"] * len(Row._fields))
    insert = ops.insert_statement(on_conflict=OnConflict.IGNORE)
    once = ops.on_conflict_suffix_sql([], OnConflict.IGNORE, [], [])
    return f"{insert} {ops.quote_name(_table())} ({names}) VALUES ({marks}) {once}"


def _uuid(connection: BaseDatabaseWrapper, value: Any) -> Any:
    return value if connection.features.has_native_uuid_field else value.hex


def _adapted(connection: BaseDatabaseWrapper, row: Row) -> Values:
    moment = row.occurred_at
    if not settings.USE_TZ:
        moment = timezone.make_naive(moment, timezone.get_default_timezone())
    duration: Any = row.duration
    if duration is not None and not connection.features.has_native_duration_field:
        duration = duration.days * 86_400_000_000 + duration.seconds * 1_000_000
        duration += row.duration.microseconds  # type: ignore[union-attr]
    return (
        _uuid(connection, row.recorder),
        row.sequence,
        connection.ops.adapt_datetimefield_value(moment),
        *row[3:9],
        duration,
        *row[10:],
    )


def _execute(connection: BaseDatabaseWrapper, sql: str, values: Sequence[Values]) -> None:
    """Run a statement for each tuple of values, all or none of them.

    Straight on the driver's cursor: neither the host's query log nor its wrappers see it.
    """
    try:
        with _transaction(connection), connection.wrap_database_errors:
            connection.ensure_connection()
            with closing(connection.create_cursor()) as cursor:
                cursor.executemany(sql, values)
    except DatabaseError as error:
        if not isinstance(error, (DataError, IntegrityError)) and _is_missing(connection):
            raise NotReady from error
        raise


def _transaction(connection: BaseDatabaseWrapper) -> AbstractContextManager[object]:
    if not connection.in_atomic_block:
        return transaction.atomic(using=connection.alias)
    # Inline, in a transaction of the host's. Where a failing statement would break it, a
    # savepoint of our own; not `atomic`, which would mark the host's block for a rollback.
    return _savepoint(connection) if connection.vendor == "postgresql" else nullcontext()


@contextmanager
def _savepoint(connection: BaseDatabaseWrapper) -> Iterator[None]:
    sid = connection.savepoint()
    try:
        yield
    except DatabaseError:
        connection.savepoint_rollback(sid)
        raise
    finally:
        connection.savepoint_commit(sid)


def _is_missing(connection: BaseDatabaseWrapper) -> bool:
    try:
        return _table() not in connection.introspection.table_names()
    except Error:
        return False
