"""Follows each transaction down to its savepoints, without a query or an `on_commit` hook.

Django does not report that a transaction was rolled back. So the methods of the connection that
`atomic`, `commit()` and `rollback()` all call in the end are wrapped. So is what runs SQL: the
project may write BEGIN and ROLLBACK itself, and Django writes SAVEPOINT.
"""

from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from signals_demo.catalog.outcomes import COMMITTED, OPEN, ROLLED_BACK
from signals_demo.faults import fault
from signals_demo.tracing import levels, statements
from signals_demo.tracing.patches import Function, Patch

_IDLE, _IN_ERROR = 0, 3  # what libpq calls them
_DEADLOCK = 1213


def _has_ended_unseen(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a driver's transaction is over, though we saw nothing end it."""
    driver: Any = connection.connection
    if connection.vendor == "sqlite":  # in this mode only BEGIN makes one
        return driver.isolation_level is None and not driver.in_transaction
    # psycopg begins one with its first statement.
    has_begun = connection.vendor == "postgresql" and levels.RAN in connection.__dict__
    return has_begun and driver.info.transaction_status == _IDLE


def _ending(connection: BaseDatabaseWrapper, outcome: str) -> str:
    """Return what the end of a transaction means for what was done in it."""
    if connection.connection is None or not levels.has_outcomes(connection):
        return outcome
    if _has_ended_unseen(connection):
        return OPEN
    if connection.vendor == "postgresql" and outcome == COMMITTED:
        driver: Any = connection.connection
        # PostgreSQL rolls back where a statement has failed, and reports no error.
        return ROLLED_BACK if driver.info.transaction_status == _IN_ERROR else COMMITTED
    return outcome


def _text_of(connection: BaseDatabaseWrapper, sql: object) -> str:
    if issubclass(type(sql), str):
        return str.__str__(sql)
    if type(sql) is bytes:
        return sql.decode("utf-8", "replace")
    as_string = getattr(sql, "as_string", None)  # of psycopg
    return str(as_string(connection.connection)) if as_string else ""


def _after_statement(connection: BaseDatabaseWrapper, sql: object) -> None:
    try:
        for effect in statements.effects(_text_of(connection, sql), connection.vendor):
            levels.EFFECTS[effect.kind](connection, effect.name)
    except Exception:  # noqa: BLE001 - the project must not notice; `fault` logs
        fault("a statement")


def _after_failure(connection: BaseDatabaseWrapper, sql: object, error: Exception) -> None:
    """Note what a statement that failed has done to its transaction all the same."""
    if not levels.has_outcomes(connection) or connection.connection is None:
        return
    try:
        is_mysql = connection.vendor == "mysql"
        if is_mysql:
            is_over = error.args[:1] == (_DEADLOCK,)
        else:
            is_over = connection.vendor == "sqlite" and _has_ended_unseen(connection)
        if is_over:
            levels.end(connection, ROLLED_BACK)
        elif is_mysql:
            kinds = [each.kind for each in statements.effects(_text_of(connection, sql), "mysql")]
            if statements.IMPLICIT_COMMIT in kinds:  # it may have failed before or after that
                levels.lose(connection)
    except Exception:  # noqa: BLE001 - as above
        fault("a statement")


def _wrap_execute(original: Function) -> Function:
    usual = statements.USUAL

    def _execute(self: CursorWrapper, sql: Any, *args: Any) -> Any:
        try:
            result = original(self, sql, *args)
        except Exception as error:
            _after_failure(self.db, sql, error)
            raise
        self.db.__dict__[levels.RAN] = True
        if type(sql) is not str or sql[:6] not in usual or ";" in sql:
            _after_statement(self.db, sql)
        return result

    return _execute


def _wrap_end(outcome: str) -> Callable[[Function], Function]:
    def wrap(original: Function) -> Function:
        def method(self: BaseDatabaseWrapper, *args: Any, **kwargs: Any) -> Any:
            ending = _ending(self, outcome)
            result = original(self, *args, **kwargs)
            levels.end(self, ending)
            return result

        return method

    return wrap


def _wrap_set_autocommit(original: Function) -> Function:
    def method(self: BaseDatabaseWrapper, autocommit: bool, *args: Any, **kwargs: Any) -> Any:
        if not autocommit:
            self.__dict__.pop(levels.RAN, None)
            levels.call(levels.on_begin, self)
        try:
            result = original(self, autocommit, *args, **kwargs)
        except BaseException:
            levels.call(levels.on_end, self)
            raise
        if autocommit:
            self.__dict__.pop(levels.ALWAYS_OPEN, None)
            levels.call(levels.on_end, self)
            # Where the driver allows this inside a transaction, it commits that one.
            if levels.levels_of(self):
                levels.end(self, COMMITTED)
        return result

    return method


def _wrap_close(original: Function) -> Function:
    def method(self: BaseDatabaseWrapper, *args: Any, **kwargs: Any) -> Any:
        try:
            return original(self, *args, **kwargs)
        finally:
            # Also where closing failed, unless Django refused it, in another thread.
            if self.connection is None or self.closed_in_transaction:
                levels.end(self, ROLLED_BACK)

    return method


def _wrap_connect(original: Function) -> Function:
    def method(self: BaseDatabaseWrapper, *args: Any, **kwargs: Any) -> Any:
        levels.forget_session(self)
        levels.end(self, ROLLED_BACK)  # what was lost with the connection before
        return original(self, *args, **kwargs)

    return method


_WRAPPERS: dict[str, Callable[[Function], Function]] = {
    "commit": _wrap_end(COMMITTED),
    "rollback": _wrap_end(ROLLED_BACK),
    "set_autocommit": _wrap_set_autocommit,
    "close": _wrap_close,
    "connect": _wrap_connect,
}
_patches = [
    *(Patch(BaseDatabaseWrapper, name, wrap) for name, wrap in _WRAPPERS.items()),
    Patch(CursorWrapper, "_execute", _wrap_execute, may_stay=True),
]

_has_gap = False


def install() -> None:
    """Begin to watch transactions. Calling it again changes nothing."""
    global _has_gap
    if _has_gap:
        _has_gap = False
        levels.forget_all()
    for patch in _patches:
        patch.install()


def uninstall() -> None:
    """Stop watching transactions."""
    for patch in _patches:
        patch.uninstall()


def note_gap() -> None:
    """Note that nobody watches for a while, so that what is open now may end unseen."""
    global _has_gap
    _has_gap = True
