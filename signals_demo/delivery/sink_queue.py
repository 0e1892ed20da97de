"""The sinks with what each has not stored yet, and the rows whose outcome is not known yet."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from signals_demo.catalog.outcomes import COMMITTED, ROLLED_BACK
from signals_demo.conf import config
from signals_demo.delivery.journal import Sealed
from signals_demo.events import Attribution, Resolution, Row
from signals_demo.sinks import BaseSink, NotReady
from signals_demo.tracing.outcomes import TransactionOutcome

logger = logging.getLogger("signals_demo")

LONGEST_DELAY = 30.0  # seconds between two tries at a sink that is out of order

Stored = Row | Resolution | Attribution | Sealed
Range = tuple[str, str, int, int]


class Outlet:
    """A sink and what it has not stored yet.

    `on_drop` is told of each item that is let go because more than BUFFER_LIMIT are waiting, and
    says how many firings are lost with it. `told` is how many of those lost before are known.
    """

    def __init__(self, sink: BaseSink, on_drop: Callable[[Stored], int], told: int) -> None:
        self.sink = sink
        self.pending: deque[Stored] = deque()
        self._on_drop = on_drop
        # Not the exception: its traceback holds frames, and through them rows and cursors.
        self.reason = ""
        self._reported: set[type[Exception]] = set()
        self._failing_since = 0.0
        self.stored = 0
        self.lost = 0
        self._told = told
        self._delay = 0.0
        self._next_try = 0.0

    def take_over(self, other: "Outlet") -> None:
        """Go on where one with another configuration stopped."""
        self.pending.extend(other.pending)
        self.stored, self.lost, self._told = other.stored, other.lost, other._told

    @property
    def is_full(self) -> bool:
        """Return whether a batch is waiting already."""
        return len(self.pending) >= config().batch_size

    def add(self, items: Sequence[Stored]) -> None:
        self.pending.extend(items)
        while len(self.pending) > config().buffer_limit:
            self.lost += self._on_drop(self.pending.popleft())

    def untold(self, lost_before: int) -> int:
        """Return how many losses are to be recorded, if it works: here and on the way here."""
        lost = self.lost + lost_before - self._told
        if not lost or self.reason:
            return 0
        self._told += lost
        return lost

    def try_now(self) -> None:
        """Forget how long to wait."""
        self._next_try = 0.0

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
            self._fail(error, patience=error.patience, longest_delay=1.0)
        except Exception as error:  # noqa: BLE001 - a sink may raise anything
            self._fail(error, patience=0.0, longest_delay=LONGEST_DELAY)
            with suppress(Exception):  # what the connection has to say, it has said already
                self.sink.close()
        else:
            self._succeed()

    def _fail(self, error: Exception, *, patience: float, longest_delay: float) -> None:
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        self.reason = str(error)
        if now - self._failing_since >= patience and type(error) not in self._reported:
            self._reported.add(type(error))
            logger.warning(
                "Sink %r cannot store events and will try again: %s", self.sink.alias, error
            )
        self._delay = min(self._delay * 2 or config().flush_interval, longest_delay)
        self._next_try = now + self._delay

    def _succeed(self) -> None:
        if self._reported:
            logger.warning("Sink %r stores events again.", self.sink.alias)
        self._reported.clear()
        self.reason, self._failing_since, self._delay = "", 0.0, 0.0

    def _deliver_batch(self) -> None:
        kind = type(self.pending[0])
        batch: list[Any] = []
        for item in self.pending:
            if type(item) is not kind or len(batch) == config().batch_size:
                break
            batch.append(item)
        if kind is Row:
            self.sink.store(batch)
            self.stored += len(batch)
        elif kind is Resolution:
            self.sink.resolve(batch)
        elif kind is Attribution:
            self.sink.attribute(batch)
        else:
            for sealed in batch:
                sealed.left -= 1
        for _ in batch:
            self.pending.popleft()


class OpenRows:
    """The rows that were stored as open, as ranges of numbers: few, however many rows."""

    def __init__(self) -> None:
        self._ranges: dict[TransactionOutcome, list[tuple[str, str, list[int]]]] = {}
        self._latest: dict[tuple[str, str], tuple[TransactionOutcome, list[int]]] = {}

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def ranges(self) -> Iterator[tuple[TransactionOutcome, list[Range]]]:
        """Return what is open: of each outcome its trace, database, first and last number."""
        for outcome, found in self._ranges.items():
            yield outcome, [(*place, first, last) for *place, (first, last) in found]  # type: ignore[misc]

    def add(self, outcome: TransactionOutcome, row: Row) -> None:
        place = row.trace_id, row.database
        number = row.sequence
        outcome = outcome.decided_by()
        known, numbers = self._latest.get(place, (None, [0, 0]))
        first, last = numbers
        # Threads hand over their events a little out of order.
        if known is outcome:
            numbers[:] = min(first, number), max(last, number)
            return
        if known is not None and first < number < last:
            numbers[1] = number - 1
            self._ranges[known].append((*place, [number + 1, last]))
        numbers = [number, number]
        self._ranges.setdefault(outcome, []).append((*place, numbers))
        self._latest[place] = outcome, numbers

    def resolved(self, recorder: Any) -> list[Resolution]:
        """Take out and return what is known by now; what was rolled back first.

        A range may reach over rows of a savepoint inside it, so those must not be open any
        more when its own outcome is written.
        """
        found: list[Resolution] = []
        self._pass_on()
        for value in (ROLLED_BACK, COMMITTED):
            for outcome in [outcome for outcome in self._ranges if outcome.value == value]:
                for trace_id, database, (first, last) in self._ranges.pop(outcome):
                    found.append(Resolution(recorder, first, last, trace_id, database, value))
                    if self._latest.get((trace_id, database), (None,))[0] is outcome:
                        del self._latest[trace_id, database]
        return found

    def _pass_on(self) -> None:
        """Give the rows of outcomes that another one decides by now to that one.

        Each batch may end inside a save, whose row then has an outcome of its own: in a long
        transaction they would become many.
        """
        for outcome in list(self._ranges):
            decider = outcome.decided_by()
            if decider is outcome:
                continue
            for trace_id, database, numbers in self._ranges.pop(outcome):
                place = trace_id, database
                known, latest = self._latest.get(place, (None, []))
                if known is outcome and latest is numbers:
                    self._latest[place] = decider, numbers
                self._join(self._ranges.setdefault(decider, []), place, numbers)

    def _join(
        self, ranges: list[tuple[str, str, list[int]]], place: tuple[str, str], numbers: list[int]
    ) -> None:
        """Add a range to others, as one with those that it follows and that follow it."""
        first, last = numbers
        # Only the latest can be its neighbours, and there may be many.
        near = [
            each
            for each in ranges[-4:]
            if (each[0], each[1]) == place and (each[2][1] + 1 == first or last + 1 == each[2][0])
        ]
        for each in near:
            ranges.remove(each)
        parts = [numbers, *(each[2] for each in near)]
        latest = self._latest[place][1] if place in self._latest else None
        # That one still grows, and is known by what it is.
        kept = next((part for part in parts if part is latest), numbers)
        kept[:] = min(part[0] for part in parts), max(part[1] for part in parts)
        ranges.append((*place, kept))
