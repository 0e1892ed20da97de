"""Opens the recorder's own connection, and transactions that the project's log does not show."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext

from django.db import DatabaseError, OperationalError
from django.db import transaction as django_transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from signals_demo.conf import config
from signals_demo.sinks.base import Busy, NotReady, Session
from signals_demo.sinks.sql.errors import REFUSALS, is_locked, is_missing_table

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
    try:
        with nullcontext() if config().inline else session.lock(connection):
            _open(connection)
            with _block(connection, statements), connection.wrap_database_errors:
                connection.ensure_connection()
                yield
        if connection.settings_dict["OPTIONS"].get("pool") and not config().inline:
            connection.close()  # back to the pool: the project may be waiting for it
    except DatabaseError as error:
        if is_missing_table(error):
            missing = 'their table does not exist yet. Run "manage.py migrate".'
            raise NotReady(missing) from error
        if is_locked(error):
            raise Busy(str(error)) from error
        raise


def _open(connection: BaseDatabaseWrapper) -> None:
    """Open the worker's own connection, also where a test prevents it."""
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
        except REFUSALS as error:  # of no row: a test of the project's may have replaced anything
            raise OperationalError(f"{type(error).__name__} while connecting: {error}") from error
        connection.__dict__[_OPENED] = name
        if connection.vendor == "sqlite":
            # It refuses at once a transaction that reads and then writes while another one
            # writes. One that says so at its beginning waits.
            connection.__dict__["transaction_mode"] = "IMMEDIATE"


def _block(connection: BaseDatabaseWrapper, statements: int) -> AbstractContextManager[object]:
    if connection.in_atomic_block or not connection.get_autocommit():
        # Inline, in a transaction of the project's. Where a failing statement would break it, a
        # savepoint of our own; not `atomic`, which would mark the project's for a rollback.
        return _savepoint(connection) if connection.vendor == "postgresql" else nullcontext()
    if config().inline and statements < 5:
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
