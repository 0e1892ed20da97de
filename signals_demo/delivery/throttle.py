"""Lets the host's requests go first: the writer does its work in the pauses between them.

Whoever waits for the database gives the interpreter's lock away and asks for it back a moment
later. A writer that holds it then makes the request wait, as often as it asks a query. So does a
database that is busy with many rows of the writer's.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from threading import get_ident
from time import monotonic
from typing import TypeVar

from signals_demo.delivery.wakeup import Bell

Item = TypeVar("Item")

STEP = 4  # rows handled at one go while a request is served: about 100 µs
PORTION = (
    32  # rows that the database gets at one go while requests come: about a millisecond's work
)
BREATH = 50e-6  # seconds: with none at all the writer would take the lock again at once
PATIENCE = 0.1  # seconds that a batch waits for requests, all in all
LOOK = 0.005  # seconds between two looks whether a request is still served
MANY = 200  # requests, more than are served at a time
LONG = 1.0  # seconds after which a request is one that never ends: a stream, a poll, a chat


class Pace:
    """How fast the writer may go."""

    def __init__(self) -> None:
        self.start_afresh()

    def start_afresh(self) -> None:
        """Begin as a forked child must: what was served is the parent's to serve."""
        self._served: dict[object, float] = {}
        self._latest = 0.0
        self._pause = Bell()
        self._is_awaited = False
        self._thread = 0
        self._patience = 0.0

    # Called on the host's threads.

    def begin(self, request: object) -> None:
        """Note that a request is served from now on."""
        self._served[request] = self._latest = monotonic()
        if len(self._served) > MANY:
            self._forget()

    def end(self, request: object) -> None:
        """Note that it is served no more."""
        self._served.pop(request, None)
        if self._is_awaited and not self._served:
            self._pause.ring()

    def hurry(self) -> None:
        """Let the batch that is being written wait no longer: somebody waits for it."""
        self._patience = 0.0
        self._pause.ring()

    # Called on the writer's thread. On any other they do nothing: inline, that is the host's.

    def start(self, patience: float) -> None:
        """Begin a batch that may wait for requests, so many seconds all in all."""
        self._thread = get_ident()
        self._patience = patience

    def steps(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield `items`, and give way to requests in between."""
        for number, item in enumerate(items, 1):
            yield item
            if not number % STEP:
                self.give_way()

    def portions(self, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
        """Yield `items`: if there is time and requests come, a few at one go.

        Also in the pauses between requests: one may come while the database is at work.
        """
        start = 0
        while start < len(items):
            few = self._patience > 0 and monotonic() < self._latest + LONG and self._is_writer()
            end = start + PORTION if few else len(items)
            yield items[start:end]
            start = end
            self.give_way()

    def give_way(self) -> None:
        """Let requests be served; if there is time, until none is."""
        if not self._served or not self._is_writer():
            return
        time.sleep(BREATH)
        while self._patience > 0 and self._is_serving():
            began = monotonic()
            self._pause.hush()
            self._is_awaited = True
            self._pause.wait(min(self._patience, LOOK))
            self._is_awaited = False
            self._patience -= monotonic() - began

    def _is_writer(self) -> bool:
        return get_ident() == self._thread

    def _is_serving(self) -> bool:
        self._forget()
        return bool(self._served)

    def _forget(self) -> None:
        """Forget the requests that never end, or whose end nobody tells."""
        latest = monotonic() - LONG
        for request, begun in list(self._served.items()):
            if begun < latest:
                self._served.pop(request, None)


pace = Pace()
