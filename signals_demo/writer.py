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

from django.db import connections

from signals_demo import sinks
from signals_demo.conf import Config, config
from signals_demo.events import Attribution, Event, Resolution, Row, Run, row_of
from signals_demo.faults import note_fault
from signals_demo.sinks import BaseSink, NotReady
from signals_demo.traces import Actor, silent
from signals_demo.transactions import COMMITTED, OPEN, ROLLED_BACK, Fate, SaveFate
from signals_demo.turns import turns

logger = logging.getLogger("signals_demo")

IDLE = 10.0  # seconds without an event after which the connection is given back
PAUSE = 60.0  # seconds for which a migration that never ends can hold the writer up
MIN_GAP = 0.02  # seconds between two batches, so that busy requests share one
LONGEST_DELAY = 30.0  # seconds between two tries at a sink that is out of order

# Loading and checking models fires these in every process, also in one that has no database:
# alone they are no reason to open one.
PASSIVE = frozenset({"class_prepared", "pre_init", "post_init"})

Item = Event | Run | Attribution | threading.Event
Stored = Row | Resolution | Attribution


class Bell:
    """What wakes the writer's thread.

    Unlike a `threading.Event` it may be rung in a signal handler that came in the middle of a
    ring: the host's thread never holds a lock here. Only one thread may wait for it.
    """

    __slots__ = ("_silence",)

    def __init__(self) -> None:
        self._silence = threading.Lock()
        self._silence.acquire()

    def ring(self) -> None:
        """Wake who waits, or the next who does."""
        if self._silence.locked():
            with suppress(RuntimeError):  # another thread was quicker
                self._silence.release()

    def wait(self, timeout: float = -1) -> bool:
        """Wait for a ring and use it up; return False if there was none in time."""
        return self._silence.acquire(timeout=timeout)

    def hush(self) -> None:
        """Forget a ring that nobody waited for."""
        self._silence.acquire(blocking=False)


class Outlet:
    """A sink and what it has not stored yet."""

    def __init__(self, sink: BaseSink) -> None:
        self.sink = sink
        self.pending: deque[Stored] = deque()
        # Not the exception: its traceback holds frames, and through them rows and cursors.
        self.reason = ""
        self._failure: type[Exception] | None = None
        self.lost = 0
        self._delay = 0.0
        self._next_try = 0.0

    def add(self, items: Sequence[Stored]) -> None:
        self.pending.extend(items)
        while len(self.pending) > config().buffer_limit:
            if type(self.pending.popleft()) is Row:
                self.lost += 1

    def deliver(self, *, now: bool, stopping: Callable[[], bool]) -> None:
        """Hand what is pending to the sink; after an error wait, twice as long each time."""
        if not now and time.monotonic() < self._next_try:
            return
        try:
            while self.pending:
                self._deliver_batch()
                if stopping():
                    break
        except NotReady as error:
            self._wait(error, longest=1.0)
        except Exception as error:  # noqa: BLE001 - a sink may raise anything
            if type(error) is not self._failure:
                logger.warning("Sink %r: %s Will try again.", self.sink.alias, error)
            self._wait(error, longest=LONGEST_DELAY)
            with suppress(Exception):  # what the connection has to say, it has said already
                self.sink.rest()
        else:
            self.reason, self._failure, self._delay = "", None, 0.0

    def _wait(self, error: Exception, *, longest: float) -> None:
        self.reason, self._failure = str(error), type(error)
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
        elif kind is Resolution:
            self.sink.resolve(batch)
        else:
            self.sink.attribute(batch)
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
        number = row.sequence
        fate = fate.carrier()
        known, numbers = self._latest.get(place, (None, [0, 0]))
        first, last = numbers
        # Threads hand over their events a little out of order.
        if known is fate:
            numbers[:] = min(first, number), max(last, number)
            return
        if known is not None and first < number < last:
            numbers[1] = number - 1
            self._ranges[known].append((*place, [number + 1, last]))
        numbers = [number, number]
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
                for trace_id, database, (first, last) in self._ranges.pop(fate):
                    found.append(Resolution(recorder, first, last, trace_id, database, outcome))
                    if self._latest.get((trace_id, database), (None,))[0] is fate:
                        del self._latest[trace_id, database]
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
        self._in_use = False
        self._start = threading.RLock()
        self._turn = threading.RLock()
        self._setup = threading.RLock()
        self._work = Bell()
        self._urgent = Bell()
        self._hurry = Bell()
        self._asleep = True
        self._closing = False
        self._stopping = False
        self._to_go_on = False
        self._paused_until = 0.0
        self._told = 0
        self._inline = Inline()

    def listening(self) -> bool:
        """Return whether events are wanted at all: a test run stores none unless it asks to."""
        return config().record_tests or not in_test_environment()

    # Called on the host's threads.

    def put(self, item: Event | Run | Attribution) -> None:
        """Take an event. Never blocks, unless the mode is inline."""
        buffer = self._buffer
        # A run is still growing: the thread writes it when it has ended.
        if config().inline and type(item) is Event and self._write_now(item):
            if buffer and self._asleep:
                self._awaken()
            return
        buffer.append(item)
        waiting = len(buffer)
        if waiting > config().buffer_limit:
            self._drop_oldest()
        if self._asleep:
            if self._in_use or not _is_passive(item):
                self._awaken()
        elif waiting == config().batch_size:
            self._urgent.ring()

    def wake(self) -> None:
        """Write soon what there is: a unit of work has ended."""
        self._urgent.ring()

    def pause(self) -> None:
        """Stay off the database while it is being migrated."""
        self._paused_until = time.monotonic() + PAUSE

    def resume(self) -> None:
        """Write again, and at once: the table may be there now."""
        self._paused_until = 0.0
        for outlet in self._outlets:
            outlet._next_try = 0.0
        self._urgent.ring()

    def flush(self, timeout: float) -> bool:
        """Wait until all that was put so far is stored; return False if it was not in time."""
        if self._thread is None and not self._has_work():
            return True
        marker = threading.Event()
        self._buffer.append(marker)
        self._awaken()
        self._hurry.ring()
        self._urgent.ring()
        if self._thread is None:
            self._cycle(now=True)
        in_time = marker.wait(timeout)
        marker.set()  # so that the thread does not go on hurrying for one who has left
        return in_time

    def _drop_oldest(self) -> None:
        try:
            oldest = self._buffer.popleft()
        except IndexError:
            return
        if isinstance(oldest, threading.Event):
            self._buffer.append(oldest)
            return
        if isinstance(oldest, Run):
            oldest.seal()  # what comes now begins another
        self.lost += 1

    def _awaken(self) -> None:
        self._asleep = False
        if self._thread is None:
            self._start_thread()
        self._work.ring()

    def _start_thread(self) -> None:
        with self._start:
            if self._thread is not None:
                return
            self._in_use = True
            self._thread = threading.Thread(target=self._run, name="signals_demo", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:
                # No more threads, or the interpreter is going down: then `shut_down` writes.
                self._thread = None
                self._asleep = True
                return
            self._shut_down_with_multiprocessing()

    def _shut_down_with_multiprocessing(self) -> None:
        """Shut down at the end of a child of multiprocessing, which calls no `atexit`."""
        process = sys.modules.get("multiprocessing.process")
        util = sys.modules.get("multiprocessing.util")
        if process is not None and util is not None and process.parent_process() is not None:
            util.Finalize(None, self.shut_down, exitpriority=-1000)

    def _write_now(self, event: Event) -> bool:
        """Store an event on the caller's connection; return False if that cannot be done."""
        if in_event_loop() or time.monotonic() < self._paused_until:
            return False
        if event.signal in PASSIVE and connections[config().database].connection is None:
            return False
        fate = event.fate
        if isinstance(fate, SaveFate) and fate.is_waiting:
            self._inline.held.append((fate, event))
            return True
        ready = [*self._inline.released(), event]
        if all(self._can_join(one) for one in ready) and self._store_now(ready):
            return True
        self._buffer.extend(ready[:-1])
        return False

    def _can_join(self, event: Event) -> bool:
        """Return whether an event needs no transaction, or the one that its row would be in."""
        fate = event.fate
        return fate is None or fate.outcome != OPEN or event.database == config().database

    def _store_now(self, events: Sequence[Event]) -> bool:
        token = silent.set(silent.get() + 1)
        try:
            rows = [self._rendered(event, self._outcome_inline(event)) for event in events]
            for outlet in self._current_outlets():
                outlet.sink.store(rows)
        except NotReady:
            self._paused_until = time.monotonic() + 1.0
            return False
        except Exception as error:  # noqa: BLE001 - a sink may raise anything
            if type(error) is not self._inline.error:
                logger.warning("Not stored inline, so the thread will try: %s", error)
            self._inline.error = type(error)
            return False
        finally:
            silent.reset(token)
        return True

    def _outcome_inline(self, event: Event) -> str:
        fate = event.fate
        if fate is None or fate.is_settled:
            return "" if fate is None else fate.outcome
        # The row is part of that very transaction: if it can be read, it was committed.
        return COMMITTED

    # Called on the writer's thread.

    def _run(self) -> None:
        silent.set(1)
        while not self._stopping:
            if not self._has_work():
                self._sleep()
            self._urgent.wait(config().flush_interval)
            self._hurry.hush()
            try:
                self._cycle(now=self._closing)
            except Exception:  # noqa: BLE001 - without this thread nothing would be stored
                note_fault("A batch of events")
            self._hurry.wait(MIN_GAP)
        self._rest()
        self._thread = None
        self._asleep = True

    def _has_work(self) -> bool:
        return bool(self._buffer or self._open or any(outlet.pending for outlet in self._outlets))

    def _sleep(self) -> None:
        self._work.hush()
        self._asleep = True
        # An event put just before saw us awake and did not call.
        if self._buffer or self._stopping:
            self._asleep = False
            return
        if not self._work.wait(IDLE):
            self._rest()
            self._work.wait()

    def _rest(self) -> None:
        with self._turn:
            for outlet in self._outlets:
                with suppress(Exception):  # it is asked to stop, not to succeed
                    outlet.sink.rest()

    def _cycle(self, *, now: bool) -> None:
        token = silent.set(silent.get() + 1)
        try:
            with self._turn:
                self._write(now=now)
        finally:
            silent.reset(token)

    def _write(self, *, now: bool) -> None:
        if time.monotonic() < self._paused_until and not self._closing:
            return
        stuck = False
        while not stuck:
            outlets = self._current_outlets()
            self._take(self._grab(), outlets)
            self._markers = [marker for marker in self._markers if not marker.is_set()]
            for outlet in outlets:
                outlet.deliver(now=now or bool(self._markers), stopping=lambda: self._stopping)
            stuck = any(outlet.pending for outlet in outlets)
            self._tell_of_losses()
            if self._closing or not stuck:
                for marker in self._markers:
                    marker.set()
            if self._stopping or not self._buffer:
                break

    def _tell_of_losses(self) -> None:
        lost = self.lost + max((outlet.lost for outlet in self._outlets), default=0)
        if lost >= max(self._told * 2, 1):
            self._told = lost
            logger.error(
                "%d signal events were lost so far: more than BUFFER_LIMIT were waiting.", lost
            )

    def _grab(self) -> list[Item]:
        items: list[Item] = []
        for _ in range(config().batch_size):
            try:
                items.append(self._buffer.popleft())
            except IndexError:
                break
        return items

    def _take(self, items: Sequence[Item], outlets: Sequence[Outlet]) -> None:
        """Render events and pass them on to every outlet."""
        wanted = self.listening()
        new: list[Stored] = []
        for item in items:
            if isinstance(item, threading.Event):
                self._markers.append(item)
            elif isinstance(item, Attribution):
                new.append(item)
            elif wanted:
                new.append(self._row(item.seal() if isinstance(item, Run) else item))
            elif isinstance(item, Run):
                item.seal()
        if self._open:
            new += self._open.resolved(self.recorder)
        if new:
            for outlet in outlets:
                outlet.add(new)

    def _current_outlets(self) -> list[Outlet]:
        """Return the outlets of the configuration in force; new ones inherit what is pending."""
        if self._served is not config():
            with self._setup:  # inline, several threads may come here at once
                wanted = config()
                if self._served is not wanted:
                    pending = {outlet.sink.alias: outlet.pending for outlet in self._outlets}
                    outlets = [Outlet(sink) for sink in sinks.configured()]
                    for outlet in outlets:
                        outlet.pending.extend(pending.get(outlet.sink.alias, ()))
                    self._outlets = outlets
                    self._served = wanted
        return self._outlets

    def _row(self, event: Event) -> Row:
        fate = event.fate
        if fate is None:
            return self._rendered(event, "")
        outcome = fate.outcome
        row = self._rendered(event, outcome)
        if outcome == OPEN and not fate.is_settled:
            self._open.add(fate, row)
        return row

    def _rendered(self, event: Event, outcome: str) -> Row:
        try:
            row = row_of(event, self.recorder, outcome)
            trace = event.trace
            if not row.actor and trace.origin == "request":
                trace.stored_without_actor = True
                if trace.is_over:  # which ended before it was told: then it has its actor
                    row = row_of(event, self.recorder, outcome)
            return row
        except Exception:  # noqa: BLE001 - one event must not keep the others out
            note_fault(event.signal)
            bare = event._replace(
                arguments={"…": "not rendered"}, changes=None, actor=Actor("", "")
            )
            return row_of(bare, self.recorder, outcome)

    # The end of the process, a fork, another configuration.

    def shut_down(self) -> None:
        """Store what is left, as far as the sinks take it, and say what is lost."""
        self._closing = True
        self._paused_until = 0.0
        if not self._in_use and all(map(_is_passive, list(self._buffer))):
            return  # a process that has only loaded models
        self.flush(timeout=5.0)
        self._stop(timeout=1.0)
        self._stopping = False
        outlets = self._outlets
        left = len(self._buffer) + max((len(outlet.pending) for outlet in outlets), default=0)
        if left:
            reasons = filter(None, (outlet.reason for outlet in outlets))
            reason = next(reasons, "the time was too short.")
            logger.warning("%d signal events of this process were not stored: %s", left, reason)

    def _stop(self, timeout: float) -> bool:
        """End the thread, so that it gives its connections back; return whether there was one."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return False
        self._stopping = True
        for bell in (self._work, self._urgent, self._hurry):
            bell.ring()
        thread.join(timeout)
        return True

    def before_fork(self) -> None:
        """End the thread: a child must not inherit its connection, nor locks of its driver."""
        self._start.acquire()
        self._to_go_on = self._stop(timeout=10.0)

    def after_fork(self) -> None:
        """Go on in the parent."""
        self._stopping = False
        self._start.release()
        if self._to_go_on and self._has_work():
            self._awaken()


class Inline(threading.local):
    """What inline mode keeps for each of the host's threads."""

    def __init__(self) -> None:
        self.held: list[tuple[SaveFate, Event]] = []
        """Events of saves that may still fail: they are stored when the save is done."""
        self.error: type[Exception] | None = None

    def released(self) -> list[Event]:
        """Take out the events whose save is done; forget those whose save has failed."""
        if not self.held:
            return []
        held = self.held
        self.held = [(fate, event) for fate, event in held if fate.is_waiting]
        return [
            event for fate, event in held if not fate.is_waiting and fate.outcome != ROLLED_BACK
        ]


def _is_passive(item: Item) -> bool:
    if isinstance(item, Event):
        return item.signal in PASSIVE
    return not isinstance(item, Attribution)


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


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=writer.before_fork, after_in_parent=writer.after_fork)
after_fork(writer.start_afresh)
after_fork(turns.start_afresh)
