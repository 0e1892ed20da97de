"""Takes events from the project's threads, and has a thread of this process store them.

What cannot be stored yet is kept, up to BUFFER_LIMIT events, and tried again.
"""

import logging
import os
import sys
from itertools import count
from uuid import uuid4

from django.db import connections

from signals_demo import exits
from signals_demo.clock import clock
from signals_demo.conf import config
from signals_demo.delivery import health
from signals_demo.delivery.buffer import Buffer
from signals_demo.delivery.health import Health
from signals_demo.delivery.inline import Inline, in_event_loop
from signals_demo.delivery.journaled_buffer import Journaling
from signals_demo.delivery.login_sessions import OpenSession
from signals_demo.delivery.pipeline import Pipeline
from signals_demo.delivery.rows import attributions
from signals_demo.delivery.throttle import throttle
from signals_demo.delivery.worker import Worker
from signals_demo.events import Event, FoldedEvent
from signals_demo.faults import faults, note_fault
from signals_demo.forks import after_fork, threads_stand_still
from signals_demo.tracing.identity import Identity
from signals_demo.tracing.origins import is_makemigrations
from signals_demo.tracing.test_runs import observers, storing

logger = logging.getLogger("signals_demo")

STALLED = 5.0  # seconds in which nothing is stored, after which the end of a process goes on


class Writer:
    """What the project's threads call to have something stored."""

    def __init__(self) -> None:
        self._begin()

    def reset(self) -> None:
        """Begin as a forked child must: all that its parent has captured is its parent's."""
        FoldedEvent.generation += 1
        self.journaling.abandon()
        self._begin()

    def _begin(self) -> None:
        self.recorder = uuid4()
        self.numbers = count(1)
        self.buffer = Buffer()
        self._items = self.buffer.items
        self.journaling = Journaling(self.recorder, self.buffer)
        self.pipeline = Pipeline(self.recorder, self.numbers, self.buffer, self.journaling)
        self.worker = Worker(self.pipeline, on_start=exits.watch)
        self.inline = Inline(self.recorder, self.pipeline)
        self._goes_on = False

    def put(self, event: Event) -> None:
        """Take an event. Blocks only inline, and for moments while too much is waiting."""
        if observers:
            for observe in tuple(observers):
                observe(event)
            if not storing():
                return
        now = config()
        if now.mode == "inline" and self.inline.store(event):
            if self.worker.is_asleep and self.pipeline.has_work:
                self.worker.wake()
            return
        items = self._items
        if now.journal_dir is None:
            items.append(event)
        else:
            self.journaling.put(event)
        waiting = len(items)
        if waiting + waiting > now.buffer_limit:
            self.pipeline.make_room()
        if self.worker.is_asleep:
            if self.worker.is_in_use or not event.is_passive:
                self.worker.wake()
        elif waiting == now.batch_size:
            self.worker.hurry()

    def put_folded(self, folded: FoldedEvent) -> None:
        """Take a folded event, which grows until the worker takes it."""
        if not observers or storing():
            self.journaling.put_folded(folded)
            self._has_put(is_passive=True)

    def put_actors(self, who: Identity) -> None:
        """Take who acted in what was put without an actor, if anything was."""
        if not who.incomplete or (observers and not storing()):
            return
        for attribution in attributions(self.recorder, who):
            self.journaling.put_actor(attribution)
        if who.session_key:
            self.buffer.items.append(OpenSession(who))
        self._has_put(is_passive=False)

    def _has_put(self, *, is_passive: bool) -> None:
        waiting, worker = len(self.buffer.items), self.worker
        if waiting + waiting > config().buffer_limit:
            self.pipeline.make_room()
        if worker.is_asleep:
            if worker.is_in_use or not is_passive:
                worker.wake()
        elif waiting == config().batch_size:
            worker.hurry()

    def notify(self) -> None:
        """Store soon what there is: a unit of work has ended."""
        self.worker.hurry()
        if threads_stand_still() and not self.pipeline.queues.trouble:
            # A thread stopped in the middle of a batch would keep the database locked.
            self.flush(timeout=1.0)
        elif self.worker.cannot_start:
            self._store_here()

    def _store_here(self) -> None:
        """Store what waits on the caller's connection, which is closed again if it was."""
        connection = connections[config().database]
        if connection.in_atomic_block or in_event_loop():
            return
        was_open = connection.connection is not None
        try:
            self.pipeline.run(now=False)
        except Exception:  # noqa: BLE001 - nothing may reach the project
            note_fault("A batch of events")
        if not was_open:
            connection.close()

    def pause(self) -> None:
        """Stay off the database while it is migrated."""
        self.pipeline.pause()

    def resume(self) -> None:
        """Use the database again, and at once: the table may be there now."""
        self.pipeline.resume()
        self.worker.hurry()

    def flush(self, timeout: float) -> bool:
        """Wait until all that was put so far is stored; return False if `timeout` (s) ran out."""
        if self.worker.thread is None and not self.pipeline.has_work:
            return True
        with self.buffer.flush() as flush:
            self.worker.wake()
            self.worker.skip_gap()
            self.worker.hurry()
            throttle.stop_waiting()
            if self.worker.thread is None:
                self.pipeline.run(now=True)
            return flush.wait(timeout)

    # The end of the process, and forks.

    def shut_down(self) -> None:
        """Store what is left, as far as the sinks take it, and report what is not stored."""
        pipeline, worker = self.pipeline, self.worker
        pipeline.is_closing = True
        if not worker.is_in_use and self.buffer.is_passive:
            self.journaling.close(is_stored=True)
            return  # a process that has only loaded models
        _store_rest(self)
        worker.stop(timeout=1.0)
        pipeline.is_stopping = False
        pipeline.finish()
        is_stored = not self.buffer.items and not pipeline.queues.has_pending
        is_in_journal = self.journaling.close(is_stored=is_stored)
        if left := pipeline.left:
            _report_left(left, pipeline.queues.trouble, is_in_journal=is_in_journal)

    def before_fork(self) -> None:
        """End the thread: a child must not inherit its connection, nor locks of its driver."""
        self.worker.start_lock.acquire()
        self._goes_on = self.worker.stop(timeout=10.0)

    def after_fork(self) -> None:
        """Go on in the parent."""
        self.pipeline.is_stopping = False
        self.worker.start_lock.release()
        if self._goes_on and self.pipeline.has_work:
            self.worker.wake()


def _store_rest(writer: Writer) -> None:
    """Wait as long as something is stored, at most SHUTDOWN_TIMEOUT."""
    pipeline = writer.pipeline
    pipeline.stop_at = end = clock.monotonic() + config().shutdown_timeout
    left = sys.maxsize
    while not writer.flush(max(0.0, min(STALLED, end - clock.monotonic()))):
        before, left = left, pipeline.left
        if left >= before or clock.monotonic() >= end:
            return


def _report_left(left: int, trouble: str, *, is_in_journal: bool) -> None:
    kept = ", but are in the journal" if is_in_journal else ""
    # A newcomer runs it before the first `migrate`: then nothing is wrong.
    level = logging.INFO if is_makemigrations() else logging.WARNING
    logger.log(
        level,
        "%d signal events of this process were not stored%s: %s",
        left, kept, trouble or "there was not enough time.",
    )  # fmt: skip


def _health() -> Health:
    queues, journal = writer.pipeline.queues, writer.journaling.journal
    return Health(
        writer.pipeline.left,
        queues.stored,
        queues.lost,
        queues.trouble,
        dict(faults),
        None if journal is None else journal.segments.total_size(),
        writer.pipeline.backpressure.seconds,
    )


writer = Writer()

health.set_source(_health)
exits.at_end(writer.shut_down)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=writer.before_fork, after_in_parent=writer.after_fork)
after_fork(writer.reset)
