"""Stores events as rows of `SignalEvent`, and keeps the sums of traces and hours."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from time import monotonic
from typing import Any

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from signals_demo.catalog.outcomes import OPEN, ROLLED_BACK
from signals_demo.conf import config
from signals_demo.events import Attribution, Resolution, Row
from signals_demo.faults import faults, note_fault
from signals_demo.rollups import hours, traces
from signals_demo.rollups.traces import Key
from signals_demo.sinks.base import BaseSink, Busy
from signals_demo.sinks.sql.connection import transaction
from signals_demo.sinks.sql.copy import can_copy, copy
from signals_demo.sinks.sql.errors import REFUSALS, is_refusal
from signals_demo.sinks.sql.insert import any_stored, insert
from signals_demo.sinks.sql.updates import updating

logger = logging.getLogger("signals_demo")

# Inline, of traces:
TRACES_AT_ONCE = 100
GAP = 1.0  # seconds
LAST = frozenset({"request_finished", "task_finished"})  # of a request and a task


class DatabaseSink(BaseSink):
    """Store rows in the database of the `DATABASE` setting, on this thread's connection."""

    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        super().__init__(alias, options)
        if options:
            raise TypeError("the database sink takes no options; DATABASE sets its alias")
        self._not_summed_up: set[Key] = set()
        self._next_sum = 0.0
        self._hours = hours.HourlySums()

    def store(self, rows: Sequence[Row]) -> None:
        connection = connections[config().database]
        if connection.in_atomic_block and connection.needs_rollback:
            return  # inline, in a transaction that cannot commit: no row is what it should leave
        was_open = connection.connection is not None
        if not (can_copy(connection) and self._copied(connection, rows)):
            self._insert(connection, rows)
        if not config().inline:
            self._sum_up_hours(connection)
        elif not connection.in_atomic_block:
            self._sum_up_inline(connection, rows)
            if not was_open:
                # Django has closed the connection at the end of the request: leave it so.
                connection.close()

    def resolve(self, resolutions: Sequence[Resolution]) -> None:
        connection = connections[config().database]
        where = (
            "{recorder} = %s AND {sequence} BETWEEN %s AND %s AND {trace_id} = %s"
            " AND {database} = %s AND {outcome} = %s"
        )
        with updating(self.session, connection, ["outcome"], where) as update:
            for one in resolutions:
                place = one.recorder, one.first, one.last, one.trace_id, one.database
                changed = update(one.outcome, *place, OPEN)
                if changed and one.outcome == ROLLED_BACK:
                    traces.roll_back(connection, (one.recorder, one.trace_id), changed)

    def attribute(self, attributions: Sequence[Attribution]) -> None:
        connection = connections[config().database]
        where = "{recorder} = %s AND {trace_id} = %s AND {actor} = %s"
        with updating(self.session, connection, ["actor_pk", "actor"], where) as update:
            for one in attributions:
                update(one.actor_pk, one.actor, one.recorder, one.trace_id, "")
                traces.attribute(connection, (one.recorder, one.trace_id), one.actor_pk, one.actor)

    def flush(self) -> None:
        if self._not_summed_up:
            self._sum_up(connections[config().database])

    def close(self) -> None:
        connections[config().database].close()

    def _transaction(
        self, connection: BaseDatabaseWrapper, statements: int = 1
    ) -> AbstractContextManager[None]:
        return transaction(self.session, connection, statements)

    def _copied(self, connection: BaseDatabaseWrapper, rows: Sequence[Row]) -> bool:
        """Store rows by COPY, and return whether that worked."""
        try:
            parts = list(self.session.steps(traces.sums_of(rows)))
            with self._transaction(connection, len(rows)):
                copy(connection, rows, self.session)
                traces.add(connection, parts)
                self.session.give_way()
        except (*REFUSALS, DatabaseError) as error:
            if not is_refusal(error):
                raise
            return False  # some are there already, or one is refused: INSERT finds out which
        return True

    def _insert(self, connection: BaseDatabaseWrapper, rows: Sequence[Row]) -> None:
        is_inline = config().inline
        try:
            # Before the transaction: on SQLite the project would wait for it, and it for requests.
            parts = [] if is_inline else list(self.session.steps(traces.sums_of(rows)))
            with self._transaction(connection, len(rows)):
                again = not is_inline and any_stored(connection, rows)
                insert(connection, rows, self.session)
                if again:
                    traces.recount(connection, traces.keys_of(rows))
                elif parts:
                    traces.add(connection, parts)
        except (*REFUSALS, DatabaseError) as error:
            if not is_refusal(error):
                raise
            # One row that the database refuses must not keep the others out.
            if len(rows) == 1:
                faults["An event that the database refused"] += 1
                logger.error("The database refused an event, which is lost: %s", error)
                return
            middle = len(rows) // 2
            self._insert(connection, rows[:middle])
            self._insert(connection, rows[middle:])

    def _sum_up_hours(self, connection: BaseDatabaseWrapper) -> None:
        try:
            with suppress(Busy):  # at the next turn
                self._hours.advance(connection, partial(self._transaction, connection))
        except Exception:  # noqa: BLE001 - what is stored is stored
            note_fault("An hourly sum")

    # Inline, traces are summed up when one is over, and at most once a second, as the project
    # waits. Not before: a row that each of its transactions changed would have them wait for one
    # another.

    def _sum_up_inline(self, connection: BaseDatabaseWrapper, rows: Sequence[Row]) -> None:
        self._not_summed_up |= traces.keys_of(rows)
        is_due = monotonic() >= self._next_sum and any(row.signal in LAST for row in rows)
        if is_due or len(self._not_summed_up) >= TRACES_AT_ONCE:
            self._next_sum = monotonic() + GAP
            self._sum_up(connection)

    def _sum_up(self, connection: BaseDatabaseWrapper) -> None:
        keys, self._not_summed_up = self._not_summed_up, set()
        with self._transaction(connection):
            traces.recount(connection, keys)
