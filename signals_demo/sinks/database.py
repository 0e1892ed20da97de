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
from django.utils import timezone

from signals_demo.conf import config
from signals_demo.events import Attribution, Resolution, Row
from signals_demo.sinks.base import BaseSink, NotReady
from signals_demo.transactions import OPEN
from signals_demo.turns import turns

logger = logging.getLogger("signals_demo")

Values = tuple[Any, ...]

# What the database or its driver raises for a value, however often it comes.
REFUSALS = (DataError, IntegrityError, ValueError, TypeError, OverflowError)


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

    def _insert(self, connection: BaseDatabaseWrapper, sql: str, values: list[Values]) -> None:
        try:
            _execute(connection, sql, values)
        except REFUSALS as error:
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

    def attribute(self, attributions: Sequence[Attribution]) -> None:
        connection = connections[config().database]
        quote = connection.ops.quote_name
        sql = (
            f"UPDATE {quote(_table())} SET {quote('actor_pk')} = %s, {quote('actor')} = %s"  # noqa: S608
            f" WHERE {quote('recorder')} = %s AND {quote('trace_id')} = %s"
            f" AND {quote('actor')} = ''"
        )
        values = [
            (one.actor_pk, one.actor, _uuid(connection, one.recorder), one.trace_id)
            for one in attributions
        ]
        _execute(connection, sql, values)

    def rest(self) -> None:
        connections[config().database].close()


def _table() -> str:
    return apps.get_model("signals_demo", "SignalEvent")._meta.db_table


def _insert(connection: BaseDatabaseWrapper) -> str:
    quote = connection.ops.quote_name
    names = ", ".join(map(quote, Row._fields))
    marks = ", ".join(["%s"] * len(Row._fields))
    # Not INSERT IGNORE: beside duplicates that swallows rows that the database refuses.
    if connection.vendor == "mysql":
        once = f"ON DUPLICATE KEY UPDATE {quote('sequence')} = {quote('sequence')}"
    else:
        once = f"ON CONFLICT ({quote('recorder')}, {quote('sequence')}) DO NOTHING"
    return f"INSERT INTO {quote(_table())} ({names}) VALUES ({marks}) {once}"


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
        with (
            nullcontext(True) if config().inline else turns.writing(connection) as is_our_turn,
            _transaction(connection, len(values)),
            connection.wrap_database_errors,
        ):
            if not is_our_turn:
                raise NotReady("a transaction of the host's goes on and on")
            connection.ensure_connection()
            with closing(connection.create_cursor()) as cursor:
                cursor.executemany(sql, values)
    except DatabaseError as error:
        if not isinstance(error, (DataError, IntegrityError)) and _is_missing(connection):
            missing = 'their table does not exist yet. Run "manage.py migrate".'
            raise NotReady(missing) from error
        raise


_SAVEPOINT = "signals_demo"


def _transaction(
    connection: BaseDatabaseWrapper, statements: int
) -> AbstractContextManager[object]:
    if connection.in_atomic_block or not connection.get_autocommit():
        # Inline, in a transaction of the host's. Where a failing statement would break it, a
        # savepoint of our own; not `atomic`, which would mark the host's block for a rollback.
        return _savepoint(connection) if connection.vendor == "postgresql" else nullcontext()
    if config().inline and statements < 5:
        return nullcontext()  # a transaction would show in the host's query log
    return transaction.atomic(using=connection.alias)


@contextmanager
def _savepoint(connection: BaseDatabaseWrapper) -> Iterator[None]:
    # On the driver's cursor as well: Django's own would show in the host's query log.
    ops = connection.ops
    with connection.wrap_database_errors, closing(connection.create_cursor()) as cursor:
        cursor.execute(ops.savepoint_create_sql(_SAVEPOINT))
        try:
            yield
        except BaseException:
            cursor.execute(ops.savepoint_rollback_sql(_SAVEPOINT))
            raise
        finally:
            cursor.execute(ops.savepoint_commit_sql(_SAVEPOINT))


def _is_missing(connection: BaseDatabaseWrapper) -> bool:
    try:
        return _table() not in connection.introspection.table_names()
    except Error:
        return False
