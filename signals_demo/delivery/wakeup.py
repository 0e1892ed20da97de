"""What the worker's thread waits for."""

import threading
from contextlib import suppress


class Wakeup:
    """An event that wakes the worker's thread, and is used up by that.

    Unlike a `threading.Event` it can be set by a signal handler that interrupts `set`: the
    project's threads never hold a lock here. Only one thread may wait for it.
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        """Wake the thread that waits, or the next one that does."""
        if self._lock.locked():
            with suppress(RuntimeError):  # another thread was quicker
                self._lock.release()

    def wait(self, timeout: float = -1) -> bool:
        """Wait until it is set, and clear it. Return False if `timeout` (s) ran out."""
        return self._lock.acquire(timeout=timeout)

    def clear(self) -> None:
        """Undo a `set` that no thread has waited for."""
        self._lock.acquire(blocking=False)
