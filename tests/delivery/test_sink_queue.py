"""What a sink has not stored yet comes again, in order, until it is stored."""

import time
from itertools import pairwise

import pytest

from project.playground.models import Author
from signals_demo import flush, trace
from signals_demo.delivery.writer import writer
from signals_demo.sinks import NotReady
from signals_demo.sinks.base import Busy
from tests.delivery.controlled import CONTROLLED, Controlled, authors
from tests.recording import MEMORY, kept, recorded
from tests.servers import until


def test_a_sink_that_is_out_of_order_holds_no_more_than_the_limit(
    sink: type[Controlled],
) -> None:
    sink.error = OSError("no route")
    with recorded(SINKS=CONTROLLED, BUFFER_LIMIT=20, FOLD_AFTER=None), trace("unit") as unit:
        for _ in range(10):
            authors(10)
            flush(0.01)
        (queue,) = writer.pipeline.queues
        assert len(queue.pending) <= 20
        assert len(writer.buffer.items) <= 21
        sink.error = None
        assert flush()
    assert sink.rows(unit)[-1].position == 200


def test_a_sink_that_raises_gets_everything_later_in_order(
    sink: type[Controlled], caplog: pytest.LogCaptureFixture
) -> None:
    with recorded(SINKS=CONTROLLED, FOLD_AFTER=None), trace("unit") as unit:
        sink.error = OSError("no route")
        for _ in range(3):
            authors(2)
            assert not flush(0.05)
        assert len(sink.tries) >= 3
        sink.error = None
        assert flush()
    assert [row.position for row in sink.rows(unit)] == list(range(1, 13))
    assert sum("no route" in record.getMessage() for record in caplog.records) == 1


def test_a_sink_that_is_not_ready_is_waited_for_in_silence(
    sink: type[Controlled], caplog: pytest.LogCaptureFixture
) -> None:
    with recorded(SINKS=CONTROLLED, FOLD_AFTER=None), trace("unit") as unit:
        sink.error = NotReady()
        authors(2)
        assert not flush(0.05)
        sink.error = None
        assert flush()
    assert len(sink.rows(unit)) == 4
    assert not caplog.records


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Busy, "patience", 0.2)


@pytest.mark.parametrize(
    ("error", "seconds", "reports"),
    [(OSError("no route"), 0.0, 1), (Busy("locked"), 0.0, 0), (Busy("locked"), 0.5, 1)],
    ids=["outage", "short lock", "long lock"],
)
def test_an_outage_is_reported_at_once_a_lock_when_it_has_lasted_and_the_end_of_both(
    impatient: None,
    sink: type[Controlled],
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    seconds: float,
    reports: int,
) -> None:
    with recorded(SINKS=CONTROLLED):
        for _ in range(2):
            sink.error = error
            Author()
            until = time.monotonic() + seconds
            assert not flush(0.05)
            while time.monotonic() < until:
                assert not flush(0.05)
            sink.error = None
            assert flush()
    once = [
        f"Sink 'own' cannot store events and will try again: {error}",
        "Sink 'own' stores events again.",
    ]
    assert [record.getMessage() for record in caplog.records] == once * (2 * reports)


def test_a_flush_that_gave_up_leaves_the_sink_its_pauses(sink: type[Controlled]) -> None:
    sink.error = OSError("no route")
    with recorded(SINKS=CONTROLLED, FLUSH_INTERVAL=0.01), trace("unit") as unit:
        Author()
        assert not flush(0.05)
        (queue,) = writer.pipeline.queues
        queue._delay = 1000.0
        queue._next_try = time.monotonic() + 1000.0
        assert not flush(0.05)
        queue._next_try = time.monotonic() + 1000.0
        writer.notify()
        time.sleep(0.1)
        tries = len(sink.tries)
        for _ in range(5):
            writer.notify()
            time.sleep(0.03)
        assert len(sink.tries) == tries
        sink.error = None
        assert flush()
    assert len(sink.rows(unit)) == 2


def tried(sink: type[Controlled], times: int) -> list[float]:
    """Let a sink fail so often; return the pauses between its tries."""
    sink.error = OSError("no route")
    with recorded(SINKS=CONTROLLED, FLUSH_INTERVAL=0.1):
        Author()
        writer.notify()
        until(lambda: len(sink.tries) >= times)
        sink.error = None
        assert flush()
    return [later - one for one, later in pairwise(sink.tries[:times])]


def test_the_pauses_between_two_tries_are_twice_as_long_each_time(
    sink: type[Controlled],
) -> None:
    for number, pause in enumerate(tried(sink, 5)):
        assert pause >= 0.1 * 2**number


def test_the_pauses_between_two_tries_grow_no_longer_than_so_long(
    sink: type[Controlled], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signals_demo.delivery.sink_queue.LONGEST_DELAY", 0.2)
    tried(sink, 12)  # which would take longer than anybody waits


def test_one_sink_out_of_order_does_not_hold_up_another(sink: type[Controlled]) -> None:
    with recorded(SINKS=CONTROLLED | MEMORY, FOLD_AFTER=None), trace("unit") as unit:
        sink.error = OSError("no route")
        authors(2)
        assert not flush(0.2)
        sink.error = None
        assert len(kept(unit)) == 4
    assert len(sink.rows(unit)) == 4
