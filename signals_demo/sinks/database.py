"""Stores events as rows of `SignalEvent`, by prepared inserts."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import lru_cache, partial
from itertools import chain
from time import monotonic
from typing import Any
from uuid import UUID

from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    OperationalError,
    connections,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper

from signals_demo.conf import config
from signals_demo.delivery.sqlite_lock import turns
from signals_demo.delivery.throttle import pace
from signals_demo.events import Attribution, Resolution, Row
from signals_demo.faults import faults, note_fault
from signals_demo.rollups import hours, traces
from signals_demo.rollups.traces import Key
from signals_demo.sinks.base import BaseSink, NotReady
from signals_demo.sinks.sql.adaptation import duration_of, moments, uuid_of
from signals_demo.tracing.transactions import OPEN, ROLLED_BACK

logger = logging.getLogger("signals_demo")

ROWS_AT_ONCE = 100  # 2,300 values: any SQLite takes them in one statement

# Inline, of traces:
TRACES_AT_ONCE = 100
GAP = 1.0  # seconds
LAST = frozenset({"request_finished", "task_finished"})  # of a request and a task

Values = tuple[Any, ...]

# What the database or its driver raises for a value, however often it comes.
REFUSALS = (DataError, IntegrityError, ValueError, TypeError, OverflowError)


class DatabaseSink(BaseSink):
    """Store rows in the database of the `DATABASE` setting, on this thread's connection."""

    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        super().__init__(alias, options)
        if options:
            raise TypeError("the database sink takes no options; its alias is DATABASE")
        self._not_summed_up: set[Key] = set()
        self._next_sum = 0.0
        self._hours = hours.HourlySums()

    def store(self, rows: Sequence[Row]) -> None:
        connection = connections[config().database]
        if connection.in_atomic_block and connection.needs_rollback:
            return  # inline, in a transaction that cannot commit: no row is what it should leave
        was_open = connection.connection is not None
        if not (_can_copy(connection) and self._copied(connection, rows)):
            self._insert(connection, rows)
        if not config().inline:
            self._sum_up_hours(connection)
        elif not connection.in_atomic_block:
            self._sum_up_inline(connection, rows)
            if not was_open:
                # Django has closed the connection at the end of the request: leave it so.
                connection.close()

    def _sum_up_hours(self, connection: BaseDatabaseWrapper) -> None:
        try:
            self._hours.go_on(connection, partial(_our_turn, connection, 1))
        except Exception:  # noqa: BLE001 - what is stored is stored
            note_fault("An hourly sum")

    def _copied(self, connection: BaseDatabaseWrapper, rows: Sequence[Row]) -> bool:
        """Store rows by COPY, a fifth of the time of an INSERT, and return whether that worked."""
        try:
            parts = traces.of(rows)
            with _our_turn(connection, len(rows)):
                _copy(connection, rows)
                traces.add(connection, parts)
                pace.give_way()
        except (*REFUSALS, DatabaseError) as error:
            if not _is_refusal(error):
                raise
            return False  # some are there already, or one is refused: INSERT finds out which
        return True

    def _insert(self, connection: BaseDatabaseWrapper, rows: Sequence[Row]) -> None:
        try:
            # Not in the transaction: SQLite would have the host wait for what waits for the host.
            parts = [] if config().inline else traces.of(rows)
            with _our_turn(connection, len(rows)):
                again = not config().inline and _some_are_there(connection, rows)
                _insert_all(connection, rows)
                if again:
                    traces.count_anew(connection, traces.keys_of(rows))
                elif parts:
                    traces.add(connection, parts)
        except (*REFUSALS, DatabaseError) as error:
            if not _is_refusal(error):
                raise
            # One row that the database refuses must not keep the others out.
            if len(rows) == 1:
                faults["An event that the database refused"] += 1
                logger.error("The database refused an event, which is lost: %s", error)
                return
            middle = len(rows) // 2
            self._insert(connection, rows[:middle])
            self._insert(connection, rows[middle:])

    def resolve(self, resolutions: Sequence[Resolution]) -> None:
        connection = connections[config().database]
        where = (
            "{recorder} = %s AND {sequence} BETWEEN %s AND %s AND {trace_id} = %s"
            " AND {database} = %s AND {outcome} = %s"
        )
        with _updating(connection, ["outcome"], where) as update:
            for one in resolutions:
                changed = update(
                    one.outcome,
                    one.recorder,
                    one.first,
                    one.last,
                    one.trace_id,
                    one.database,
                    OPEN,
                )
                if changed and one.outcome == ROLLED_BACK:
                    traces.roll_back(connection, (one.recorder, one.trace_id), changed)

    def attribute(self, attributions: Sequence[Attribution]) -> None:
        connection = connections[config().database]
        where = "{recorder} = %s AND {trace_id} = %s AND {actor} = %s"
        with _updating(connection, ["actor_pk", "actor"], where) as update:
            for one in attributions:
                update(one.actor_pk, one.actor, one.recorder, one.trace_id, "")
                traces.attribute(connection, (one.recorder, one.trace_id), one.actor_pk, one.actor)

    def finish(self) -> None:
        if self._not_summed_up:
            connection = connections[config().database]
            self._sum_up(connection)

    def rest(self) -> None:
        connections[config().database].close()

    # Inline, traces are summed up when one is over, and not more often than once a second, as the
    # host waits. Not before: a row that each of its transactions changed would have them wait for
    # one another.

    def _sum_up_inline(self, connection: BaseDatabaseWrapper, rows: Sequence[Row]) -> None:
        self._not_summed_up |= traces.keys_of(rows)
        is_due = monotonic() >= self._next_sum and any(row.signal in LAST for row in rows)
        if is_due or len(self._not_summed_up) >= TRACES_AT_ONCE:
            self._next_sum = monotonic() + GAP
            self._sum_up(connection)

    def _sum_up(self, connection: BaseDatabaseWrapper) -> None:
        keys, self._not_summed_up = self._not_summed_up, set()
        with _our_turn(connection, 1):
            traces.count_anew(connection, keys)


_OPENED = "_signals_demo_opened"


def _open(connection: BaseDatabaseWrapper) -> None:
    """Open the writer's own connection, also where a test stands in its way."""
    if config().inline:
        return
    name = connection.settings_dict["NAME"]
    if connection.connection is not None and connection.__dict__.get(_OPENED, name) != name:
        # A test runner has put a test database in the place of the other. Not by the wrapper's
        # close(), which leaves databases in memory open.
        connection.connection.close()
        connection.connection = None
    if connection.connection is None:
        # A test that forbids a database replaces ensure_connection(), for this thread as well.
        try:
            with connection.wrap_database_errors:
                connection.connect()
        except REFUSALS as error:  # of no row: a host's test may have put anything in its way
            raise OperationalError(f"{type(error).__name__} while connecting: {error}") from error
        connection.__dict__[_OPENED] = name


def _table() -> str:
    return str(traces.model("signalevent")._meta.db_table)


@contextmanager
def _updating(
    connection: BaseDatabaseWrapper, fields: Sequence[str], where: str
) -> Iterator[Callable[..., int]]:
    """Return what runs an UPDATE and says how many rows it changed.

    It takes the new values, then those that tell which rows.
    """
    quote = connection.ops.quote_name
    assigned = ", ".join(f"{quote(name)} = %s" for name in fields)
    condition = where.format_map({name: quote(name) for name in Row._fields})
    sql = f"UPDATE {quote(_table())} SET {assigned} WHERE {condition}"  # noqa: S608
    # Asking what the database can do may take a connection: so only once it is open.
    with _our_turn(connection, 1), closing(connection.create_cursor()) as cursor:

        def update(*values: Any) -> int:
            cursor.execute(
                sql,
                [uuid_of(connection, item) if type(item) is UUID else item for item in values],
            )
            return int(cursor.rowcount)

        yield update


def _some_are_there(connection: BaseDatabaseWrapper, rows: Sequence[Row]) -> bool:
    """Return whether rows may have been stored before: some of their numbers are taken."""
    recorders = {row.recorder for row in rows}
    if len(recorders) > 1:
        return True
    quote = connection.ops.quote_name
    numbers = [row.sequence for row in rows]
    sql = (
        f"SELECT 1 FROM {quote(_table())}"  # noqa: S608
        f" WHERE {quote('recorder')} = %s AND {quote('sequence')} BETWEEN %s AND %s LIMIT 1"
    )
    with closing(connection.create_cursor()) as cursor:
        cursor.execute(sql, [uuid_of(connection, *recorders), min(numbers), max(numbers)])
        return cursor.fetchone() is not None


def _insert_all(connection: BaseDatabaseWrapper, rows: Sequence[Row]) -> None:
    adapt = _adapter(connection)
    sql = partial(_insert_sql, _table(), connection.vendor, connection.ops.quote_name)
    if connection.vendor != "sqlite":
        with closing(connection.create_cursor()) as cursor:
            for some in pace.portions(rows):
                cursor.executemany(sql(1), list(map(adapt, some)))
        return
    # SQLite's driver takes the interpreter's lock back after each statement, and a busy host makes
    # it wait for that: so few statements. Not on Django's cursor, which rewrites each of them.
    with closing(connection.connection.cursor()) as cursor:
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            cursor.execute(sql(len(some)), tuple(chain.from_iterable(map(adapt, some))))


@lru_cache(maxsize=ROWS_AT_ONCE)
def _insert_sql(table: str, vendor: str, quote: Callable[[str], str], rows: int) -> str:
    names = ", ".join(map(quote, Row._fields))
    marks = ", ".join(["?" if vendor == "sqlite" else "%s"] * len(Row._fields))
    # Not INSERT IGNORE: beside duplicates that swallows rows that the database refuses.
    if vendor == "mysql":
        once = f"ON DUPLICATE KEY UPDATE {quote('sequence')} = {quote('sequence')}"
    else:
        once = f"ON CONFLICT ({quote('recorder')}, {quote('sequence')}) DO NOTHING"
    values = ", ".join([f"({marks})"] * rows)
    return f"INSERT INTO {quote(table)} ({names}) VALUES {values} {once}"  # noqa: S608


def _can_copy(connection: BaseDatabaseWrapper) -> bool:
    """Return whether rows can be sent by COPY: with psycopg 3, outside the host's transactions."""
    if connection.vendor != "postgresql" or config().inline:
        return False
    return bool(_driver(connection).__name__ == "psycopg")


def _driver(connection: Any) -> Any:
    """Return the driver's module. Imported here it would be loaded where another is in use."""
    return connection.Database


def _copy(connection: BaseDatabaseWrapper, rows: Sequence[Row]) -> None:
    quote = connection.ops.quote_name
    names = ", ".join(map(quote, Row._fields))
    # Not Django's cursor, which puts values into the text of a statement.
    with _driver(connection).Cursor(connection.connection) as cursor:
        for some in pace.portions(rows):
            with cursor.copy(f"COPY {quote(_table())} ({names}) FROM STDIN") as copy:
                for row in pace.steps(some):
                    copy.write_row(row)


def _adapter(connection: BaseDatabaseWrapper) -> Callable[[Row], Values]:
    """Return what makes a row's values ready for the driver."""
    known: UUID | None = None
    recorder: UUID | str = ""
    moment = moments(connection)
    counts = not connection.features.has_native_duration_field

    def adapt(row: Row) -> Values:
        nonlocal known, recorder
        if row.recorder is not known:  # nearly always one object; hashing it takes long
            recorder, known = uuid_of(connection, row.recorder), row.recorder
        duration = duration_of(connection, row.duration) if counts else row.duration
        return (
            recorder, row.sequence, moment(row.occurred_at), *row[3:9], duration, *row[10:]
        )  # fmt: skip

    return adapt


@contextmanager
def _our_turn(connection: BaseDatabaseWrapper, statements: int) -> Iterator[None]:
    """Open a transaction for statements that go straight to the driver's cursor.

    Neither the host's query log nor its wrappers see them. Raises what Django would, and
    `NotReady` if the table does not exist yet or the host's transaction does not end.
    """
    try:
        with nullcontext(True) if config().inline else turns.writing(connection) as is_our_turn:
            if not is_our_turn:
                raise NotReady("a transaction of the host's goes on and on")
            _open(connection)
            with _transaction(connection, statements), connection.wrap_database_errors:
                connection.ensure_connection()
                yield
        if connection.settings_dict["OPTIONS"].get("pool") and not config().inline:
            connection.close()  # back to the pool: the host may be waiting for it
    except DatabaseError as error:
        if _is_missing_table(error):
            missing = 'their table does not exist yet. Run "manage.py migrate".'
            raise NotReady(missing) from error
        raise


# PostgreSQL's codes, and MariaDB's. RAISE and SIGNAL are what triggers use.
_RAISE, _SIGNAL = "P0001", (1644,)
_NO_TABLE, _NO_SUCH_TABLE = "42P01", (1146,)


def _is_missing_table(error: DatabaseError) -> bool:
    """Return whether it is for want of a table, told by the error: by now it may be there."""
    return _has_code(error, _NO_TABLE, _NO_SUCH_TABLE) or "no such table" in str(error)


def _has_code(error: Exception, state: str, number: tuple[int]) -> bool:
    cause = error.__cause__
    # Psycopg 2 has another name for it.
    found = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return found == state or getattr(cause, "args", ())[:1] == number


def _is_refusal(error: Exception) -> bool:
    """Return whether it is for the row: its value, a constraint, or a trigger that raises."""
    return isinstance(error, REFUSALS) or _has_code(error, _RAISE, _SIGNAL)


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
