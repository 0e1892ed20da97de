"""Writes an event at once, on the caller's connection, in its transaction: MODE "inline"."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import connections

from signals_demo.conf import config
from signals_demo.delivery.sink_queue import Outlet
from signals_demo.events import Event, rendered
from signals_demo.sinks import NotReady
from signals_demo.tracing.trace import silent
from signals_demo.tracing.transactions import COMMITTED, OPEN, ROLLED_BACK, SaveFate

logger = logging.getLogger("signals_demo")

# Loading and checking models fires these in every process, also in one that has no database:
# alone they are no reason to open one.
PASSIVE = frozenset({"class_prepared", "pre_init", "post_init"})


def in_event_loop() -> bool:
    """Return whether this thread runs an event loop, in which Django forbids queries."""
    asyncio = sys.modules.get("asyncio.events")
    return asyncio is not None and asyncio._get_running_loop() is not None


class Inline(threading.local):
    """What inline mode keeps for each of the host's threads."""

    def __init__(self) -> None:
        self.held: list[tuple[SaveFate, Event]] = []
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
        fate = event.fate
        if isinstance(fate, SaveFate) and fate.is_waiting:
            self.held.append((fate, event))
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
        self.held = [(fate, event) for fate, event in held if fate.is_waiting]
        return [
            event for fate, event in held if not fate.is_waiting and fate.outcome != ROLLED_BACK
        ]

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
    fate = event.fate
    return fate is None or fate.outcome != OPEN or event.database == config().database


def _outcome(event: Event) -> str:
    fate = event.fate
    if fate is None or fate.is_settled:
        return "" if fate is None else fate.outcome
    # The row is part of that very transaction: if it can be read, it was committed.
    return COMMITTED
