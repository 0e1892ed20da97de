"""Rows whose transaction goes on: they wait for its outcome, so that each is written once.

A row that is stored as open is written again later. That costs the database as much as storing it,
and leaves a dead row behind. The first rows of a transaction wait for a moment only, so that
people see what happens in it. Those of a long one, such as an import, wait longer, compressed.
"""

import pickle
import zlib
from collections import deque
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from signals_demo.catalog.outcomes import OPEN
from signals_demo.clock import clock
from signals_demo.delivery.open_outcomes import OpenOutcomes
from signals_demo.events import Attribution, Row
from signals_demo.tracing.outcomes import TransactionOutcome

MOMENT = 0.4  # seconds that the first rows of a transaction wait
SHOWN = 500  # rows of it that wait no longer than that
LONGEST = 60.0  # seconds that the others wait
TOGETHER = 250  # rows that are compressed at once: more would keep the interpreter for too long
MOST_BYTES = 16 * 2**20  # that the compressed rows take; beyond that the oldest wait no longer

Held = tuple[TransactionOutcome, Row]
"""A row, and the outcome that it waits for."""


def _is_decided(outcome: TransactionOutcome) -> bool:
    """Return whether nothing more will become known of it."""
    return outcome.value != OPEN or bool(outcome.decided_by().known)


class _Chunk(NamedTuple):
    """Compressed rows, the outcomes of so many in turn, and when the first one came."""

    data: bytes
    outcomes: list[tuple[TransactionOutcome, int]]
    since: float

    @classmethod
    def of(cls, held: Sequence[Held], since: float) -> "_Chunk":
        # Most saves are over by now, so that one outcome decides all or nearly all of them.
        deciders = [outcome.decided_by() for outcome, _row in held]
        runs = [list(run) for _id, run in groupby(deciders, key=id)]
        data = zlib.compress(pickle.dumps([row for _outcome, row in held]), 1)
        return cls(data, [(run[0], len(run)) for run in runs], since)

    @property
    def is_decided(self) -> bool:
        return all(_is_decided(outcome) for outcome, _number in self.outcomes)

    def held(self) -> list[Held]:
        rows = pickle.loads(zlib.decompress(self.data))  # noqa: S301 - made above
        outcomes = [outcome for outcome, number in self.outcomes for _ in range(number)]
        return list(zip(outcomes, rows, strict=True))


class _Waiting:
    """Rows that wait, and when the oldest of them came."""

    def __init__(self, longest: float) -> None:
        self.held: list[Held] = []
        self.since = 0.0
        self._longest = longest

    def add(self, held: Held) -> None:
        if not self.held:
            self.since = clock.monotonic()
        self.held.append(held)

    def clear(self) -> list[Held]:
        held, self.held = self.held, []
        return held

    def take(self, *, now: bool) -> list[Held]:
        """Take out those that are decided; all, if the time is over."""
        if now or clock.monotonic() - self.since >= self._longest:
            return self.clear()
        taken: list[Held] = []
        left: list[Held] = []
        for held in self.held:
            (taken if _is_decided(held[0]) else left).append(held)
        self.held = left
        return taken


class _Unit:
    """The rows of one unit of work and database."""

    def __init__(self) -> None:
        self.first = _Waiting(MOMENT)
        self.chunks: deque[_Chunk] = deque()
        self.latest = _Waiting(LONGEST)
        self.attributions: list[Attribution] = []
        self._shown = 0
        self._outcome: TransactionOutcome | None = None

    @property
    def is_over(self) -> bool:
        """Return whether nothing waits, and the rows that were shown count no more."""
        if self.first.held or self.chunks or self.latest.held:
            return False
        return self._outcome is None or _is_decided(self._outcome)

    def add(self, outcome: TransactionOutcome, row: Row) -> int:
        """Take a row; return how many more bytes the compressed rows take."""
        self._outcome = outcome
        if self._shown + len(self.first.held) < SHOWN:
            self.first.add((outcome, row))
            return 0
        self.latest.add((outcome, row))
        if len(self.latest.held) < TOGETHER:
            return 0
        chunk = _Chunk.of(self.latest.clear(), self.latest.since)
        self.chunks.append(chunk)
        return len(chunk.data)

    def take(self, *, now: bool) -> tuple[list[Held], int]:
        """Take out some rows that wait no longer, and say how many bytes they took."""
        if found := self.first.take(now=now):
            self._shown += sum(not _is_decided(outcome) for outcome, _row in found)
            return found, 0
        if self.chunks:
            oldest = self.chunks[0]
            if now or oldest.is_decided or clock.monotonic() - oldest.since >= LONGEST:
                self.chunks.popleft()
                return oldest.held(), len(oldest.data)
        return self.latest.take(now=now), 0


class HeldRows:
    """The rows that wait; those that are stored as open are noted in `open_outcomes`."""

    def __init__(self, open_outcomes: OpenOutcomes) -> None:
        self.has_due = False
        """Whether more rows than were taken may wait no longer."""
        self._open = open_outcomes
        self._units: dict[tuple[str, str, str], _Unit] = {}
        self._bytes = 0
        self._number = 0

    def __len__(self) -> int:  # called on any thread
        return self._number

    def add(self, outcome: TransactionOutcome, row: Row) -> None:
        """Have a row wait for its outcome."""
        place = row.trace_id, row.span_id, row.database
        unit = self._units.setdefault(place, _Unit())
        self._bytes += unit.add(outcome, row)
        self._number += 1

    def attribute(self, attribution: Attribution) -> None:
        """Note who acted, for the rows that wait."""
        for (trace_id, span_id, _database), unit in self._units.items():
            if (trace_id, span_id) == (attribution.trace_id, attribution.span_id):
                unit.attributions.append(attribution)

    def take(self, most: int, *, now: bool) -> list[Row]:
        """Take out rows that wait no longer, until there are `most`; with `now`, any rows."""
        found: list[Row] = []
        for place, unit in list(self._units.items()):
            while len(found) < most:
                held, size = unit.take(now=now or self._bytes > MOST_BYTES)
                if not held:
                    break
                self._bytes -= size
                found += [self._row(unit, *each) for each in held]
            if unit.is_over:
                del self._units[place]
        self._number -= len(found)
        self.has_due = len(found) >= most
        return found

    def _row(self, unit: _Unit, outcome: TransactionOutcome, row: Row) -> Row:
        """Return a row with what is known by now."""
        row = row._replace(outcome=outcome.value)
        for one in unit.attributions:
            if one.concerns(row):
                row = one.applied_to(row)
        if row.outcome == OPEN and outcome.known != OPEN:  # it may be known by this line
            self._open.add(outcome, row)
        return row
