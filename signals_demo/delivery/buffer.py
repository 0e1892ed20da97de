"""What was captured and waits for the worker, and what is dropped when too much waits."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from signals_demo.delivery.journal import Journal
from signals_demo.delivery.rows import Buffered, NoEvent, Queued, RowBatch


class Losses:
    """What is dropped when there is no room, and is not in the journal."""

    def __init__(self) -> None:
        self.journal: Journal | None = None

    def of(self, entry: Queued) -> int:
        """Return how many firings are lost with an entry that is dropped."""
        firings = entry.firings
        if firings and self.journal is not None and self.journal.holds(entry.sequence):
            self.journal.has_overflow = True  # it is read back from there
            return 0
        return firings


class Flush(NoEvent):
    """A place in the buffer. When all before it is stored, the thread that waits goes on."""

    def __init__(self) -> None:
        self.is_reached = False
        self._is_over = threading.Event()

    def add_to(self, batch: RowBatch) -> None:
        self.is_reached = True

    def wait(self, timeout: float) -> bool:
        """Wait until all before it is stored; return False if `timeout` (s) ran out."""
        return self._is_over.wait(timeout)

    def end(self) -> None:
        """Let the thread that waits go on."""
        self._is_over.set()


class Buffer:
    """What waits for the worker, in the order in which it was captured."""

    def __init__(self) -> None:
        self.items: deque[Buffered] = deque()
        """Appended to on the project's threads."""
        self.flushes: list[Flush] = []
        """Those that a thread waits for."""
        self.losses = Losses()
        self.lost = 0
        """Firings that were lost here."""
        self._lock = threading.RLock()

    def drop_oldest(self) -> None:
        """Drop an item, because more than BUFFER_LIMIT wait."""
        with self._lock:  # or two threads would count one loss
            try:
                oldest = self.items.popleft()
            except IndexError:
                return
            if any(oldest is flush for flush in list(self.flushes)):
                self.items.append(oldest)
            else:
                self.lost += self.losses.of(oldest.seal())

    def take(self, most: int) -> list[Buffered]:
        """Take out the oldest items, at most so many."""
        items: list[Buffered] = []
        for _ in range(most):
            try:
                items.append(self.items.popleft())
            except IndexError:
                break
        return items

    def seal(self) -> None:
        """Let no item change any more."""
        for item in list(self.items):
            item.seal()

    @contextmanager
    def flush(self) -> Iterator[Flush]:
        """Keep a flush behind all that is in the buffer now, while a thread waits for it."""
        flush = Flush()
        self.flushes.append(flush)
        self.items.append(flush)
        try:
            yield flush
        finally:
            self.flushes.remove(flush)

    @property
    def reached(self) -> list[Flush]:
        """Return the flushes before which nothing waits here any more."""
        return [flush for flush in list(self.flushes) if flush.is_reached]

    @property
    def waiting(self) -> int:
        """Return how many events wait: beside them there are flushes and others."""
        return sum(item.firings > 0 for item in list(self.items))

    @property
    def is_passive(self) -> bool:
        """Return whether nothing here is a reason to open a database."""
        return all(item.is_passive for item in list(self.items))
