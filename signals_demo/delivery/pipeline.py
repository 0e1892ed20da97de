"""Takes what waits in the buffer to the sinks, a batch at a time, on whatever thread asks."""

import logging
import math
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from uuid import UUID

from signals_demo.clock import clock
from signals_demo.conf import config
from signals_demo.delivery.backpressure import Backpressure
from signals_demo.delivery.buffer import Buffer
from signals_demo.delivery.checkpoint import Checkpoint
from signals_demo.delivery.held_rows import HeldRows
from signals_demo.delivery.journaled_buffer import Journaling
from signals_demo.delivery.login_sessions import user_of
from signals_demo.delivery.open_outcomes import OpenOutcomes
from signals_demo.delivery.rows import Buffered, Queued, RowBatch, loss_row
from signals_demo.delivery.sink_queue import SinkQueues
from signals_demo.delivery.sqlite_lock import sqlite_lock
from signals_demo.delivery.throttle import BUDGET, throttle
from signals_demo.tracing.scope import IGNORED, silent
from signals_demo.tracing.test_runs import storing

logger = logging.getLogger("signals_demo")

LONGEST_SQLITE_PAUSE = 0.1  # seconds in which others may write; SQLite has them look so often
LONGEST_PAUSE = 60.0  # seconds for which a migration that never ends can stop delivery
ROWS_AT_ONCE = 20  # rows made before the interpreter's lock is offered to the project's threads
SOME_BATCHES = 2  # when more are waiting, the worker goes as fast as the database takes them


@contextmanager
def silence() -> Iterator[None]:
    """Record nothing of what this thread does."""
    token = silent.set(silent.get() + IGNORED)
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
        self.held = HeldRows(self.open_outcomes)
        self.backpressure = Backpressure()
        self.stop_at = math.inf
        """When the process has to end, as `monotonic` says it."""
        self.rests = 0
        """How many ask for a rest, while a test database is made or destroyed."""
        self.is_closing = False
        """Whether the process ends."""
        self.is_stopping = False
        """Whether it has to end after the batch that is being stored."""
        self._recorder = recorder
        self._numbers = numbers
        self._checkpoint = Checkpoint(recorder, buffer, self.open_outcomes, self.held, journaling)
        self._paused_until = 0.0
        self._lock = threading.RLock()
        self._reported_losses = 0

    @property
    def has_work(self) -> bool:
        return bool(
            self.buffer.items
            or self.open_outcomes
            or self.held
            or self.queues.has_pending
            or self.queues.has_more
        )

    @property
    def left(self) -> int:
        """Return how many events are not stored."""
        return self.buffer.waiting + len(self.held) + self.queues.waiting

    @property
    def is_paused(self) -> bool:
        if self.rests:
            return True
        return not self.is_closing and clock.monotonic() < self._paused_until

    def make_room(self) -> None:
        """Slow this thread down, and drop the oldest event if that has not helped."""
        limit = config().buffer_limit
        if not (self.is_paused or self.queues.trouble):
            self.backpressure.hold_up(len(self.buffer.items), limit)
        if len(self.buffer.items) > limit:
            self.buffer.drop_oldest()

    def pause(self) -> None:
        """Stay off the database while it is migrated."""
        self._paused_until = clock.monotonic() + LONGEST_PAUSE

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
                if not (self.is_closing or self.buffer.flushes):
                    clock.sleep(min(sqlite_lock.held, LONGEST_SQLITE_PAUSE))

    def _store_batch(self, *, now: bool, may_wait: bool) -> bool:
        """Store a batch; return whether there may be another."""
        self.backpressure.note_progress()
        is_calm = self._is_calm()
        may_wait = may_wait and is_calm and not (now or self.buffer.flushes)
        throttle.start(BUDGET if may_wait else 0, gives_way=is_calm)
        # Events take less room as they were captured than as rows.
        is_full = all(queue.is_full for queue in self.queues.current()) and not self.is_closing
        items = [] if is_full else self.buffer.take(config().batch_size)
        # Once more: a setting that has changed is in force for what fired since.
        queues = self.queues.current()
        entries = self._entries(items, len(queues), may_take=not is_full)
        for queue in queues:
            queue.add(entries)
        now = now or bool(self.buffer.reached)
        for queue in queues:
            queue.deliver(now=now, is_stopping=lambda: self.is_stopping)
            if losses := queue.unrecorded_losses():
                queue.add(
                    [
                        loss_row(self._recorder, self._numbers, lost, reason)
                        for reason, lost in losses.items()
                    ]
                )
                queue.deliver(now=now, is_stopping=lambda: self.is_stopping)
        self._report_losses()
        is_done = not self.queues.has_pending and self._checkpoint.run(
            [queue.sink for queue in queues]
        )
        if (is_done or self.is_closing) and not self.held:
            for flush in self.buffer.reached:
                flush.end()
        may_go_on = not self.is_stopping and clock.monotonic() < self.stop_at
        return is_done and may_go_on and bool(self.buffer.items or self.held.has_due)

    def _is_calm(self) -> bool:
        """Return whether not much is waiting, and the process goes on."""
        few = SOME_BATCHES * config().batch_size
        return not self.is_closing and len(self.buffer.items) <= few

    def _entries(self, items: Sequence[Buffered], sinks: int, *, may_take: bool) -> list[Queued]:
        """Return what each sink gets of these items, after the rows that wait no longer."""
        batch = self._batch(items, sinks)
        entries: list[Queued] = []
        if may_take or batch.ends_segment:
            most = sys.maxsize if batch.ends_segment else config().batch_size
            now = batch.ends_segment or self.is_closing or bool(self.buffer.reached)
            entries += self.held.take(most, now=now)
        entries += batch.entries
        entries += self.open_outcomes.resolved(self._recorder) if self.open_outcomes else []
        return entries

    def _batch(self, items: Sequence[Buffered], sinks: int) -> RowBatch:
        batch = RowBatch(self._recorder, self.held, sinks, user_of)
        wanted = storing()
        for number, item in enumerate(throttle.steps(items), 1):
            if number % ROWS_AT_ONCE == 0:
                throttle.pause()
            if wanted or not item.firings:
                item.add_to(batch)
            else:
                item.seal()
        return batch

    def _report_losses(self) -> None:
        lost = self.queues.dropped
        if lost >= max(self._reported_losses * 2, 1):
            self._reported_losses = lost
            logger.error(
                "%d signal events are lost so far: more than BUFFER_LIMIT were waiting.", lost
            )
