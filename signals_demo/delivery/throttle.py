"""Slows the worker down while requests are served: they go first.

A thread that waits for the database releases the interpreter's lock and asks for it back a moment
later. If the worker holds it then, the request waits, once per query. A database that is busy with
many rows of the worker's makes it wait as well.
"""

from collections.abc import Iterable, Iterator, Sequence
from threading import get_ident
from typing import TypeVar

from signals_demo.clock import clock
from signals_demo.delivery.wakeup import Wakeup
from signals_demo.forks import after_fork

T = TypeVar("T")

STEP = 4  # rows between two looks whether a request is served: about 100 µs
PORTION = 32  # rows that the database gets at a time while requests come: about 1 ms
YIELD = 50e-6  # seconds: with no pause the worker takes the interpreter's lock again at once
BUDGET = 0.1  # seconds that a batch waits for requests in total
POLL = 0.005  # seconds between two looks whether a request is still served
MANY = 200  # requests, more than are served at a time
LONG = 1.0  # seconds after which a request is one that never ends: a stream, a poll, a chat


class Throttle:
    """How fast the worker may go."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin as a forked child must: its parent serves the requests of its parent."""
        self._requests: dict[object, float] = {}
        self._latest = 0.0
        self._none_served = Wakeup()
        self._is_waiting = False
        self._thread = 0
        self._budget = 0.0
        self._gives_way = True

    # Called on the project's threads.

    def begin(self, request: object) -> None:
        """Note that a request is served from now on."""
        self._requests[request] = self._latest = clock.monotonic()
        if len(self._requests) > MANY:
            self._forget()

    def end(self, request: object) -> None:
        """Note that a request is not served any more."""
        self._requests.pop(request, None)
        if self._is_waiting and not self._requests:
            self._none_served.set()

    def stop_waiting(self) -> None:
        """Let the batch that is being written wait no longer: a thread waits for it."""
        self._budget = 0.0
        self._none_served.set()

    # Called on the worker's thread. On any other they do nothing: inline, that is the project's.

    def start(self, budget: float, *, gives_way: bool = True) -> None:
        """Begin a batch that may wait for requests, so many seconds in total.

        One that does not give way never lets go of the interpreter: each time it would have to
        wait for all of the project's threads.
        """
        self._thread = get_ident()
        self._budget = budget
        self._gives_way = gives_way

    def pause(self) -> None:
        """Offer the interpreter's lock to the project's threads, unless it must not wait."""
        if self._gives_way:
            clock.sleep(YIELD)

    def steps(self, items: Iterable[T]) -> Iterator[T]:
        """Yield `items`, and give way to requests in between."""
        for number, item in enumerate(items, 1):
            yield item
            if not number % STEP:
                self.give_way()

    def portions(self, items: Sequence[T]) -> Iterator[Sequence[T]]:
        """Yield `items`: a few at a time if there is time and requests come.

        Also in the pauses between requests: one may come while the database is at work.
        """
        start = 0
        while start < len(items):
            few = (
                self._budget > 0 and clock.monotonic() < self._latest + LONG and self._is_worker()
            )
            end = start + PORTION if few else len(items)
            yield items[start:end]
            start = end
            self.give_way()

    def give_way(self) -> None:
        """Let requests go first; if there is time, until none is served."""
        if not (self._requests and self._gives_way and self._is_worker()):
            return
        clock.sleep(YIELD)
        while self._budget > 0 and self._is_serving():
            began = clock.monotonic()
            self._none_served.clear()
            self._is_waiting = True
            self._none_served.wait(min(self._budget, POLL))
            self._is_waiting = False
            self._budget -= clock.monotonic() - began

    def _is_worker(self) -> bool:
        return get_ident() == self._thread

    def _is_serving(self) -> bool:
        self._forget()
        return bool(self._requests)

    def _forget(self) -> None:
        """Forget the requests that never end, or whose end is never noted."""
        latest = clock.monotonic() - LONG
        for request, begun in list(self._requests.items()):
            if begun < latest:
                self._requests.pop(request, None)


throttle = Throttle()

after_fork(throttle.reset)
