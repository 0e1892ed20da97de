"""The thread that stores events, on a connection of its own."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from django.db import connections

from signals_demo.conf import config
from signals_demo.delivery.pipeline import Pipeline
from signals_demo.delivery.sqlite_lock import sqlite_lock
from signals_demo.delivery.wakeup import Wakeup
from signals_demo.faults import note_fault
from signals_demo.forks import can_have_threads
from signals_demo.tracing.scope import silent

logger = logging.getLogger("signals_demo")

IDLE = 10.0  # seconds without an event after which the connection is given back
MIN_GAP = 0.1  # seconds between two batches, so that busy requests share one


class Worker:
    """Starts the thread when there is something to do, and runs the pipeline on it."""

    def __init__(self, pipeline: Pipeline, on_start: Callable[[], None]) -> None:
        self.thread: threading.Thread | None = None
        self.is_in_use = False
        """Whether there has been a reason to store anything."""
        self.is_asleep = True
        """Whether it must be woken when there is something to do."""
        self.cannot_start = False
        """Whether the last try to start the thread failed."""
        self.start_lock = threading.RLock()
        """Held during a fork."""
        self._pipeline = pipeline
        self._on_start = on_start
        self._has_work = Wakeup()
        self._is_due = Wakeup()
        self._skip_gap = Wakeup()

    # Called on the project's threads.

    def wake(self) -> None:
        """Have it store what there is, at the end of the interval."""
        self.is_asleep = False
        if self.thread is None:
            self._start()
        self._has_work.set()

    def hurry(self) -> None:
        """Have it store what there is now, instead of at the end of the interval."""
        self._is_due.set()

    def skip_gap(self) -> None:
        """Have it leave out the pause between two batches."""
        self._skip_gap.set()

    def stop(self, timeout: float) -> bool:
        """End the thread, so that it gives its connections back; return whether there was one."""
        thread = self.thread
        if thread is None or thread is threading.current_thread():
            return False
        self._pipeline.is_stopping = True
        for wakeup in (self._has_work, self._is_due, self._skip_gap):
            wakeup.set()
        thread.join(timeout)
        return True

    def _start(self) -> None:
        with self.start_lock:
            if self.thread is not None:
                return
            if self._pipeline.rests:
                self.is_asleep = True
                return
            if not can_have_threads():
                self._report_no_threads()
                return
            self.is_in_use = True
            try:
                self.thread = threading.Thread(target=self._run, name="signals_demo", daemon=True)
                self.thread.start()
            except RuntimeError:
                # No more threads, a subinterpreter that allows none such, or the interpreter is
                # going down: then the end of a request stores, and `shut_down`.
                self.thread = None
                self.is_asleep = self.cannot_start = True
                return
            self.cannot_start = False
            self._on_start()

    def _report_no_threads(self) -> None:
        if not self.is_in_use:
            self.is_in_use = True
            logger.warning(
                "The master of uWSGI runs no threads, so it records nothing while it loads the"
                " project. Start uWSGI with --enable-threads or --lazy-apps."
            )

    # Called on its own thread.

    def _run(self) -> None:
        silent.set(1)
        pipeline = self._pipeline
        try:
            while not pipeline.is_stopping:
                if not pipeline.has_work:
                    self._sleep()
                self._is_due.wait(config().flush_interval)
                self._skip_gap.clear()
                try:
                    pipeline.run(now=pipeline.is_closing, may_wait=True)
                except Exception:  # noqa: BLE001 - without this thread nothing would be stored
                    note_fault("A batch of events")
                self._skip_gap.wait(max(MIN_GAP, sqlite_lock.pause))
        finally:  # also when something ends the thread: the next event starts another
            pipeline.close_sinks()
            with suppress(Exception):  # those of sinks that the setting named before
                connections.close_all()
            self.thread = None
            self.is_asleep = True

    def _sleep(self) -> None:
        self._has_work.clear()
        self.is_asleep = True
        # An event put just before saw it awake and did not wake it.
        if self._pipeline.buffer.items or self._pipeline.is_stopping:
            self.is_asleep = False
            return
        if not self._has_work.wait(IDLE):
            self._pipeline.close_sinks()
            self._has_work.wait()
