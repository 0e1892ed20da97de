"""Stores rows of `SignalEvent` with the sums of their traces, all that the database takes."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from signals_demo.conf import config
from signals_demo.events import Row
from signals_demo.rollups import traces
from signals_demo.sinks.base import Session
from signals_demo.sinks.sql.connection import transaction
from signals_demo.sinks.sql.copy import can_copy, copy
from signals_demo.sinks.sql.division import ERRORS, Division
from signals_demo.sinks.sql.insert import any_stored, insert
from signals_demo.sinks.sql.plain import in_ascii
from signals_demo.sinks.sql.probe import Probe

logger = logging.getLogger("signals_demo")

MOST_REFUSED = 10_000  # rows that are remembered as refused

Question = Callable[[], bool]


class RowStore:
    """Stores rows, and remembers which ones the database has refused."""

    def __init__(self) -> None:
        self._probe = Probe()
        self._refused: dict[tuple[UUID, int], None] = {}

    def store(
        self, session: Session, connection: BaseDatabaseWrapper, rows: Sequence[Row]
    ) -> list[Row]:
        """Store rows, and return those that are refused, unless they were before.

        Raises the error of an outage; then the batch has to come again.
        """
        if self._refused:
            rows = [row for row in rows if _key(row) not in self._refused]
        if not rows:
            return []
        sending = _Sending(session, connection, rows)
        question = self.question(session, connection, rows)
        others = [sending.in_ascii, sending.without_sums] if question else [sending.in_ascii]
        refused = Division(sending.send, *others, takes_rows=question).send(rows)
        if not refused:
            self._probe.note(rows[-1])
            return []
        logger.error(
            "The database refused %d of %d events, which are lost: %s",
            len(refused), len(rows), refused[0][1],
        )  # fmt: skip
        for row, _error in refused:
            self._refused[_key(row)] = None
            if len(self._refused) > MOST_REFUSED:
                del self._refused[next(iter(self._refused))]
        return [row for row, _error in refused]

    def question(
        self, session: Session, connection: BaseDatabaseWrapper, rows: Sequence[Row] = ()
    ) -> Question | None:
        """Return what asks whether the database takes rows; None in the project's transactions."""
        if session.is_callers or connection.in_atomic_block:
            return None
        new_transaction = partial(transaction, session, connection, 1)
        return partial(self._probe.takes_rows, connection, new_transaction, rows)


class _Sending:
    """The ways to store some of a batch."""

    def __init__(
        self, session: Session, connection: BaseDatabaseWrapper, batch: Sequence[Row]
    ) -> None:
        self._session = session
        self._connection = connection
        self._batch = batch
        # Inline, several threads store events of a trace: one of them sums all up.
        self._counts_later = config().inline

    def send(self, rows: Sequence[Row]) -> None:
        is_whole = len(rows) == len(self._batch)
        if not (is_whole and can_copy(self._connection, self._session) and self._is_copied(rows)):
            self._insert(rows)

    def in_ascii(self, row: Row) -> bool:
        """Store a row without characters that the database may not know, if it has some."""
        plain = in_ascii(row)
        if plain is row:
            return False
        self._insert([plain])
        return True

    def without_sums(self, row: Row) -> bool:
        """Store a row alone: it may be its trace that is refused."""
        with transaction(self._session, self._connection, 1):
            insert(self._connection, [in_ascii(row)], self._session)
        return True

    def _is_copied(self, rows: Sequence[Row]) -> bool:
        """Store rows by COPY, and return whether that worked."""
        connection, session = self._connection, self._session
        try:
            parts = [] if self._counts_later else list(session.steps(traces.sums_of(rows)))
            with transaction(session, connection, len(rows)):
                copy(connection, rows, session)
                traces.add(connection, parts)
                session.give_way()
        except ERRORS:
            return False  # some are there already, or one is refused: INSERT finds out which
        return True

    def _insert(self, rows: Sequence[Row]) -> None:
        connection, session = self._connection, self._session
        # Before the transaction: on SQLite the project would wait for it, and it for requests.
        parts = [] if self._counts_later else list(session.steps(traces.sums_of(rows)))
        with transaction(session, connection, len(rows)):
            again = parts and any_stored(connection, rows)
            insert(connection, rows, session)
            if again:
                traces.recount(connection, traces.keys_of(rows))
            elif parts:
                traces.add(connection, parts)


def _key(row: Row) -> tuple[UUID, int]:
    return row.recorder, row.sequence
