"""Keeps rows in the process: for a quick look and for tests."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from signals_demo.events import Attribution, Resolution, Row
from signals_demo.sinks.base import BaseSink


class MemorySink(BaseSink):
    """Keep the latest rows in `rows`. Option: `LIMIT`, how many (10,000)."""

    rows: deque[Row] = deque(maxlen=10_000)

    def __init__(self, alias: str, options: dict[str, Any]) -> None:
        super().__init__(alias, options)
        options = dict(options)
        limit = options.pop("LIMIT", 10_000)
        if options or not isinstance(limit, int) or limit < 1:
            raise TypeError("the memory sink takes one option, LIMIT, a whole number above 0")
        if limit != MemorySink.rows.maxlen:
            MemorySink.rows = deque(MemorySink.rows, maxlen=limit)

    def store(self, rows: Sequence[Row]) -> None:
        known = {(row.recorder, row.sequence) for row in self.rows}
        self.rows.extend(row for row in rows if (row.recorder, row.sequence) not in known)

    def resolve(self, resolutions: Sequence[Resolution]) -> None:
        for index, row in enumerate(self.rows):
            for resolution in resolutions:
                if resolution.concerns(row):
                    self.rows[index] = row = row._replace(outcome=resolution.outcome)

    def attribute(self, attributions: Sequence[Attribution]) -> None:
        for index, row in enumerate(self.rows):
            for one in attributions:
                if one.concerns(row):
                    self.rows[index] = row = one.applied_to(row)
