"""The project is slowed down before anything is dropped, and only while that helps."""

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connection, transaction

from signals_demo import flush
from signals_demo.delivery import backpressure
from signals_demo.delivery.health import health
from signals_demo.delivery.pipeline import SOME_BATCHES
from signals_demo.delivery.throttle import throttle
from signals_demo.delivery.writer import writer
from signals_demo.events import Row
from tests.delivery.controlled import CONTROLLED, Controlled, authors, together
from tests.recording import recorded

SMALL: dict[str, Any] = {
    "SINKS": CONTROLLED,
    "BUFFER_LIMIT": 200,
    "BATCH_SIZE": 20,
    "FOLD_AFTER": None,
}


@pytest.fixture
def slow(sink: type[Controlled], monkeypatch: pytest.MonkeyPatch) -> type[Controlled]:
    """Return a sink that stores a batch in 2 ms: 10,000 events in a second."""
    store = Controlled.store

    def store_slowly(self: Controlled, rows: Sequence[Row]) -> None:
        time.sleep(0.002)
        store(self, rows)

    monkeypatch.setattr(Controlled, "store", store_slowly)
    return sink


@pytest.mark.parametrize("threads", [1, 4])
def test_what_comes_too_fast_is_slowed_down_and_nothing_is_lost(
    slow: type[Controlled], caplog: pytest.LogCaptureFixture, threads: int
) -> None:
    before = health()
    with recorded(**SMALL):
        together(lambda number: authors(2000 // threads), threads)
        assert flush(30)
        after = health()
    assert sum(len(batch) for batch in slow.batches) >= 4000
    assert after.lost == before.lost
    assert after.held_up > before.held_up
    if not before.held_up:
        assert caplog.text.count("faster than they can be stored") == 1


def test_a_burst_that_fits_is_not_slowed_down(slow: type[Controlled]) -> None:
    before = health().held_up
    with recorded(**SMALL | {"BUFFER_LIMIT": 10_000}):
        authors(2000)
        assert flush(30)
    assert health().held_up == before


def test_in_an_outage_nobody_waits(sink: type[Controlled]) -> None:
    with recorded(**SMALL):
        sink.error = OSError("no route")
        authors(1)
        assert not flush(0.1)
        before = health().held_up
        authors(500)
        assert health().held_up == before
        sink.error = None
        assert flush()
    assert health().lost > 0


def test_where_the_database_hangs_nobody_waits_for_long(
    sink: type[Controlled], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backpressure, "STALLED", 0.2)
    with recorded(**SMALL):
        sink.may_go.clear()
        sink.entered.clear()
        authors(20)
        assert sink.entered.wait(10)
        began = time.monotonic()
        authors(1000)
        assert time.monotonic() - began < 5
        sink.may_go.set()
        assert flush()


@pytest.mark.applies(connection.vendor == "sqlite")
@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_the_worker_waits_for_goes_on(slow: type[Controlled]) -> None:
    before = health().held_up
    with recorded(**SMALL), transaction.atomic():
        for _ in range(3):
            authors(300)
    assert health().held_up == before
    assert flush()


def test_when_much_waits_the_worker_never_gives_way(
    sink: type[Controlled], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would have to wait for all of the project's threads each time."""
    seen: list[tuple[int, bool]] = []
    start = throttle.start

    def note(budget: float, *, gives_way: bool) -> None:
        seen.append((len(writer.buffer.items), gives_way))
        start(budget, gives_way=gives_way)

    with recorded(**SMALL | {"BUFFER_LIMIT": 10_000}):
        assert flush()
        monkeypatch.setattr(throttle, "start", note)
        sink.may_go.clear()
        authors(500)
        sink.may_go.set()
        assert flush()
    few = SOME_BATCHES * SMALL["BATCH_SIZE"]
    assert {(waiting <= few, gives_way) for waiting, gives_way in seen} == {
        (False, False), (True, True),
    }  # fmt: skip


def test_held_up_is_in_seconds_of_all_threads(slow: type[Controlled]) -> None:
    done = threading.Event()

    def wait(number: int) -> Any:
        writer.pipeline.backpressure.note_progress()
        writer.pipeline.backpressure.hold_up(200, 200)
        done.set()

    before, began = health().held_up, time.monotonic()
    together(wait, 4)
    passed = time.monotonic() - began
    assert passed >= backpressure.LONGEST
    assert health().held_up - before == pytest.approx(4 * backpressure.LONGEST)
