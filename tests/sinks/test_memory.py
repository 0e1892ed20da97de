"""The memory sink keeps the latest rows, each once."""

from collections.abc import Callable, Iterator

import pytest

from signals_demo.catalog.outcomes import COMMITTED, OPEN, ROLLED_BACK
from signals_demo.events import Resolution, Row
from signals_demo.sinks.memory import MemorySink
from tests.recording import row_maker

make_row = pytest.fixture(row_maker)


@pytest.fixture
def memory() -> Iterator[MemorySink]:
    MemorySink.rows.clear()
    yield MemorySink("memory", {})
    MemorySink("memory", {})
    MemorySink.rows.clear()


def test_memory_keeps_rows_once_and_the_latest_if_there_are_too_many(
    memory: MemorySink, make_row: Callable[..., Row]
) -> None:
    rows = [make_row() for _ in range(5)]
    memory.store(rows)
    memory.store(rows)
    assert list(memory.rows) == rows
    small = MemorySink("memory", {"LIMIT": 3})
    assert list(small.rows) == rows[2:]
    small.store([make_row()])
    assert [row.sequence for row in MemorySink.rows] == [4, 5, 6]


def test_memory_corrects_outcomes(memory: MemorySink, make_row: Callable[..., Row]) -> None:
    rows = [make_row(outcome=OPEN) for _ in range(4)]
    memory.store(rows)
    recorder, place = rows[0].recorder, (rows[0].trace_id, rows[0].span_id)
    memory.resolve([Resolution(recorder, 2, 3, *place, "default", ROLLED_BACK)])
    memory.resolve([Resolution(recorder, 1, 4, *place, "default", COMMITTED)])
    assert [row.outcome for row in memory.rows] == [
        COMMITTED,
        ROLLED_BACK,
        ROLLED_BACK,
        COMMITTED,
    ]
