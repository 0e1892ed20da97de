"""What is lost when too much waits is counted, logged and recorded."""

import logging
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.dispatch import Signal

from project.playground.models import Author
from signals_demo import flush, trace
from signals_demo.delivery.writer import writer
from signals_demo.events import Row
from signals_demo.sinks.base import Busy
from signals_demo.sinks.memory import MemorySink
from tests.delivery.controlled import CONTROLLED, Controlled, authors
from tests.recording import recorded


def test_when_too_much_waits_the_oldest_go_and_are_counted_and_logged(
    sink: type[Controlled], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        recorded(SINKS=CONTROLLED, BUFFER_LIMIT=10, FOLD_AFTER=None),
        trace("unit") as unit,
        caplog.at_level(logging.ERROR, "signals_demo"),
    ):
        assert flush()
        # Only now: what was waiting when the limit went down may have been too much already.
        monkeypatch.setattr(writer.buffer, "lost", 0)
        monkeypatch.setattr(writer.pipeline, "_reported_losses", 0)
        sink.may_go.clear()
        sink.entered.clear()
        Author()
        writer.notify()
        assert sink.entered.wait(30)  # from here on the thread is busy
        authors(50)
        assert len(writer.buffer.items) <= 11
        sink.may_go.set()
        assert flush()
    rows = sink.rows(unit)
    assert rows[-1].position == 102
    missing = 102 - len(rows)
    assert missing >= 88
    assert writer.buffer.lost == missing
    assert "lost" in caplog.text


tick = Signal()

LOST = "signals_demo.events_lost"


class Slow(MemorySink):
    """A sink that stores nothing as long as it may not."""

    may_go: ClassVar[threading.Event] = threading.Event()
    entered: ClassVar[threading.Event] = threading.Event()
    stored: ClassVar[list[Row]] = []
    refusals: ClassVar[int] = 0
    refusal: ClassVar[Exception] = OSError("no route")
    """How often it fails yet when it is handed a row again."""

    def store(self, rows: Sequence[Row]) -> None:
        self.entered.set()
        assert self.may_go.wait(60)
        if self.refusals and not {row.sequence for row in rows}.isdisjoint(
            row.sequence for row in self.stored
        ):
            Slow.refusals -= 1
            raise Slow.refusal
        self.stored.extend(rows)


@pytest.fixture(autouse=True)
def slow() -> Iterator[None]:
    Slow.may_go.set()
    Slow.entered.clear()
    Slow.stored = []
    yield
    Slow.may_go.set()


def overflow(fold_after: int | None, **more: Any) -> list[Row]:
    """Fire 552 signals while a sink is stuck that may keep 20; return what it got."""
    sinks = {"slow": {"BACKEND": "tests.delivery.test_buffer.Slow"}}
    options = {"SINKS": sinks, "BUFFER_LIMIT": 20, "FOLD_AFTER": fold_after} | more
    own = {
        "SIGNALS": ["pre_init", "post_init"],
        "EXTRA_SIGNALS": ["tests.delivery.test_buffer.tick"],
    }
    with recorded(**own, **options), trace("unit"):
        assert flush()
        Slow.stored = []
        Slow.entered.clear()
        Slow.may_go.clear()
        Author()
        writer.notify()
        assert Slow.entered.wait(60)  # from here on the thread is busy
        for number in range(50):
            for _ in range(5):
                Author()
            tick.send(number)  # which ends a run
        Slow.may_go.set()
        assert flush(60)
    return Slow.stored


@pytest.mark.parametrize("fold_after", [None, 1], ids=["each", "folded"])
def test_the_number_of_lost_firings_is_recorded(fold_after: int | None) -> None:
    rows = overflow(fold_after)
    lost = [row for row in rows if row.signal == LOST]
    assert lost
    assert {(row.sender, row.outcome) for row in lost} == {("", "")}
    assert sum(row.count for row in lost) > 400
    assert sum(row.count for row in rows) == 552


@pytest.mark.parametrize("fold_after", [None, 1], ids=["each", "folded"])
def test_with_a_journal_none_is_lost(fold_after: int | None, tmp_path: Path) -> None:
    rows = overflow(fold_after, JOURNAL_DIR=tmp_path)
    assert LOST not in {row.signal for row in rows}
    # A sink may be handed a row again: the first counts, as in the database.
    once = {row.sequence: row for row in reversed(rows)}
    assert sum(row.count for row in once.values()) == 552


@pytest.mark.parametrize(
    ("error", "is_reported"),
    [(OSError("no route"), True), (Busy("locked"), False)],
    ids=["outage", "lock"],
)
def test_what_could_not_be_read_back_is_read_back_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception, *, is_reported: bool
) -> None:
    Slow.refusal, Slow.refusals = error, 1
    rows = overflow(None, JOURNAL_DIR=tmp_path)
    assert Slow.refusals == 0
    assert ("cannot be stored yet" in caplog.text) is is_reported
    assert len({row.sequence for row in rows}) == 552


@pytest.mark.parametrize("fold_after", [None, 1], ids=["each", "folded"])
def test_what_a_journal_out_of_order_does_not_hold_is_recorded_as_lost(
    fold_after: int | None, tmp_path: Path
) -> None:
    folder = tmp_path / "journal"
    folder.write_text("a file in the way")
    rows = overflow(fold_after, JOURNAL_DIR=folder)
    assert sum(row.count for row in rows if row.signal == LOST) > 400
    assert sum(row.count for row in rows) == 552


def test_without_an_overflow_nothing_is_said_to_be_lost() -> None:
    with recorded(SINKS={"slow": {"BACKEND": "tests.delivery.test_buffer.Slow"}}), trace("unit"):
        for _ in range(50):
            Author()
        assert flush()
    assert LOST not in {row.signal for row in Slow.stored}
