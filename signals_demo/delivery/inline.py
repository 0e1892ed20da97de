"""Writes an event at once, on the caller's connection, in its transaction: MODE "inline"."""

import logging
import sys
import threading
from collections.abc import Sequence
from uuid import UUID

from django.apps import apps
from django.db import connections

from signals_demo.catalog.outcomes import COMMITTED, OPEN, ROLLED_BACK
from signals_demo.clock import clock
from signals_demo.conf import config
from signals_demo.delivery.pipeline import Pipeline, silence
from signals_demo.delivery.rows import rendered
from signals_demo.delivery.session import session
from signals_demo.events import Event
from signals_demo.sinks import NotReady
from signals_demo.tracing.outcomes import TransactionOutcome
from signals_demo.tracing.schemas import alias_in

logger = logging.getLogger("signals_demo")


def in_event_loop() -> bool:
    """Return whether this thread runs an event loop, in which Django forbids queries."""
    asyncio = sys.modules.get("asyncio.events")
    return asyncio is not None and asyncio._get_running_loop() is not None


class Inline(threading.local):
    """What inline mode keeps for each of the project's threads."""

    def __init__(self, recorder: UUID, pipeline: Pipeline) -> None:
        self.held: list[tuple[TransactionOutcome, Event]] = []
        """Events of saves that may still fail: they are stored when the save is done."""
        self._recorder = recorder
        self._pipeline = pipeline
        self._reported: type[Exception] | None = None
        self._not_before = 0.0

    def store(self, event: Event) -> bool:
        """Store an event, and those that waited for it; return False if that cannot be done.

        Then those that waited are left to the worker. What sinks raise is only logged.
        """
        if self._pipeline.is_paused or in_event_loop() or clock.monotonic() < self._not_before:
            return False
        if not apps.ready or (event.is_passive and not _is_open(config().database)):
            return False
        outcome = event.outcome
        if outcome is not None and outcome.is_waiting:
            self.held.append((outcome, event))
            return True
        released = self._released()
        ready = [*released, event]
        if all(map(_can_join, ready)) and self._store(ready):
            return True
        self._pipeline.buffer.items.extend(released)
        return False

    def _released(self) -> list[Event]:
        """Take out the events whose save is done; forget those whose save has failed."""
        if not self.held:
            return []
        held = self.held
        self.held = [(outcome, event) for outcome, event in held if outcome.is_waiting]
        done = [(outcome, event) for outcome, event in held if not outcome.is_waiting]
        return [event for outcome, event in done if outcome.value != ROLLED_BACK]

    def _store(self, events: Sequence[Event]) -> bool:
        try:
            with silence(), session.of_caller():
                rows = [rendered(event, self._recorder, _outcome(event)) for event in events]
                for queue in self._pipeline.queues.current():
                    queue.store(rows)
        except NotReady:
            self._not_before = clock.monotonic() + 1.0
            return False
        except Exception as error:  # noqa: BLE001 - a sink may raise anything
            if type(error) is not self._reported:
                logger.warning(
                    "Events cannot be stored inline. The worker thread will try again: %s", error
                )
            self._reported = type(error)
            return False
        return True


def _is_open(alias: str) -> bool:
    """Return whether this thread has a connection. Making the wrapper would load its backend."""
    opened = connections.all(initialized_only=True)
    return any(each.alias == alias and each.connection is not None for each in opened)


def _can_join(event: Event) -> bool:
    """Return whether an event needs no transaction, or the one that its row would be in."""
    outcome = event.outcome
    return (
        outcome is None or outcome.value != OPEN or alias_in(event.database) == config().database
    )


def _outcome(event: Event) -> str:
    outcome = event.outcome
    if outcome is None or outcome.known:
        return "" if outcome is None else outcome.value
    # The row is part of that very transaction: if it can be read, it was committed.
    return COMMITTED
