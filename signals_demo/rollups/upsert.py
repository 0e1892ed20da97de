"""Inserts rows, or changes those that are there already, in one statement for many."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from signals_demo.rollups.tables import table

AT_ONCE = 50  # rows in a statement; with about 14 values each any SQLite takes them


@dataclass(frozen=True)
class Upsert:
    """An upsert of rows with these fields, identified by `key`.

    `changed` returns the SQL that each field is set to in a row that is there, made with
    `old_and_new`.
    """

    model: str
    """Its name in lower case."""
    fields: Sequence[str]
    key: Sequence[str]
    changed: Callable[["Upsert", BaseDatabaseWrapper], Mapping[str, str]]
    _sqls: dict[tuple[str, int], str] = field(default_factory=dict)

    def write(self, connection: BaseDatabaseWrapper, rows: Sequence[Sequence[Any]]) -> None:
        """Write rows whose values the driver takes; no two of them with the same key."""
        with closing(connection.create_cursor()) as cursor:
            for start in range(0, len(rows), AT_ONCE):
                some = rows[start : start + AT_ONCE]
                cursor.execute(self._sql(connection, len(some)), tuple(chain.from_iterable(some)))

    def old_and_new(self, connection: BaseDatabaseWrapper, name: str) -> tuple[str, str]:
        """Return the SQL for the stored value of a field, and for its new one."""
        quote = connection.ops.quote_name
        new = "VALUES({})" if connection.vendor == "mysql" else "EXCLUDED.{}"
        return f"{quote(table(self.model))}.{quote(name)}", new.format(quote(name))

    def _sql(self, connection: BaseDatabaseWrapper, rows: int) -> str:
        key = connection.vendor, rows
        known = self._sqls.get(key)
        if known is None:
            known = self._sqls[key] = self._made(connection, rows)
        return known

    def _made(self, connection: BaseDatabaseWrapper, rows: int) -> str:
        quote = connection.ops.quote_name
        names = ", ".join(map(quote, self.fields))
        marks = ", ".join(["(" + ", ".join(["%s"] * len(self.fields)) + ")"] * rows)
        if connection.vendor == "mysql":
            known = "ON DUPLICATE KEY UPDATE"
        else:
            known = f"ON CONFLICT ({', '.join(map(quote, self.key))}) DO UPDATE SET"
        changed = self.changed(self, connection).items()
        update = ", ".join(f"{quote(name)} = {value}" for name, value in changed)
        return f"INSERT INTO {quote(table(self.model))} ({names}) VALUES {marks} {known} {update}"  # noqa: S608


def greatest(connection: BaseDatabaseWrapper) -> str:
    """Return the function that gives the greatest of its arguments."""
    return "MAX" if connection.vendor == "sqlite" else "GREATEST"


def least(connection: BaseDatabaseWrapper) -> str:
    """Return the function that gives the least of its arguments."""
    return "MIN" if connection.vendor == "sqlite" else "LEAST"
