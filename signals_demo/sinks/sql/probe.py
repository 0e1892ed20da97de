"""Asks a database whether it takes rows: by some, which are rolled back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from uuid import uuid4

from django.db.backends.base.base import BaseDatabaseWrapper

from signals_demo.clock import clock
from signals_demo.events import Row
from signals_demo.sinks.base import Session
from signals_demo.sinks.sql.division import ERRORS
from signals_demo.sinks.sql.insert import insert

KINDS = 10  # kinds of rows that are tried
BUDGET = 1.0  # seconds after which no other kind is tried: each may wait for a lock

_NEVER_WAITS = Session()


class Probe:
    """Knows what a row looks like that the database takes."""

    def __init__(self) -> None:
        self._taken: Row | None = None

    def note(self, row: Row) -> None:
        """Note a row that the database has taken."""
        self._taken = row

    def takes_rows(
        self,
        connection: BaseDatabaseWrapper,
        new_transaction: Callable[[], AbstractContextManager[None]],
        rows: Sequence[Row],
    ) -> bool:
        """Return whether the database takes any row: the last that it took, or one of `rows`."""
        end = clock.monotonic() + BUDGET
        for row in self._candidates(rows):
            with suppress(*ERRORS):
                if connection.connection is not None and not connection.is_usable():
                    connection.close()
                with new_transaction():
                    insert(connection, [row], _NEVER_WAITS)
                    connection.set_rollback(True)
                return True
            if connection.connection is None or clock.monotonic() > end:
                break
        return False

    def _candidates(self, rows: Sequence[Row]) -> Iterator[Row]:
        # What triggers, constraints and policies look at depends on the kind of a row.
        kinds = {(row.signal, row.sender, row.origin): row for row in rows}
        for row in (self._taken, _plain_row(), *list(kinds.values())[:KINDS]):
            if row is not None:
                yield row._replace(recorder=uuid4(), sequence=0)


def _plain_row() -> Row:
    return Row(
        uuid4(), 0, datetime.now(UTC), "request_started", "", "0" * 32, "", 0, 0, 1, None,
        "process", "", "", "", "", "", "", "", "", "{}", "{}", "", "",
    )  # fmt: skip
