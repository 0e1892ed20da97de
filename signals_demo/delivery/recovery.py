"""Reads journals back, and stores what processes that died have left in theirs."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from uuid import UUID

from signals_demo.catalog.outcomes import OPEN
from signals_demo.delivery.journal import hold, lines, lock_path, segments
from signals_demo.events import Attribution, Resolution, Row
from signals_demo.sinks import BaseSink

logger = logging.getLogger("signals_demo")

BATCH = 1000
Progress = Callable[[int], object]


class Leftovers:
    """What the journal of one process says, whose lines may come in any of its files."""

    def __init__(self, folder: Path, recorder: UUID) -> None:
        self.recorder = recorder
        self.paths = segments(folder, recorder)
        self.attributions: list[Attribution] = []
        self._again: Counter[int] = Counter()
        self._outcomes: dict[int, tuple[str, int]] = {}
        self._open: list[tuple[int, str, str, int, int]] = []
        for kind, *values in lines(self.paths):
            # A line may be whole and yet be none of ours.
            with suppress(TypeError, ValueError, IndexError):
                if kind == "again":
                    self._again[values[0]] += 1
                elif kind == "outcome":
                    number, outcome, around = values
                    self._outcomes[number] = outcome, around
                elif kind == "open":
                    number, trace_id, database, first, last = values
                    self._open.append((number, trace_id, database, first, last))
                elif kind == "actor":
                    self.attributions.append(Attribution(recorder, *values))

    def _outcome(self, number: int) -> str:
        outcome, around = self._outcomes.get(number, (OPEN, 0))
        while not outcome:  # it goes with the one around it
            outcome, around = self._outcomes.get(around, (OPEN, 0))
        return outcome

    def rows(self, paths: Sequence[Path]) -> Iterator[tuple[Row, int]]:
        """Return the events in some of its files, each with the number of its outcome."""
        for kind, *values in lines(paths):
            with suppress(TypeError, ValueError, IndexError):
                if kind == "event":
                    yield self._row(*values), values[0]

    def _row(self, number: int, *values: object) -> Row:
        row = Row(self.recorder, *values)  # type: ignore[arg-type]
        duration: int | None = row.duration  # type: ignore[assignment]
        return row._replace(
            occurred_at=datetime.fromisoformat(row.occurred_at),  # type: ignore[arg-type]
            duration=None if duration is None else timedelta(microseconds=duration),
            count=row.count + self._again[row.sequence],
            outcome=self._outcome(number) if number else row.outcome,
        )

    def batches(self, paths: Sequence[Path], size: int) -> Iterator[list[tuple[Row, int]]]:
        """Return the same in lists of at most `size`."""
        rows = self.rows(paths)
        while batch := list(islice(rows, size)):
            yield batch

    def resolutions(self) -> list[Resolution]:
        """Return what became of rows that had been stored as open."""
        return [
            Resolution(self.recorder, first, last, trace_id, database, self._outcome(number))
            for number, trace_id, database, first, last in self._open
            if self._outcome(number) != OPEN
        ]


def _corrections(batch: Sequence[tuple[Row, int]]) -> list[Resolution]:
    """Return the outcomes of rows that may have been stored before, as open."""
    found: list[Resolution] = []
    for row, number in batch:
        if not number or row.outcome == OPEN:
            continue
        rest = row.trace_id, row.database, row.outcome
        last = found[-1] if found else None
        if last is not None and last.last == row.sequence - 1 and last[3:] == rest:
            found[-1] = last._replace(last=row.sequence)
        else:
            found.append(Resolution(row.recorder, row.sequence, row.sequence, *rest))
    return found


def recorders(folder: Path) -> list[UUID]:
    """Return whose journals are in a folder."""
    found = set()
    for path in (*folder.glob("*.lock"), *folder.glob("*-*.jsonl")):
        with suppress(ValueError):
            found.add(UUID(hex=path.stem[:32]))
    return sorted(found)


def recover(
    folder: Path,
    recorder: UUID,
    sinks: Sequence[BaseSink],
    progress: Progress = lambda stored: None,
) -> int | None:
    """Store what a process has left, and remove it. Return the number of events.

    None if the process lives, or another one is at it. Raises what a sink raises: then all is
    still there, and can be stored again.
    """
    try:
        descriptor = hold(lock_path(folder, recorder))
    except BlockingIOError:
        return None
    try:
        stored = _store(Leftovers(folder, recorder), sinks, progress)
        for path in segments(folder, recorder):
            path.unlink(missing_ok=True)
        lock_path(folder, recorder).unlink(missing_ok=True)
    finally:
        os.close(descriptor)
    return stored


def _store(left: Leftovers, sinks: Sequence[BaseSink], progress: Progress) -> int:
    stored = 0
    for batch in left.batches(left.paths, BATCH):
        corrections = _corrections(batch)
        for sink in sinks:
            sink.store([row for row, _number in batch])
            if corrections:
                sink.resolve(corrections)
        stored += len(batch)
        progress(stored)
    for sink in sinks:
        if resolutions := left.resolutions():
            sink.resolve(resolutions)
        if left.attributions:
            sink.attribute(left.attributions)
    return stored


def recover_all(folder: Path, sinks: Sequence[BaseSink]) -> None:
    """Store what processes that died have left in a folder, and log how much it was."""
    for recorder in recorders(folder):
        stored = recover(folder, recorder, sinks)
        if stored:
            logger.info("%d signal events of a process that died were stored.", stored)
