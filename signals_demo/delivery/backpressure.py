"""Holds the project's threads up for moments when events come faster than they are stored.

That is the last resort before some are dropped. It only helps while the worker gets on, so it
ends when the database is out of order or stands still.
"""

import logging
import threading

from django.db import connections

from signals_demo.clock import clock
from signals_demo.conf import config

logger = logging.getLogger("signals_demo")

LONGEST = 0.1  # seconds that one firing waits when the buffer is full; less before
STALLED = 2.0  # seconds without progress after which nobody waits any more


class Backpressure:
    """How long the project's threads were held up."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """In all threads together."""
        self._latest_progress = clock.monotonic()
        self._lock = threading.RLock()

    def note_progress(self) -> None:
        """Note that the worker is at work."""
        self._latest_progress = clock.monotonic()

    def hold_up(self, waiting: int, limit: int) -> None:
        """Hold this thread up, longer the nearer the buffer is to its limit."""
        if clock.monotonic() - self._latest_progress > STALLED or _keeps_worker_out():
            return
        delay = LONGEST * min(1.0, 2 * waiting / limit - 1)
        with self._lock:
            is_first, self.seconds = not self.seconds, self.seconds + delay
        if is_first:
            logger.warning(
                "Events come faster than they can be stored, and %d are waiting. From now on this"
                " process is slowed down at times, so that all are kept.",
                waiting,
            )
        clock.sleep(delay)


def _keeps_worker_out() -> bool:
    """Return whether this thread is in a transaction that the worker waits for: on SQLite."""
    return any(
        each.alias == config().database and each.vendor == "sqlite" and each.in_atomic_block
        for each in connections.all(initialized_only=True)
    )
