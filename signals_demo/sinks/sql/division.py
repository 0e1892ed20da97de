"""Sends what the database takes, and finds what it refuses, whatever the code of the error.

A trigger, a charset, a partition or a policy may refuse a row with any code, also with one that
means an outage elsewhere. So the database is asked: if it takes another row right after an error,
the error is about these rows. They are sent in halves until the ones that it is about are found.
"""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from django.db import DatabaseError

from signals_demo.sinks.sql.errors import REFUSALS, MissingTable

T = TypeVar("T")

ERRORS = (*REFUSALS, DatabaseError, MissingTable)
"""What the database raises, for whatever reason."""


class Division(Generic[T]):
    """How items are sent that the database does not take together."""

    def __init__(
        self,
        send: Callable[[Sequence[T]], None],
        *others: Callable[[T], bool],
        takes_rows: Callable[[], bool] | None,
    ) -> None:
        """`send` sends items in a transaction; `others` are other ways to send one, if there are.

        `takes_rows` asks the database. Without it, on a connection of the project's, the kind of
        the error has to say whether it is about a row.
        """
        self._send = send
        self._others = others
        self._takes_rows = takes_rows
        self._has_taken = False

    def send(self, items: Sequence[T]) -> list[tuple[T, Exception]]:
        """Send items, and return those that are refused. Raises the error of an outage."""
        error = self._error_of(items)
        if error is None:
            return []
        if self._takes_rows is not None:
            if self._is_outage(error):
                raise error
            # It may have been for a moment: a deadlock, a restart.
            if not isinstance(error, REFUSALS) and (error := self._error_of(items)) is None:
                return []
        if len(items) > 1:
            middle = len(items) // 2
            return [*self.send(items[:middle]), *self.send(items[middle:])]
        (item,) = items
        if any(self._is_taken(other, item) for other in self._others):
            return []
        if self._is_outage(error):
            raise error
        return [(item, error)]

    def _error_of(self, items: Sequence[T]) -> Exception | None:
        try:
            self._send(items)
        except ERRORS as error:
            return error
        self._has_taken = True
        return None

    def _is_taken(self, other: Callable[[T], bool], item: T) -> bool:
        try:
            return other(item)
        except ERRORS:
            return False

    def _is_outage(self, error: Exception) -> bool:
        is_about_values = isinstance(error, REFUSALS)
        if self._takes_rows is None:
            return not is_about_values
        if not (is_about_values and self._has_taken):
            self._has_taken = self._takes_rows()
        return not self._has_taken
