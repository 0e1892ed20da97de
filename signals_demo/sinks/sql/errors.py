"""What an error of the database means: locked, or no table. `division` finds out the rest."""

from django.db import DatabaseError, DataError, IntegrityError

from signals_demo.sinks.base import NotReady

# What the database or its driver raises for a value; of other errors it is not certain.
REFUSALS = (DataError, IntegrityError, ValueError, TypeError, OverflowError)

# PostgreSQL's code, and MariaDB's.
_NO_TABLE, _NO_SUCH_TABLE = "42P01", (1146,)
_SQLITE_BUSY, _SQLITE_LOCKED = 5, 6


class MissingTable(NotReady):
    """A table does not exist yet, as far as the error says."""


def is_missing_table(error: DatabaseError) -> bool:
    """Return whether a table is missing, by the error alone: by now it may be there."""
    return _has_code(error, _NO_TABLE, _NO_SUCH_TABLE) or "no such table" in str(error)


def is_locked(error: DatabaseError) -> bool:
    """Return whether another connection holds the lock of a SQLite database."""
    code = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF  # the rest says why
    return code in (_SQLITE_BUSY, _SQLITE_LOCKED)


def _has_code(error: Exception, state: str, number: tuple[int]) -> bool:
    cause = error.__cause__
    # Psycopg 2 has another name for it.
    found = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return found == state or getattr(cause, "args", ())[:1] == number
