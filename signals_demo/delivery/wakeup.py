"""What the writer's thread waits for."""

import threading
from contextlib import suppress


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
