"""Takes events from the host's threads to the sinks.

In background mode a thread of this process does it, on a connection of its own. What cannot be
stored yet is kept, up to BUFFER_LIMIT events, and tried again.
"""

import atexit
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

from signals_demo import sinks
from signals_demo.conf import Config, config
from signals_demo.events import Event, Resolution, Row, Run, row_of
from signals_demo.sinks import BaseSink, NotReady
from signals_demo.traces import silent
from signals_demo.transactions import COMMITTED, OPEN, ROLLED_BACK, Fate

logger = logging.getLogger("signals_demo")

IDLE = 10.0  # seconds without an event after which the connection is given back
PAUSE = 60.0  # seconds for which a migration that never ends can hold the writer up
MIN_GAP = 0.02  # seconds between two batches, so that busy requests share one
LONGEST_DELAY = 30.0  # seconds between two tries at a sink that is out of order

# Loading and checking models fires these in every process, also in one that has no database:
# alone they are no reason to open one.
PASSIVE = frozenset({"class_prepared", "pre_init", "post_init"})

Item = Event | Run | threading.Event


class Outlet:
    """A sink and what it has not stored yet."""

    def __init__(self, sink: BaseSink) -> None:
        self.sink = sink
        self.pending: deque[Row | Resolution] = deque()
        self.error: Exception | None = None
        self.lost = 0
        self._delay = 0.0
        self._next_try = 0.0

    def add(self, items: Sequence[Row | Resolution]) -> None:
        self.pending.extend(items)
        while len(self.pending) > config().buffer_limit:
            self.pending.popleft()
            self.lost += 1

    def deliver(self, *, now: bool) -> None:
        """Hand what is pending to the sink; after an error wait, twice as long each time."""
        if not now and time.monotonic() < self._next_try:
            return
        try:
            while self.pending:
                self._deliver_batch()
        except NotReady as error:
            self._wait(error, longest=1.0)
        except Exception as error:  # noqa: BLE001 - a sink may raise anything
            if type(error) is not type(self.error):
                logger.warning("Sink %r: %s Will try again.", self.sink.alias, error)
            self._wait(error, longest=LONGEST_DELAY)
            with suppress(Exception):  # what the connection has to say, it has said already
                self.sink.rest()
        else:
            self.error, self._delay = None, 0.0

    def _wait(self, error: Exception, *, longest: float) -> None:
        self.error = error
        self._delay = min(self._delay * 2 or config().flush_interval, longest)
        self._next_try = time.monotonic() + self._delay

    def _deliver_batch(self) -> None:
        kind = type(self.pending[0])
        batch: list[Any] = []
        for item in self.pending:
            if type(item) is not kind or len(batch) == config().batch_size:
                break
            batch.append(item)
        if kind is Row:
            self.sink.store(batch)
        else:
            self.sink.resolve(batch)
        for _ in batch:
            self.pending.popleft()


class OpenRows:
    """The rows that were stored as open, as ranges of numbers: few, however many rows."""

    def __init__(self) -> None:
        self._ranges: dict[Fate, list[tuple[str, str, list[int]]]] = {}
        self._latest: dict[tuple[str, str], tuple[Fate, list[int]]] = {}

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def add(self, fate: Fate, row: Row) -> None:
        place = row.trace_id, row.database
        fate = fate.carrier()
        known, numbers = self._latest.get(place, (None, []))
        if known is fate and fate in self._ranges:
            numbers[1] = row.sequence
            return
        numbers = [row.sequence, row.sequence]
        self._ranges.setdefault(fate, []).append((*place, numbers))
        self._latest[place] = fate, numbers

    def resolved(self, recorder: Any) -> list[Resolution]:
        """Take out and return what is known by now; what was rolled back first.

        A range may reach over rows of a savepoint inside it, so those must not be open any
        more when its own outcome is written.
        """
        found: list[Resolution] = []
        for outcome in (ROLLED_BACK, COMMITTED):
            for fate in [fate for fate in self._ranges if fate.outcome == outcome]:
                found += [
                    Resolution(recorder, first, last, trace_id, database, outcome)
                    for trace_id, database, (first, last) in self._ranges.pop(fate)
                ]
        if not self._ranges:
            self._latest.clear()
        return found


def in_test_environment() -> bool:
    """Return whether Django's test environment is set up in this process."""
    utils = sys.modules.get("django.test.utils")
    return utils is not None and hasattr(utils._TestState, "saved_data")


class Writer:
    """The one writer of this process."""

    def __init__(self) -> None:
        self.start_afresh()

    def start_afresh(self) -> None:
        """Begin as a new process does: own id, nothing buffered, no thread."""
        self.recorder = uuid4()
        self.lost = 0
        self._buffer: deque[Item] = deque()
        self._outlets: list[Outlet] = []
        self._served: Config | None = None
        self._open = OpenRows()
        self._markers: list[threading.Event] = []
        self._thread: threading.Thread | None = None
        self._start = threading.Lock()
        self._turn = threading.RLock()
        self._work = threading.Event()
        self._urgent = threading.Event()
        self._hurry = threading.Event()
        self._asleep = True
        self._closing = False
        self._paused_until = 0.0

    def listening(self) -> bool:
        """Return whether events are wanted at all: a test run stores none unless it asks to."""
        return config().record_tests or not in_test_environment()

    # Called on the host's threads.

    def put(self, item: Event | Run) -> None:
        """Take an event. Never blocks, unless the mode is inline."""
        buffer = self._buffer
        # A run is still growing: the thread writes it when it has ended.
        if config().inline and type(item) is Event and self._write_now(item):
            return
        buffer.append(item)
        waiting = len(buffer)
        if waiting > config().buffer_limit:
            self._drop_oldest()
        if self._asleep:
            if self._thread is not None or not _is_passive(item):
                self._awaken()
        elif waiting == config().batch_size:
            self._urgent.set()

    def wake(self) -> None:
        """Write soon what there is: a unit of work has ended."""
        self._urgent.set()

    def pause(self) -> None:
        """Stay off the database while it is being migrated."""
        self._paused_until = time.monotonic() + PAUSE

    def resume(self) -> None:
        """Write again, and at once: the table may be there now."""
        self._paused_until = 0.0
        for outlet in self._outlets:
            outlet._next_try = 0.0
        self._urgent.set()

    def flush(self, timeout: float) -> bool:
        """Wait until all that was put so far is stored; return False if it was not in time."""
        if self._thread is None and not self._has_work():
            return True
        marker = threading.Event()
        self._buffer.append(marker)
        self._awaken()
        self._hurry.set()
        self._urgent.set()
        if self._thread is None:
            self._cycle(now=True)
        return marker.wait(timeout)

    def _drop_oldest(self) -> None:
        try:
            oldest = self._buffer.popleft()
        except IndexError:
            return
        if isinstance(oldest, threading.Event):
            self._buffer.append(oldest)
        else:
            self.lost += 1

    def _awaken(self) -> None:
        self._asleep = False
        if self._thread is None:
            self._start_thread()
        self._work.set()

    def _start_thread(self) -> None:
        with self._start:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._run, name="signals_demo", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter is going down; `shut_down` writes the rest
                return
            self._thread = thread

    def _write_now(self, event: Event) -> bool:
        """Store an event on the caller's connection; return False if that cannot be done."""
        if in_event_loop() or event.signal == "class_prepared":
            return False
        token = silent.set(True)
        try:
            row = self._row(event)
            if row.outcome == OPEN and row.database == config().database:
                # The row is part of that very transaction: if it can be read, it was committed.
                row = row._replace(outcome=COMMITTED)
            for outlet in self._current_outlets():
                outlet.sink.store([row])
        except NotReady:
            return False
        finally:
            silent.reset(token)
        return True

    # Called on the writer's thread.

    def _run(self) -> None:
        silent.set(True)
        while True:
            if not self._has_work():
                self._sleep()
            self._urgent.wait(config().flush_interval)
            self._urgent.clear()
            self._hurry.clear()
            self._cycle(now=self._closing)
            self._hurry.wait(MIN_GAP)

    def _has_work(self) -> bool:
        return bool(
            self._buffer or self._open or any(outlet.pending for outlet in self._outlets)
        )

    def _sleep(self) -> None:
        self._work.clear()
        self._asleep = True
        # An event put just before saw us awake and did not call.
        if self._buffer:
            self._asleep = False
            return
        if not self._work.wait(IDLE):
            with self._turn:
                for outlet in self._outlets:
                    outlet.sink.rest()
            self._work.wait()

    def _cycle(self, *, now: bool) -> None:
        token = silent.set(True)
        try:
            with self._turn:
                self._write(now=now)
        finally:
            silent.reset(token)

    def _write(self, *, now: bool) -> None:
        if time.monotonic() < self._paused_until and not self._closing:
            return
        while True:
            items = self._grab()
            self._take(items)
            self._deliver(now=now or bool(self._markers))
            if not self._buffer or any(outlet.pending for outlet in self._outlets):
                break
        stored = not any(outlet.pending for outlet in self._outlets)
        if stored or self._closing:
            for marker in self._markers:
                marker.set()
            self._markers.clear()

    def _grab(self) -> list[Item]:
        items: list[Item] = []
        for _ in range(config().batch_size):
            try:
                items.append(self._buffer.popleft())
            except IndexError:
                break
        return items

    def _take(self, items: Sequence[Item]) -> None:
        """Render events and pass them on to every outlet."""
        outlets = self._current_outlets()
        wanted = self.listening()
        new: list[Row | Resolution] = []
        for item in items:
            if isinstance(item, threading.Event):
                self._markers.append(item)
            elif wanted:
                new.append(self._row(item.seal() if isinstance(item, Run) else item))
        if self._open:
            new += self._open.resolved(self.recorder)
        if new:
            for outlet in outlets:
                outlet.add(new)

    def _current_outlets(self) -> list[Outlet]:
        """Return the outlets of the configuration in force; new ones inherit what is pending."""
        if self._served is not config():
            pending = {outlet.sink.alias: outlet.pending for outlet in self._outlets}
            self._served = config()
            self._outlets = [Outlet(sink) for sink in sinks.configured()]
            for outlet in self._outlets:
                outlet.pending.extend(pending.get(outlet.sink.alias, ()))
        return self._outlets

    def _row(self, event: Event) -> Row:
        fate = event.fate
        if fate is None:
            return row_of(event, self.recorder, "")
        outcome = fate.outcome
        row = row_of(event, self.recorder, outcome)
        if outcome == OPEN:
            self._open.add(fate, row)
        return row

    def _deliver(self, *, now: bool) -> None:
        for outlet in self._outlets:
            outlet.deliver(now=now)

    # The end of the process, a fork, another configuration.

    def shut_down(self) -> None:
        """Store what is left, as far as the sinks take it, and say what is lost."""
        self._closing = True
        self._paused_until = 0.0
        waiting = any(not _is_passive(item) for item in list(self._buffer))
        if not waiting and not self._open and not any(outlet.pending for outlet in self._outlets):
            return
        self.flush(timeout=5.0)
        outlets = self._outlets
        left = len(self._buffer) + max((len(outlet.pending) for outlet in outlets), default=0)
        if left:
            reason = next((outlet.error for outlet in outlets if outlet.error), None)
            table = isinstance(reason, NotReady)
            logger.warning(
                "%d signal events of this process were not stored: %s",
                left,
                'their table does not exist yet. Run "manage.py migrate".' if table else reason,
            )


def _is_passive(item: Item) -> bool:
    return not isinstance(item, Event) or item.signal in PASSIVE


def in_event_loop() -> bool:
    """Return whether this thread runs an event loop, in which Django forbids queries."""
    asyncio = sys.modules.get("asyncio.events")
    return asyncio is not None and asyncio._get_running_loop() is not None


writer = Writer()

atexit.register(writer.shut_down)


def after_fork(call: Callable[[], None]) -> None:
    """Call something in each forked child, where the platform forks."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=call)


after_fork(writer.start_afresh)
