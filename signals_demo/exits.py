"""What a process does last, also where it ends without calling `atexit`.

A child of `os.fork()` ends by `os._exit()`, and so do those of multiprocessing, of
concurrent.futures and of Celery. A pool is ended by SIGTERM.

Python calls the handler of a signal on the main thread, as soon as that is back in Python. A
signal that comes just before the main thread waits for a lock of multiprocessing interrupts
nothing, and has to wait as long: the child of a pool would never end. So a thread learns of the
signal from the file that `signal.set_wakeup_fd()` names, and interrupts the main thread until that
has heard of it.
"""

import atexit
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from types import FrameType
from typing import Any, NoReturn

from django.db import connections

from signals_demo.forks import after_fork, is_uwsgi

PATIENCE = 1.0  # seconds for which the main thread may be elsewhere, in a driver's code say
INTERVAL = 0.05  # seconds between two tries to interrupt it
EXIT_STATUS = 128 + signal.SIGTERM  # as a shell says that a signal has ended a process

_calls: list[Callable[[], object]] = []
_process = os.getpid()
_is_watching = False
_ending = threading.Lock()
"""Taken by the first thing that ends the process."""
_wakeup: tuple[int, int] | None = None


def at_end(call: Callable[[], object]) -> None:
    """Call this when the process ends: the latest first, as `atexit` does."""
    _calls.append(call)
    atexit.register(call)


def watch() -> None:
    """Watch for the ends that `atexit` does not see: there is something to store from now on."""
    global _is_watching
    if not _is_watching:
        _is_watching = True
        os._exit = _calling_first(os._exit)  # type: ignore[assignment]
    if os.name != "posix" or is_uwsgi():  # where Python does not know the handlers that there are
        return
    if _is_child() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        with suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGTERM, _on_sigterm)
            _listen()


def _calling_first(original: Callable[[int], NoReturn]) -> Callable[[int], NoReturn]:
    @wraps(original)
    def _exit(status: int) -> NoReturn:
        _end()
        original(status)

    return _exit


def _end() -> bool:
    """Do what is to be done last; return False if that is being done already."""
    if _process != os.getpid():
        return True  # of a fork that Python has not seen: what there is is its parent's
    if not _ending.acquire(blocking=False):
        return False
    for call in (_leave_transactions, *reversed(_calls)):
        with suppress(Exception):
            call()
    return True


def _leave_transactions() -> None:
    """Close what is rolled back in a moment anyway: its outcome is known, and its lock is free."""
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            connection.close()


def _is_child() -> bool:
    """Return whether this is a child of multiprocessing, or of Celery's copy of it."""
    process: Any = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        return True
    process = sys.modules.get("billiard.process")
    return process is not None and process.current_process()._parent_pid is not None


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    """Store what there is, and end by the signal as the process would have."""
    if _end():
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def _listen() -> None:
    """Have a thread learn of signals, unless an event loop does: that wakes the main thread."""
    global _wakeup
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    earlier = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    if earlier != -1:
        signal.set_wakeup_fd(earlier)
        os.close(reading)
        os.close(writing)
        return
    _wakeup = reading, writing
    main = threading.main_thread().ident
    threading.Thread(target=_interrupt, args=[reading, main], daemon=True).start()


def _interrupt(reading: int, main: int) -> None:
    """Interrupt the main thread at SIGTERM; if it does not hear, end the process without it."""
    signals = b""
    while signal.SIGTERM not in signals:
        select.select([reading], [], [])
        signals = os.read(reading, 1000)
    for _ in range(round(PATIENCE / INTERVAL)):
        time.sleep(INTERVAL)
        if _ending.locked() or signal.getsignal(signal.SIGTERM) is not _on_sigterm:
            return
        signal.pthread_kill(main, signal.SIGTERM)
    if _end():
        os._exit(EXIT_STATUS)


def _begin() -> None:
    """Begin as a forked child must: SIGTERM ends it at once, until there is something to store."""
    global _process, _ending, _wakeup
    _process = os.getpid()
    _ending = threading.Lock()
    if _wakeup is not None:
        signal.set_wakeup_fd(-1)
        for file in _wakeup:
            os.close(file)
        _wakeup = None
    if signal.getsignal(signal.SIGTERM) is _on_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


after_fork(_begin)
