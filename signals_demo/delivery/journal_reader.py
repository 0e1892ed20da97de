"""Reads back what a journal says."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from signals_demo.catalog.outcomes import OPEN
from signals_demo.delivery.segments import segment_paths
from signals_demo.events import Attribution, Resolution, Row
from signals_demo.serialize.folded import with_folded
from signals_demo.serialize.text import render


def _lines(paths: Iterable[Path]) -> Iterator[list[Any]]:
    """Yield what is in these files, except lines that were torn off."""
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                try:
                    found = json.loads(line)
                except ValueError:
                    continue
                if isinstance(found, list) and found:
                    yield found


class JournalReader:
    """The journal of one process. What is known of an event may be in any of its files."""

    def __init__(self, folder: Path, recorder: UUID) -> None:
        self.recorder = recorder
        self.paths = segment_paths(folder, recorder)
        self.attributions: list[Attribution] = []
        self._again: Counter[int] = Counter()
        self._last: dict[int, tuple[int, list[str | int]]] = {}
        self._outcomes: dict[int, tuple[str, int]] = {}
        self._open: list[tuple[int, str, str, str, int, int]] = []
        for kind, *values in _lines(self.paths):
            # A line may be valid JSON and yet not be ours.
            with suppress(TypeError, ValueError, IndexError, OverflowError):
                if kind == "again":
                    sequence, last, keys = values
                    self._last[sequence] = int(last), list(keys)
                    self._again[sequence] += 1
                elif kind == "outcome":
                    number, outcome, around = values
                    self._outcomes[number] = outcome, around
                elif kind == "open":
                    number, trace_id, span_id, database, first, last = values
                    self._open.append((number, trace_id, span_id, database, first, last))
                elif kind == "actor":
                    self.attributions.append(Attribution(recorder, *values))

    def _outcome(self, number: int) -> str:
        outcome, around = self._outcomes.get(number, (OPEN, 0))
        while not outcome:  # the one around it decides
            outcome, around = self._outcomes.get(around, (OPEN, 0))
        return outcome

    def rows(self, paths: Sequence[Path]) -> Iterator[tuple[Row, int]]:
        """Yield the events in some of its files, each with the number of its outcome."""
        for kind, *values in _lines(paths):
            with suppress(TypeError, ValueError, IndexError, OverflowError):
                if kind == "event":
                    yield self._row(*values), values[0]

    def _row(self, number: int, *values: object) -> Row:
        row = Row(self.recorder, *values)  # type: ignore[arg-type]
        duration: int | None = row.duration  # type: ignore[assignment]
        row = row._replace(
            occurred_at=datetime.fromisoformat(row.occurred_at),  # type: ignore[arg-type]
            duration=None if duration is None else timedelta(microseconds=duration),
            outcome=self._outcome(number) if number else row.outcome,
        )
        if row.sequence not in self._last:
            return row
        last, keys = self._last[row.sequence]
        return row._replace(
            count=row.count + self._again[row.sequence],
            arguments=render(with_folded(row.arguments, last, keys)),
            object_pk="" if len(keys) > 1 else row.object_pk,
        )

    def batches(self, paths: Sequence[Path], size: int) -> Iterator[list[tuple[Row, int]]]:
        """Yield the same in lists of at most `size`."""
        rows = self.rows(paths)
        while batch := list(islice(rows, size)):
            yield batch

    def resolutions(self) -> list[Resolution]:
        """Return what became of rows that had been stored as open."""
        return [
            Resolution(self.recorder, first, last, trace_id, span_id, name, self._outcome(number))
            for number, trace_id, span_id, name, first, last in self._open
            if self._outcome(number) != OPEN
        ]
