"""Stores events as rows of `SignalEvent`, and keeps the sums of traces and hours."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from threading import Lock
from typing import Any, NamedTuple, TypeVar

from django.apps import apps
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from signals_demo.catalog import EVENTS_LOST
from signals_demo.catalog.outcomes import OPEN, ROLLED_BACK
from signals_demo.clock import clock
from signals_demo.conf import config
from signals_demo.events import Attribution, Resolution, Row
from signals_demo.faults import faults, note_fault
from signals_demo.rollups import hours, traces
from signals_demo.rollups.driver_values import adapt_span, adapt_trace
from signals_demo.rollups.traces import Key
from signals_demo.sinks.base import BaseSink, Busy, NotReady
from signals_demo.sinks.sql.connection import transaction
from signals_demo.sinks.sql.division import Division
from signals_demo.sinks.sql.plain import in_ascii
from signals_demo.sinks.sql.row_store import RowStore
from signals_demo.sinks.sql.updates import naming_impersonator, updating
from signals_demo.tracing.levels import outcome_on
from signals_demo.tracing.outcomes import TransactionOutcome
from signals_demo.tracing.test_runs import is_test_database_gone

logger = logging.getLogger("signals_demo")

# Inline:
GAP = 1.0  # seconds between two traces that are summed up while the project waits
LAST = frozenset({"request_finished", "task_finished"})  # of a request and a task

Change = TypeVar("Change", Attribution, Resolution)


class Uncounted(NamedTuple):
    """A trace with rows that are not in its sums yet, and the transaction that these are in."""

    key: Key
    outcome: TransactionOutcome | None

    @property
    def is_decided(self) -> bool:
        return self.outcome is None or self.outcome.value != OPEN


def _place(one: Attribution | Resolution) -> tuple[Any, ...]:
    """Return which rows something is about: recorder, numbers, and unit of work."""
    unit = adapt_trace(one.trace_id), adapt_span(one.span_id)
    return one.recorder, one.first, one.last, *unit


class DatabaseSink(BaseSink):
    """Store rows in the database of the `DATABASE` setting, on this thread's connection."""

    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        super().__init__(alias, options)
        if options:
            raise TypeError("the database sink takes no options; DATABASE sets its alias")
        self._uncounted: set[Uncounted] = set()
        self._counting = Lock()
        self._next_count = 0.0
        self._hours = hours.HourlySums()
        self._rows = RowStore()

    def store(self, rows: Sequence[Row]) -> None:
        if not apps.models_ready:  # a backend may import models
            raise NotReady("the apps are not loaded yet")
        connection = connections[config().database]
        if is_test_database_gone(connection.alias):
            return
        if connection.in_atomic_block and connection.needs_rollback:
            return  # inline, in a transaction that cannot commit: no row is what it should leave
        was_open = connection.connection is not None
        refused = self._rows.store(self.session, connection, rows)
        self.refused_events += len(refused)
        # The events that stand for lost ones do not count again.
        self.refused_firings += sum(row.count for row in refused if row.signal != EVENTS_LOST)
        if config().inline:
            self._note_traces(connection, rows)
            if self.session.is_callers and not connection.in_atomic_block:
                self._count_at_end(rows)
                if not was_open:
                    # Django has closed the connection at the end of the request: leave it so.
                    connection.close()
        else:
            self._sum_up_hours(connection)

    def resolve(self, resolutions: Sequence[Resolution]) -> None:
        connection = connections[config().database]
        where = (
            "{recorder} = %s AND {sequence} BETWEEN %s AND %s AND {trace_id} = %s"
            " AND {span_id} = %s AND {database} = %s AND {outcome} = %s"
        )

        def send(some: Sequence[Resolution]) -> None:
            with updating(self.session, connection, "{outcome} = %s", where) as update:
                for one in some:
                    changed = update(one.outcome, *_place(one), one.database, OPEN)
                    if changed and one.outcome == ROLLED_BACK:
                        traces.roll_back(connection, traces.key_of(one), changed)

        self._update("An outcome", resolutions, send)

    def attribute(self, attributions: Sequence[Attribution]) -> None:
        connection = connections[config().database]
        where = (
            "{recorder} = %s AND {sequence} BETWEEN %s AND %s AND {trace_id} = %s"
            " AND {span_id} = %s AND {actor_pk} = %s AND {actor} = %s"
        )
        named = "{actor_pk} = %s, {actor} = %s"

        def send(some: Sequence[Attribution]) -> None:
            with updating(self.session, connection, named, where) as update:
                for one in some:
                    update(one.actor_pk, one.actor, *_place(one), "", "")
                    traces.attribute(connection, traces.key_of(one), one.actor_pk, one.actor)
            behind = [one for one in some if one.is_impersonated]
            if not behind:
                return
            what = naming_impersonator(connection)
            with updating(self.session, connection, what, where) as update:
                for one in behind:
                    whom = one.impersonator_pk, one.impersonator
                    update(*whom, *_place(one), one.actor_pk, one.actor)

        self._update("An actor", attributions, send)

    @property
    def has_more(self) -> bool:
        return bool(self._uncounted)

    def _count_at_end(self, rows: Sequence[Row]) -> None:
        """Sum up at the end of a request, where the project waits: at most once a second."""
        if clock.monotonic() >= self._next_count and any(row.signal in LAST for row in rows):
            self._next_count = clock.monotonic() + GAP
            self.flush()

    def flush(self) -> None:
        if self._counting.acquire(blocking=False):  # what another thread leaves comes next time
            try:
                self._count()
            finally:
                self._counting.release()

    def _count(self) -> None:
        ready = [each for each in list(self._uncounted) if each.is_decided]
        if not ready:
            return
        connection = connections[config().database]
        self._uncounted.difference_update(ready)
        try:
            with self._transaction(connection):
                traces.recount(connection, {each.key for each in ready})
        except BaseException:
            self._uncounted.update(ready)
            raise
        if not self.session.is_callers:
            self._sum_up_hours(connection)

    def close(self) -> None:
        connections[config().database].close()

    def _transaction(
        self, connection: BaseDatabaseWrapper, statements: int = 1
    ) -> AbstractContextManager[None]:
        return transaction(self.session, connection, statements)

    def _update(
        self, what: str, changes: Sequence[Change], send: Callable[[Sequence[Change]], None]
    ) -> None:
        """Send late changes of stored rows. What is refused is a fault: no event is lost."""

        def send_in_ascii(change: Change) -> bool:
            plain = in_ascii(change)
            if plain is not change:
                send([plain])
            return plain is not change

        if is_test_database_gone(config().database):
            return
        question = self._rows.question(self.session, connections[config().database])
        kind = f"{what} that the database refused"
        for _change, error in Division(send, send_in_ascii, takes_rows=question).send(changes):
            faults[kind] += 1
            if faults[kind] == 1:
                logger.error("%s: %s", kind, error)

    def _sum_up_hours(self, connection: BaseDatabaseWrapper) -> None:
        try:
            with suppress(Busy):  # at the next turn
                self._hours.advance(connection, partial(self._transaction, connection))
        except Exception:  # noqa: BLE001 - what is stored is stored
            note_fault("An hourly sum")

    def _note_traces(self, connection: BaseDatabaseWrapper, rows: Sequence[Row]) -> None:
        """Have the worker count these traces again, once it sees their rows.

        Inline, that is not done in the transactions that store them: a row that each of these
        changed would have them wait for one another.
        """
        outcome = outcome_on(connection)
        self._uncounted |= {Uncounted(key, outcome) for key in traces.keys_of(rows)}
