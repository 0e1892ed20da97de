"""The worker's thread, where something ends it, and where there is none."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from project.playground.models import Author
from signals_demo import flush, trace
from signals_demo.delivery.writer import writer
from signals_demo.events import Row
from signals_demo.faults import faults
from signals_demo.sinks import BaseSink
from signals_demo.sinks.memory import MemorySink
from tests.delivery.controlled import CONTROLLED, Controlled
from tests.recording import MEMORY, Project, kept, recorded


class Unmakeable(BaseSink):
    """A sink whose author forgot the contract."""

    def __init__(self, alias: str, options: Any) -> None:
        raise ValueError("not today")

    def store(self, rows: Sequence[Row]) -> None:
        raise NotImplementedError


def test_a_sink_that_cannot_be_made_does_not_end_the_thread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = {"bad": {"BACKEND": "tests.delivery.test_worker.Unmakeable"}}
    with recorded(SINKS=bad, FLUSH_INTERVAL=0.01):
        Author()
        flush(0.1)
    with recorded(SINKS=MEMORY), trace("unit") as unit:
        Author()
        assert len(kept(unit)) == 2
    assert "not today" in caplog.text


def test_a_fault_of_the_writer_itself_does_not_end_the_thread(
    sink: type[Controlled], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()
    original = writer.buffer.take

    def take(most: int) -> list[Any]:
        if not failed.is_set():
            failed.set()
            raise ArithmeticError
        return original(most)

    with recorded(SINKS=CONTROLLED, FLUSH_INTERVAL=0.01), trace("unit") as unit:
        assert flush()
        monkeypatch.setattr(writer.buffer, "take", take)
        Author()
        assert failed.wait(30)
        assert flush()
        assert len(sink.rows(unit)) == 2
    assert faults.pop("A batch of events: ArithmeticError") == 1


def test_the_connection_is_given_back_when_nothing_happens(
    sink: type[Controlled], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signals_demo.delivery.worker.IDLE", 0.05)
    with recorded(SINKS=CONTROLLED), trace("unit") as unit:
        Author()
        assert flush()
        sink.closed.clear()
        Author()
        assert flush()
        assert sink.closed.wait(30)
        Author()
        assert flush()
    assert len(sink.rows(unit)) == 6


class Deadly(MemorySink):
    """A sink that ends the thread it is called on, as no exception of the usual kind does."""

    deaths = 0

    def store(self, rows: Sequence[Row]) -> None:
        if self.deaths:
            Deadly.deaths -= 1
            raise SystemExit
        super().store(rows)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_was_ended_has_a_successor_and_nothing_is_lost() -> None:
    sinks = {"deadly": {"BACKEND": "tests.delivery.test_worker.Deadly"}}
    with recorded(SINKS=sinks, FOLD_AFTER=None), trace("unit") as unit:
        assert flush()
        Deadly.deaths = 3
        for _ in range(10):
            Author()
            flush(0.2)
        rows = kept(unit)
    assert Deadly.deaths == 0
    assert [row.position for row in rows] == list(range(1, 21))


VIEWS = """
from django.contrib.auth.models import Group
from django.http import HttpResponse
from django.urls import path


def save(request, number):
    Group.objects.create(name=str(number))
    return HttpResponse("saved")


urlpatterns = [path("<int:number>/", save)]
"""

# A stack for which there is no room: from then on no thread can be started.
NO_THREADS = """
import threading
from django.test import RequestFactory
from application import wsgi
from signals_demo.models import SignalEvent

def ask(number):
    response = wsgi(RequestFactory().get(f"/{number}/").environ, lambda status, headers: None)
    assert b"".join(response) == b"saved"
    response.close()

threading.stack_size(2**46)
for number in range(5):
    ask(number)
    assert connection.connection is None  # as Django leaves it
    with suppress():
        done = SignalEvent.objects.filter(signal="request_finished")
        assert done.count() == number + 1
        connection.close()
with transaction.atomic():
    Group.objects.create(name="last")
"""


@pytest.mark.processes
@pytest.mark.parametrize("mode", ["background", "inline"])
def test_where_no_thread_can_be_started_a_request_stores_its_events_itself(
    tmp_path: Path, mode: str
) -> None:
    project = Project.migrated(tmp_path / "project", views=VIEWS)
    project.forget()
    process = project.run(NO_THREADS, setting={"MODE": mode})
    assert process.stderr == ""
    rows = project.events("signal = 'post_save'")
    assert [row["outcome"] for row in rows] == ["committed"] * 6
    numbers = [row["sequence"] for row in project.events()]
    assert numbers == list(range(1, len(numbers) + 1))
