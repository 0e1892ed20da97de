"""Which rows were stored with the outcome `open`, and get another one when it is known."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from signals_demo.catalog.outcomes import COMMITTED, OPEN, ROLLED_BACK
from signals_demo.events import Resolution, Row
from signals_demo.tracing.outcomes import TransactionOutcome


@dataclass(eq=False, slots=True)
class Range:
    """The numbers of rows of one unit of work and database."""

    trace_id: str
    span_id: str
    database: str
    first: int
    last: int

    @property
    def place(self) -> tuple[str, str, str]:
        return self.trace_id, self.span_id, self.database

    def touches(self, other: "Range") -> bool:
        """Return whether one of the two follows the other."""
        is_next = self.last + 1 == other.first or other.last + 1 == self.first
        return is_next and self.place == other.place


class OpenOutcomes:
    """The rows of each outcome as ranges of numbers: few, however many rows."""

    def __init__(self) -> None:
        self._ranges: dict[TransactionOutcome, list[Range]] = {}
        self._latest: dict[tuple[str, str, str], tuple[TransactionOutcome, Range]] = {}

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def ranges(self) -> Iterator[tuple[TransactionOutcome, list[Range]]]:
        """Yield each outcome with its rows."""
        yield from self._ranges.items()

    def add(self, outcome: TransactionOutcome, row: Row) -> None:
        """Note a row that is stored as open."""
        outcome, number = outcome.decided_by(), row.sequence
        new = Range(row.trace_id, row.span_id, row.database, number, number)
        known, latest = self._latest.get(new.place, (outcome, new))
        # Threads hand over their events a little out of order.
        if known is outcome and latest is not new:
            latest.first, latest.last = min(latest.first, number), max(latest.last, number)
            return
        if latest.first < number < latest.last:
            self._ranges[known].append(Range(*new.place, number + 1, latest.last))
            latest.last = number - 1
        self._ranges.setdefault(outcome, []).append(new)
        self._latest[new.place] = outcome, new

    def resolved(self, recorder: UUID) -> list[Resolution]:
        """Take out and return what is known by now, what was rolled back first.

        A range may reach over rows of a savepoint inside it. These must not be open any more when
        its own outcome is written.
        """
        found: list[Resolution] = []
        self._merge_decided()
        for value in (ROLLED_BACK, COMMITTED):
            for outcome in [outcome for outcome in self._ranges if outcome.value == value]:
                for one in self._forget(outcome):
                    found.append(Resolution(recorder, one.first, one.last, *one.place, value))
        # It will never be known: the rows stay as they are.
        for outcome in [outcome for outcome in self._ranges if outcome.known == OPEN]:
            self._forget(outcome)
        return found

    def _forget(self, outcome: TransactionOutcome) -> list[Range]:
        ranges = self._ranges.pop(outcome)
        for one in ranges:
            if self._latest.get(one.place, (None,))[0] is outcome:
                del self._latest[one.place]
        return ranges

    def _merge_decided(self) -> None:
        """Give the rows of outcomes that another one decides by now to that one.

        Each batch may end inside a save, whose row then has an outcome of its own: in a long
        transaction they would become many.
        """
        for outcome in list(self._ranges):
            decider = outcome.decided_by()
            if decider is outcome:
                continue
            for one in self._ranges.pop(outcome):
                known, latest = self._latest.get(one.place, (None, None))
                if known is outcome and latest is one:
                    self._latest[one.place] = decider, one
                self._join(self._ranges.setdefault(decider, []), one)

    def _join(self, ranges: list[Range], one: Range) -> None:
        """Add a range to others, as one with those that it follows and that follow it."""
        # Only the latest can be its neighbours, and there may be many.
        near = [each for each in ranges[-4:] if each.touches(one)]
        for each in near:
            ranges.remove(each)
        _outcome, latest = self._latest.get(one.place, (None, None))
        # The latest one still grows, and is known by identity.
        kept = next((each for each in near if each is latest), one)
        kept.first = min(each.first for each in (one, *near))
        kept.last = max(each.last for each in (one, *near))
        ranges.append(kept)
