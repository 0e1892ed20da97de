"""Keeps the worker off a database that Django's test tools create, clone, flush or destroy.

PostgreSQL refuses that while another connection is open, and SQLite while one has a lock.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.db.backends.base.creation import BaseDatabaseCreation
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.backends.utils import CursorWrapper

from signals_demo.conf import config
from signals_demo.delivery.sqlite_lock import sqlite_lock
from signals_demo.delivery.writer import writer
from signals_demo.exits import at_end
from signals_demo.tracing import test_runs
from signals_demo.tracing.patches import Function, Patch

LAST_FLUSH = 5.0  # seconds that the end of a test database waits for its last events


def rest() -> None:
    """Use no database, and have no connection, until `end_rest()`."""
    writer.pipeline.rests += 1
    if writer.worker.stop(timeout=10.0):
        writer.pipeline.is_stopping = False


def end_rest() -> None:
    """Use the database again."""
    writer.pipeline.rests -= 1
    if not writer.pipeline.rests and writer.pipeline.has_work:
        writer.worker.wake()


@contextmanager
def _resting(*, is_end: bool = False) -> Iterator[None]:
    if is_end and test_runs.has_test_database(config().database):
        writer.flush(LAST_FLUSH)
    rest()
    try:
        yield
    finally:
        test_runs.note_end(config().database, is_end=is_end)
        end_rest()


def _wrap(original: Function, *, is_end: bool = False) -> Function:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.connection.alias != config().database:
            return original(self, *args, **kwargs)
        is_clone = kwargs.get("suffix") is not None
        with _resting(is_end=is_end and not is_clone):
            return original(self, *args, **kwargs)

    return method


def _wrap_statement(original: Function) -> Function:
    """Keep a statement in autocommit mode apart from the worker, in a database in memory.

    There SQLite refuses at once what meets another connection's transaction.
    """

    def method(self: CursorWrapper, *args: Any, **kwargs: Any) -> Any:
        connection: Any = self.db
        if connection.vendor != "sqlite" or not connection.is_in_memory_db():
            return original(self, *args, **kwargs)
        with sqlite_lock.statement(connection):
            return original(self, *args, **kwargs)

    return method


_wrappers: list[tuple[type, str, Callable[[Function], Function]]] = [
    (BaseDatabaseCreation, "create_test_db", _wrap),
    (BaseDatabaseCreation, "clone_test_db", _wrap),
    (BaseDatabaseCreation, "destroy_test_db", partial(_wrap, is_end=True)),
    (BaseDatabaseOperations, "execute_sql_flush", _wrap),
    (CursorWrapper, "_execute", _wrap_statement),
    (CursorWrapper, "_executemany", _wrap_statement),
]
_patches = [Patch(*wrapper) for wrapper in _wrappers]


def install() -> None:
    """Keep off, if this records tests. Calling it again changes nothing."""
    if config().record_tests:
        for patch in _patches:
            patch.install()


def uninstall() -> None:
    """Keep off no longer."""
    for patch in _patches:
        patch.uninstall()


@at_end
def _forget() -> None:
    """Store nothing any more in a test run that has no test database: there is only the real."""
    if not test_runs.has_test_database(config().database):
        test_runs.note_end(config().database, is_end=True)
