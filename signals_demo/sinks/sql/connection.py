"""Opens the recorder's own connection, and transactions that the project's log does not show."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import partial

from django.db import DatabaseError, OperationalError
from django.db import transaction as django_transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from signals_demo.conf import config
from signals_demo.sinks.base import Busy, NotReady, Session
from signals_demo.sinks.sql.errors import REFUSALS, MissingTable, is_locked, is_missing_table
from signals_demo.tracing.test_runs import has_test_database

_OPENED = "_signals_demo_opened"
_SAVEPOINT = "signals_demo"


@contextmanager
def transaction(
    session: Session, connection: BaseDatabaseWrapper, statements: int
) -> Iterator[None]:
    """Open a transaction for so many statements that go straight to the driver's cursor.

    Neither the project's query log nor its wrappers see them. Raises what Django would, and
    `NotReady` if the table does not exist yet or another transaction holds the lock.
    """
    if not has_test_database(connection.alias):
        raise NotReady("this test run has made no test database of it")
    try:
        with nullcontext() if session.is_callers else session.lock(connection):
            if not session.is_callers:
                _open(connection)
            with _block(session, connection, statements), connection.wrap_database_errors:
                connection.ensure_connection()
                yield
        if connection.settings_dict["OPTIONS"].get("pool") and not session.is_callers:
            connection.close()  # back to the pool: the project may be waiting for it
    except DatabaseError as error:
        if is_missing_table(error):
            missing = 'their table does not exist yet. Run "manage.py migrate".'
            raise MissingTable(missing) from error
        if is_locked(error):
            raise Busy(str(error)) from error
        raise


def _open(connection: BaseDatabaseWrapper) -> None:
    """Open the worker's own connection, also where a test prevents it."""
    name = connection.settings_dict["NAME"]
    if connection.connection is not None and connection.__dict__.get(_OPENED, name) != name:
        # A test runner has put a test database in the place of the other. Not by the wrapper's
        # close(), which leaves databases in memory open.
        connection.connection.close()
        connection.connection = None
    if connection.connection is None:
        try:
            with _without_age(connection), connection.wrap_database_errors:
                connection.connect()
        except REFUSALS as error:  # of no row: a test of the project's may have replaced anything
            raise OperationalError(f"{type(error).__name__} while connecting: {error}") from error
        connection.__dict__[_OPENED] = name
        if config().record_tests:
            # A test that forbids a database replaces it, for this thread as well.
            connection.__dict__["ensure_connection"] = partial(_ensure, connection)
            _use_no_clock(connection)
        if connection.vendor == "sqlite":
            # It refuses at once a transaction that reads and then writes while another one
            # writes. One that says so at its beginning waits.
            connection.__dict__["transaction_mode"] = "IMMEDIATE"


def _ensure(connection: BaseDatabaseWrapper) -> None:
    if connection.connection is None:
        _open(connection)


@contextmanager
def _without_age(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Connect without a look at the clock, which may be a test's: we close it when it is idle."""
    settings = connection.settings_dict
    if not settings["OPTIONS"].get("pool"):  # with one, Django allows only CONN_MAX_AGE = 0
        connection.settings_dict = {**settings, "CONN_MAX_AGE": None}
    try:
        yield
    finally:
        connection.settings_dict = settings


def _use_no_clock(connection: BaseDatabaseWrapper) -> None:
    """Begin and end transactions without Django's look at the clock, to log how long they took."""
    for ending in ("commit", "rollback"):
        connection.__dict__[f"_{ending}"] = partial(_end, connection, ending)
    if connection.vendor != "sqlite":  # where Django has this, it is the statement that begins one
        begin = partial(connection._set_autocommit, False)  # type: ignore[attr-defined]
        connection.__dict__["_start_transaction_under_autocommit"] = begin


def _end(connection: BaseDatabaseWrapper, ending: str) -> None:
    if connection.connection is not None:
        with connection.wrap_database_errors:
            getattr(connection.connection, ending)()


def _block(
    session: Session, connection: BaseDatabaseWrapper, statements: int
) -> AbstractContextManager[object]:
    if connection.in_atomic_block or not connection.get_autocommit():
        # Inline, in a transaction of the project's. Where a failing statement would break it, a
        # savepoint of our own; not `atomic`, which would mark the project's for a rollback.
        return _savepoint(connection) if connection.vendor == "postgresql" else nullcontext()
    if session.is_callers and statements < 5:
        return nullcontext()  # a transaction would show in the project's query log
    return django_transaction.atomic(using=connection.alias)


@contextmanager
def _savepoint(connection: BaseDatabaseWrapper) -> Iterator[None]:
    # On the driver's cursor as well: Django's own would show in the project's query log.
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
