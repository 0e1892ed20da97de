"""Takes what waits in the buffer to the sinks, a batch at a time, on whatever thread asks."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from uuid import UUID

from signals_demo.conf import config
from signals_demo.delivery.buffer import Buffer
from signals_demo.delivery.checkpoint import Checkpoint
from signals_demo.delivery.journaled_buffer import Journaling
from signals_demo.delivery.open_outcomes import OpenOutcomes
from signals_demo.delivery.rows import Batch, Buffered, Queued, loss_row
from signals_demo.delivery.sink_queue import SinkQueue, SinkQueues
from signals_demo.delivery.throttle import BUDGET, YIELD, throttle
from signals_demo.tracing.scope import silent
from signals_demo.tracing.test_runs import storing

logger = logging.getLogger("signals_demo")

LONGEST_PAUSE = 60.0  # seconds for which a migration that never ends can stop delivery
ROWS_AT_ONCE = 20  # rows made before the interpreter's lock is offered to the project's threads
MANY_BATCHES = 10  # when more are waiting, the worker waits for no request


@contextmanager
def silence() -> Iterator[None]:
    """Record nothing of what this thread does."""
    token = silent.set(silent.get() + 1)
    try:
        yield
    finally:
        silent.reset(token)


class Pipeline:
    """The way from the buffer to the sinks."""

    def __init__(
        self, recorder: UUID, numbers: "count[int]", buffer: Buffer, journaling: Journaling
    ) -> None:
        self.buffer = buffer
        self.queues = SinkQueues(buffer)
        self.open_outcomes = OpenOutcomes()
        self.is_closing = False
        """Whether the process ends."""
        self.is_stopping = False
        """Whether it has to end after the batch that is being stored."""
        self._recorder = recorder
        self._numbers = numbers
        self._checkpoint = Checkpoint(recorder, buffer, self.open_outcomes, journaling)
        self._paused_until = 0.0
        self._lock = threading.RLock()
        self._reported_losses = 0

    @property
    def has_work(self) -> bool:
        return bool(self.buffer.items or self.open_outcomes or self.queues.has_pending)

    @property
    def is_paused(self) -> bool:
        return not self.is_closing and time.monotonic() < self._paused_until

    def pause(self) -> None:
        """Stay off the database while it is migrated."""
        self._paused_until = time.monotonic() + LONGEST_PAUSE

    def resume(self) -> None:
        """Use the database again, and at once: the table may be there now."""
        self._paused_until = 0.0
        self._checkpoint.recover_soon()
        self.queues.try_now()

    def close_sinks(self) -> None:
        """Give back the connections."""
        with self._lock:
            self.queues.close()

    def finish(self) -> None:
        """Have the sinks store what they keep: the process ends."""
        with silence():
            self.queues.flush()

    def run(self, *, now: bool, may_wait: bool = False) -> None:
        """Store what waits: with `now` also in sinks that failed, `may_wait` after requests."""
        if self.is_paused:
            return
        with silence(), self._lock:
            while self._store_batch(now=now, may_wait=may_wait):
                pass

    def _store_batch(self, *, now: bool, may_wait: bool) -> bool:
        """Store a batch; return whether there may be another."""
        throttle.start(BUDGET if may_wait and not now and self._is_calm() else 0)
        # Events take less room as they were captured than as rows.
        is_full = all(queue.is_full for queue in self.queues.current()) and not self.is_closing
        items = [] if is_full else self.buffer.take(config().batch_size)
        # Once more: a setting that has changed is in force for what fired since.
        queues = self.queues.current()
        self._queue(items, queues)
        now = now or bool(self.buffer.reached)
        for queue in queues:
            queue.deliver(now=now, is_stopping=lambda: self.is_stopping)
        self._report_losses()
        is_done = not self.queues.has_pending and self._checkpoint.run(
            [queue.sink for queue in queues]
        )
        if is_done or self.is_closing:
            for flush in self.buffer.reached:
                flush.end()
        return is_done and not self.is_stopping and bool(self.buffer.items)

    def _is_calm(self) -> bool:
        """Return whether no thread waits for a flush, and not much is waiting."""
        return (
            not self.buffer.flushes
            and len(self.buffer.items) <= MANY_BATCHES * config().batch_size
        )

    def _queue(self, items: Sequence[Buffered], queues: Sequence[SinkQueue]) -> None:
        """Give every queue what its sink gets of these items."""
        entries = self._entries(items, len(queues))
        entries += self.open_outcomes.resolved(self._recorder) if self.open_outcomes else []
        for queue in queues:
            queue.add(entries)
            if lost := queue.unrecorded_losses():
                queue.pending.append(loss_row(self._recorder, self._numbers, lost))

    def _entries(self, items: Sequence[Buffered], sinks: int) -> list[Queued]:
        batch = Batch(self._recorder, self.open_outcomes, sinks)
        wanted = storing()
        for number, item in enumerate(throttle.steps(items), 1):
            if number % ROWS_AT_ONCE == 0:
                time.sleep(YIELD)
            if wanted or not item.firings:
                item.add_to(batch)
            else:
                item.seal()
        return batch.entries

    def _report_losses(self) -> None:
        lost = self.queues.lost
        if lost >= max(self._reported_losses * 2, 1):
            self._reported_losses = lost
            logger.error(
                "%d signal events are lost so far: more than BUFFER_LIMIT were waiting.", lost
            )
