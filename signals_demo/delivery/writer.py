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
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from typing import NamedTuple
from uuid import uuid4

from django.db import connections

from signals_demo.catalog import PASSIVE
from signals_demo.catalog.outcomes import OPEN
from signals_demo.conf import Config, config
from signals_demo.delivery.inline import Inline, in_event_loop
from signals_demo.delivery.journal import Journal, Sealed
from signals_demo.delivery.recovery import Leftovers, recover_all
from signals_demo.delivery.session import session
from signals_demo.delivery.sink_queue import OpenRows, Outlet, Stored
from signals_demo.delivery.throttle import BUDGET, YIELD, throttle
from signals_demo.delivery.wakeup import Wakeup
from signals_demo.events import Attribution, Event, Kept, Row, Run, rendered
from signals_demo.faults import faults, note_fault
from signals_demo.forks import after_fork, can_have_threads, threads_stand_still
from signals_demo.serialize.arguments import Description
from signals_demo.serialize.text import encode
from signals_demo.sinks import configured
from signals_demo.tracing.origins import process_trace
from signals_demo.tracing.scope import silent

logger = logging.getLogger("signals_demo")

IDLE = 10.0  # seconds without an event after which the connection is given back
PAUSE = 60.0  # seconds for which a migration that never ends can hold the writer up
MIN_GAP = 0.1  # seconds between two batches, so that busy requests share one
HELD = 20  # rows rendered before the interpreter's lock is offered to any thread of the host's
AMPLE = 10  # batches: when more are waiting, the writer waits for nobody
RECOVERY = 60.0  # seconds after which it looks again for what processes that died have left
LOST = "signals_demo.events_lost"

Item = Event | Kept | Run | Attribution | Sealed | threading.Event


def in_test_environment() -> bool:
    """Return whether Django's test environment is set up in this process."""
    # Another thread may be at importing the module, and has not come to the class yet.
    state = getattr(sys.modules.get("django.test.utils"), "_TestState", None)
    return hasattr(state, "saved_data")


# What sees each event at once, on the thread that fires, stored or not: `testing` hooks in here.
# While there is any, nothing is folded.
taps: list[Callable[[Event], None]] = []


def listening() -> bool:
    """Return whether events are wanted at all."""
    return bool(taps) or storing()


def storing() -> bool:
    """Return whether events are stored: in a test run only if it asks for that."""
    return config().record_tests or not in_test_environment()


class Health(NamedTuple):
    """How the recorder of this process is, in events; `journal` is in bytes, None without one."""

    waiting: int
    stored: int
    lost: int
    trouble: str
    """Why what is waiting cannot be stored at present."""
    faults: Mapping[str, int]
    """What could not be recorded at all, by kind."""
    journal: int | None


class Writer:
    """The one writer of this process."""

    def __init__(self) -> None:
        self.journal: Journal | None = None
        self.start_afresh()

    def start_afresh(self) -> None:
        """Begin as a new process does: own id, nothing buffered, no thread."""
        Run.generation += 1  # what runs now is the parent's to count
        if self.journal is not None:
            self.journal.abandon()
        self.journal = None
        self.recorder = uuid4()
        self.numbers = count(1)
        self.lost = 0
        self._buffer: deque[Item] = deque()
        self._outlets: list[Outlet] = []
        self._served: Config | None = None
        self._open = OpenRows()
        self._sealed: list[Sealed] = []
        self._markers: list[threading.Event] = []
        self._awaited: set[threading.Event] = set()
        self._thread: threading.Thread | None = None
        self._in_use = False
        self._no_thread = False
        self._start = threading.RLock()
        self._turn = threading.RLock()
        self._setup = threading.RLock()
        self._drop = threading.RLock()
        self._work = Wakeup()
        self._urgent = Wakeup()
        self._hurry = Wakeup()
        self._asleep = True
        self._closing = False
        self._stopping = False
        self._to_go_on = False
        self._paused_until = 0.0
        self._next_recovery = 0.0
        self._told = 0
        self._inline = Inline()

    # Called on the host's threads.

    def put(self, item: Event | Run | Attribution) -> None:
        """Take an event. Never blocks, unless the mode is inline."""
        if taps:
            if type(item) is Event:
                for tap in tuple(taps):
                    tap(item)
            if not storing():
                return
        buffer = self._buffer
        now = config()
        # A run is still growing: the thread writes it when it has ended.
        if now.mode == "inline" and type(item) is Event and self._write_now(item):
            if buffer and self._asleep:
                self._awaken()
            return
        if now.journal_dir is None:
            buffer.append(item)
        else:
            self._put_in_journal(item)
        waiting = len(buffer)
        if waiting > now.buffer_limit:
            self._drop_oldest()
        if self._asleep:
            if self._in_use or not _is_passive(item):
                self._awaken()
        elif waiting == now.batch_size:
            self._urgent.set()

    def _put_in_journal(self, item: Event | Run | Attribution) -> None:
        journal = self._current_journal()
        if journal is None:
            self._buffer.append(item)
            return
        if isinstance(item, Attribution):
            journal.append_actor(item)
            self._buffer.append(item)
            return
        event = item.event if isinstance(item, Run) else item
        row = rendered(event, self.recorder, event.outcome_value)
        with journal.lock:  # so that the buffer has the order of the journal
            ended = journal.append_event(row, event.outcome)
            if isinstance(item, Run):
                item.on_add = journal.append_again
                self._buffer.append(item)
            else:
                self._buffer.append(Kept(item, row))
            if ended is not None:
                self._buffer.append(ended)

    def _current_journal(self) -> Journal | None:
        folder = config().journal_dir
        journal = self.journal
        if (journal.folder if journal else None) == folder:
            return journal
        with self._setup:  # the first events of several threads may come here at once
            journal = self.journal
            if (journal.folder if journal else None) != folder:
                self.journal = Journal(folder, self.recorder) if folder else None
                if journal is not None:  # another setting: what it holds is in the buffer too
                    journal.close(is_stored=not journal.spilled)
                    journal.abandon()
            return self.journal

    def _write_now(self, event: Event) -> bool:
        """Store an event on the caller's connection; return False if that cannot be done."""
        if time.monotonic() < self._paused_until:
            return False
        done, left = self._inline.written(event, self.recorder, self._current_outlets)
        self._buffer.extend(left)
        return done

    def wake(self) -> None:
        """Write soon what there is: a unit of work has ended."""
        self._urgent.set()
        if threads_stand_still() and not any(outlet.reason for outlet in self._outlets):
            # A thread stopped in the middle of a batch would keep the database locked.
            self.flush(timeout=1.0)
        elif self._no_thread:
            self._write_here()

    def _write_here(self) -> None:
        """Store what waits on the caller's connection, which is closed again if it was."""
        connection = connections[config().database]
        if connection.in_atomic_block or in_event_loop():
            return
        was_open = connection.connection is not None
        try:
            self._cycle(now=False)
        except Exception:  # noqa: BLE001 - nothing may reach the host
            note_fault("A batch of events")
        if not was_open:
            connection.close()

    def pause(self) -> None:
        """Stay off the database while it is being migrated."""
        self._paused_until = time.monotonic() + PAUSE

    def resume(self) -> None:
        """Write again, and at once: the table may be there now."""
        self._paused_until = 0.0
        self._next_recovery = 0.0
        for outlet in self._outlets:
            outlet.try_now()
        self._urgent.set()

    def flush(self, timeout: float) -> bool:
        """Wait until all that was put so far is stored; return False if it was not in time."""
        if self._thread is None and not self._has_work():
            return True
        marker = threading.Event()
        self._awaited.add(marker)
        self._buffer.append(marker)
        self._awaken()
        self._hurry.set()
        self._urgent.set()
        throttle.stop_waiting()
        if self._thread is None:
            self._cycle(now=True)
        in_time = marker.wait(timeout)
        marker.set()  # so that the thread does not go on hurrying for one who has left
        self._awaited.discard(marker)
        return in_time

    def health(self) -> Health:
        """Return how this process's recorder is."""
        outlets, journal = self._outlets, self.journal
        return Health(
            self._waiting(),
            max((outlet.stored for outlet in outlets), default=0),
            self.lost + max((outlet.lost for outlet in outlets), default=0),
            next(filter(None, (outlet.reason for outlet in outlets)), ""),
            dict(faults),
            None if journal is None else journal.size(),
        )

    def _waiting(self) -> int:
        """Return how many events wait: beside them others do, markers and outcomes."""
        pending = max((_events(outlet.pending) for outlet in self._outlets), default=0)
        return _events(self._buffer) + pending

    def _drop_oldest(self) -> None:
        with self._drop:  # or two threads would count one loss
            try:
                oldest = self._buffer.popleft()
            except IndexError:
                return
            if isinstance(oldest, threading.Event):
                self._buffer.append(oldest)
            else:
                self.lost += self._let_go(oldest)

    def _let_go(self, item: Stored | Item) -> int:
        """Return how many firings are lost with an item for which there is no room."""
        if isinstance(item, Run):
            item = item.seal()  # what comes now begins another
        if isinstance(item, Kept):
            item = item.row
        if not isinstance(item, (Event, Row)):
            return 0
        if self.journal is not None and item.sequence not in self.journal.missing:
            self.journal.spilled = True  # it is read back from there
            return 0
        return item.count

    def _awaken(self) -> None:
        self._asleep = False
        if self._thread is None:
            self._start_thread()
        self._work.set()

    def _start_thread(self) -> None:
        with self._start:
            if self._thread is not None:
                return
            if not can_have_threads():
                self._tell_of_threads()
                return
            self._in_use = True
            self._thread = threading.Thread(target=self._run, name="signals_demo", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:
                # No more threads, or the interpreter is going down: then `shut_down` writes.
                self._thread = None
                self._asleep = self._no_thread = True
                return
            self._no_thread = False
            self._shut_down_with_multiprocessing()

    def _tell_of_threads(self) -> None:
        if not self._in_use:
            self._in_use = True
            logger.warning(
                "The master of uWSGI runs no threads, so what it loads now is not recorded."
                " Give uWSGI --enable-threads or --lazy-apps."
            )

    def _shut_down_with_multiprocessing(self) -> None:
        """Shut down at the end of a child of multiprocessing, which calls no `atexit`."""
        process = sys.modules.get("multiprocessing.process")
        util = sys.modules.get("multiprocessing.util")
        if process is not None and util is not None and process.parent_process() is not None:
            util.Finalize(None, self.shut_down, exitpriority=-1000)

    # Called on the writer's thread.

    def _run(self) -> None:
        silent.set(1)
        try:
            while not self._stopping:
                if not self._has_work():
                    self._sleep()
                self._urgent.wait(config().flush_interval)
                self._hurry.clear()
                try:
                    self._cycle(now=self._closing)
                except Exception:  # noqa: BLE001 - without this thread nothing would be stored
                    note_fault("A batch of events")
                self._hurry.wait(MIN_GAP)
        finally:  # also when something ends the thread: the next event starts another
            self._rest()
            with suppress(Exception):  # those of sinks that the setting named before
                connections.close_all()
            self._thread = None
            self._asleep = True

    def _has_work(self) -> bool:
        return bool(self._buffer or self._open or any(outlet.pending for outlet in self._outlets))

    def _sleep(self) -> None:
        self._work.clear()
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
                    outlet.sink.close()

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
            throttle.start(BUDGET if self._has_time(now) else 0)
            outlets = self._current_outlets()
            # Events take less room as they were captured than as rows.
            full = all(outlet.is_full for outlet in outlets) and not self._closing
            self._take([] if full else self._grab(), outlets)
            self._markers = [marker for marker in self._markers if not marker.is_set()]
            for outlet in outlets:
                outlet.deliver(now=now or bool(self._markers), stopping=lambda: self._stopping)
            stuck = any(outlet.pending for outlet in outlets)
            self._tell_of_losses()
            if not stuck:
                stuck = not self._tidy_journal(outlets)
            if self._closing or not stuck:
                for marker in self._markers:
                    marker.set()
            if self._stopping or not self._buffer:
                break

    def _has_time(self, now: bool) -> bool:
        """Return whether this is the thread that nobody waits for, and not much is waiting."""
        if now or self._awaited or self._thread is not threading.current_thread():
            return False
        return len(self._buffer) <= AMPLE * config().batch_size

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
        wanted = storing()
        new: list[Stored] = []
        for number, item in enumerate(throttle.steps(items), 1):
            if number % HELD == 0:
                time.sleep(YIELD)
            if isinstance(item, threading.Event):
                self._markers.append(item)
            elif isinstance(item, Attribution):
                new.append(item)
            elif isinstance(item, Sealed):
                item.left = len(outlets)
                self._sealed.append(item)
                new.append(item)
            elif wanted:
                new.append(self._row(item))
            elif isinstance(item, Run):
                item.seal()
        if self._open:
            new += self._open.resolved(self.recorder)
        for outlet in outlets:
            outlet.add(new)
            if lost := outlet.untold(self.lost):
                outlet.pending.append(self._loss(lost))

    def _row(self, item: Event | Kept | Run) -> Row:
        if isinstance(item, Kept):
            event, row = item.event, item.renewed()
        else:
            event = item.seal() if isinstance(item, Run) else item
            row = rendered(event, self.recorder, event.outcome_value)
        if row.outcome == OPEN and event.outcome is not None and not event.outcome.known:
            self._open.add(event.outcome, row)
        return row

    def _loss(self, lost: int) -> Row:
        """Return a row that says how many firings have no row."""
        trace = process_trace()
        about = Description("", encode({"lost": lost, "reason": "BUFFER_LIMIT"}))
        event = Event(
            next(self.numbers), time.time_ns(), LOST, *about, trace, next(trace.positions), 0,
            None, None, None, "{}", None, lost,
        )  # fmt: skip
        return rendered(event, self.recorder, "")

    def _current_outlets(self) -> list[Outlet]:
        """Return the outlets of the configuration in force; new ones inherit what is pending."""
        if self._served is not config():
            with self._setup:  # inline, several threads may come here at once
                wanted = config()
                if self._served is not wanted:
                    before = {outlet.sink.alias: outlet for outlet in self._outlets}
                    outlets = [
                        Outlet(sink, self._let_go, self.lost) for sink in configured(session)
                    ]
                    for outlet in outlets:
                        if outlet.sink.alias in before:
                            outlet.take_over(before[outlet.sink.alias])
                    self._outlets = outlets
                    self._served = wanted
        return self._outlets

    # The journal.

    def _tidy_journal(self, outlets: Sequence[Outlet]) -> bool:
        """Take out of the journal what is stored; return whether all is, of other processes too.

        All that was taken from the buffer has been stored.
        """
        journal = self._current_journal()
        if journal is None:
            return True
        try:
            if journal.spilled:
                self._read_back(journal, outlets)
            if time.monotonic() >= self._next_recovery:
                recover_all(journal.folder, [outlet.sink for outlet in outlets])
                self._next_recovery = time.monotonic() + RECOVERY
        except Exception as error:  # noqa: BLE001 - a sink may raise anything
            logger.warning("What is in the journal cannot be stored yet: %s", error)
            self._next_recovery = time.monotonic() + RECOVERY
            return not journal.spilled
        with journal.lock:
            if not self._buffer and not self._open:
                journal.clear()
                self._sealed.clear()
                return True
        stored = [sealed for sealed in self._sealed if not sealed.left]
        if stored:
            self._carry_over(journal)
            for sealed in stored:
                journal.remove(sealed.path)
                self._sealed.remove(sealed)
        return True

    def _carry_over(self, journal: Journal) -> None:
        """Note the rows that are open, before the files go that hold them."""
        for outcome, ranges in self._open.ranges():
            journal.append_open(outcome, ranges)

    def _read_back(self, journal: Journal, outlets: Sequence[Outlet]) -> None:
        """Store what only the journal holds, because the buffer was full."""
        journal.spilled = False
        try:
            old = journal.rotate()
            for item in list(self._buffer):
                if isinstance(item, Run):
                    item.seal()  # or what is counted later would be missing
            left = Leftovers(journal.folder, self.recorder)
            for batch in left.batches(old, config().batch_size):
                rows = []
                for row, number in batch:
                    outcome = journal.outcome(number)
                    if row.outcome == OPEN and outcome is not None:
                        self._open.add(outcome, row)
                    rows.append(row)
                for outlet in outlets:
                    outlet.sink.store(rows)
        except Exception:
            journal.spilled = True
            raise
        self._carry_over(journal)
        for path in old:
            journal.remove(path)

    # The end of the process, a fork, another configuration.

    def shut_down(self) -> None:
        """Store what is left, as far as the sinks take it, and say what is lost."""
        self._closing = True
        self._paused_until = 0.0
        if not self._in_use and all(map(_is_passive, list(self._buffer))):
            self._give_up_journal(is_stored=True)
            return  # a process that has only loaded models
        self.flush(timeout=5.0)
        self._stop(timeout=1.0)
        self._stopping = False
        outlets = self._outlets
        token = silent.set(silent.get() + 1)
        for outlet in outlets:
            with suppress(Exception):  # what it has to say, it has said already
                outlet.sink.flush()
        silent.reset(token)
        pending = any(outlet.pending for outlet in outlets)
        kept = self._give_up_journal(is_stored=not self._buffer and not pending)
        if left := self._waiting():
            reasons = filter(None, (outlet.reason for outlet in outlets))
            reason = next(reasons, "the time was too short.")
            logger.warning(
                "%d signal events of this process were not stored%s: %s", left, kept, reason
            )

    def _give_up_journal(self, *, is_stored: bool) -> str:
        """Close the journal; return what it means for the events that are left."""
        journal = self.journal
        if journal is None:
            return ""
        journal.close(is_stored=is_stored and not journal.spilled)
        return "" if journal.missing else " yet, the next process or signals_recover will"

    def _stop(self, timeout: float) -> bool:
        """End the thread, so that it gives its connections back; return whether there was one."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return False
        self._stopping = True
        for wakeup in (self._work, self._urgent, self._hurry):
            wakeup.set()
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


def _events(items: Iterable[Item | Stored]) -> int:
    return sum(isinstance(item, (Event, Kept, Run, Row)) for item in list(items))


def _is_passive(item: Item) -> bool:
    if isinstance(item, Kept):
        item = item.event
    if isinstance(item, Event):
        return item.signal in PASSIVE
    return not isinstance(item, Attribution)


writer = Writer()

atexit.register(writer.shut_down)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=writer.before_fork, after_in_parent=writer.after_fork)
after_fork(writer.start_afresh)
