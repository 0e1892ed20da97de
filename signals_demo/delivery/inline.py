"""Writes an event at once, on the caller's connection, in its transaction: MODE "inline"."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import connections

from signals_demo.catalog import PASSIVE
from signals_demo.catalog.outcomes import COMMITTED, OPEN, ROLLED_BACK
from signals_demo.conf import config
from signals_demo.delivery.sink_queue import Outlet
from signals_demo.events import Event, rendered
from signals_demo.sinks import NotReady
from signals_demo.tracing.outcomes import SaveOutcome
from signals_demo.tracing.scope import silent

logger = logging.getLogger("signals_demo")


def in_event_loop() -> bool:
    """Return whether this thread runs an event loop, in which Django forbids queries."""
    asyncio = sys.modules.get("asyncio.events")
    return asyncio is not None and asyncio._get_running_loop() is not None


class Inline(threading.local):
    """What inline mode keeps for each of the host's threads."""

    def __init__(self) -> None:
        self.held: list[tuple[SaveOutcome, Event]] = []
        """Events of saves that may still fail: they are stored when the save is done."""
        self.failure: type[Exception] | None = None
        self._not_before = 0.0

    def written(
        self, event: Event, recorder: UUID, outlets: Callable[[], Sequence[Outlet]]
    ) -> tuple[bool, list[Event]]:
        """Store an event, and those that waited for it.

        Return whether that could be done, and which others are left to the thread. What sinks
        raise passes through only as a log line.
        """
        if in_event_loop() or time.monotonic() < self._not_before:
            return False, []
        if event.signal in PASSIVE and connections[config().database].connection is None:
            return False, []
        outcome = event.outcome
        if isinstance(outcome, SaveOutcome) and outcome.is_waiting:
            self.held.append((outcome, event))
            return True, []
        released = self._released()
        ready = [*released, event]
        if all(map(_can_join, ready)) and self._store(ready, recorder, outlets):
            return True, []
        return False, released

    def _released(self) -> list[Event]:
        """Take out the events whose save is done; forget those whose save has failed."""
        if not self.held:
            return []
        held = self.held
        self.held = [(outcome, event) for outcome, event in held if outcome.is_waiting]
        done = [(outcome, event) for outcome, event in held if not outcome.is_waiting]
        return [event for outcome, event in done if outcome.value != ROLLED_BACK]

    def _store(
        self, events: Sequence[Event], recorder: UUID, outlets: Callable[[], Sequence[Outlet]]
    ) -> bool:
        token = silent.set(silent.get() + 1)
        try:
            rows = [rendered(event, recorder, _outcome(event)) for event in events]
            for outlet in outlets():
                outlet.sink.store(rows)
                outlet.stored += len(rows)
        except NotReady:
            self._not_before = time.monotonic() + 1.0
            return False
        except Exception as error:  # noqa: BLE001 - a sink may raise anything
            if type(error) is not self.failure:
                logger.warning("Not stored inline, so the thread will try: %s", error)
            self.failure = type(error)
            return False
        finally:
            silent.reset(token)
        return True


def _can_join(event: Event) -> bool:
    """Return whether an event needs no transaction, or the one that its row would be in."""
    outcome = event.outcome
    return outcome is None or outcome.value != OPEN or event.database == config().database


def _outcome(event: Event) -> str:
    outcome = event.outcome
    if outcome is None or outcome.known:
        return "" if outcome is None else outcome.value
    # The row is part of that very transaction: if it can be read, it was committed.
    return COMMITTED
