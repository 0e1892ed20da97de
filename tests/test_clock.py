"""The recorder in tests that freeze, move or replace the clocks: it reads real time."""

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar
from unittest import mock

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

import signals_demo
from signals_demo import flush, trace
from signals_demo.clock import Clock, clock
from signals_demo.events import Row
from signals_demo.sinks import BaseSink, NotReady
from signals_demo.sinks.memory import MemorySink
from tests.recording import MEMORY, recorded

PACKAGE = Path(signals_demo.__file__).parent
START = datetime(2020, 1, 2, tzinfo=UTC)
CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")


def saved() -> None:
    Group.objects.create(name="saved").delete()


def constructed() -> None:
    Group(name="constructed")


def in_a_trace() -> None:
    with trace("unit"):
        Group.objects.create(name="traced")


def requested() -> None:
    Client().get("/no/such/page/")


def flushed() -> None:
    Group.objects.create(name="flushed")
    assert flush(60)


def commanded() -> None:
    call_command("check", verbosity=0)


ACTIONS = [saved, constructed, in_a_trace, requested, flushed, commanded]


SINKS = [MEMORY, None]  # the second is the database
KEEPING = {"threading", "queue", "freezegun.api", __name__}  # what freezegun leaves out


@contextmanager
def replaced_clocks(reading: Callable[[str, Any], Any]) -> Iterator[None]:
    """Replace the functions of `time` wherever a module holds them, as freezegun does."""
    real = {name: getattr(time, name) for name in CLOCKS}
    fakes = {id(real[name]): partial(reading, name, real[name]) for name in CLOCKS}
    with ExitStack() as stack:
        for module in list(sys.modules.values()):
            for name, value in list(getattr(module, "__dict__", {}).items()):
                keeps = module.__name__ in KEEPING or module.__name__.startswith("hypothesis")
                if id(value) in fakes and not keeps:
                    stack.enter_context(mock.patch.object(module, name, fakes[id(value)]))
        yield


@contextmanager
def frozen_at(moment: float) -> Iterator[None]:
    with replaced_clocks(lambda name, _: moment * 10**9 if name.endswith("_ns") else moment):
        yield


def travel(moment: float, **options: Any) -> Any:
    time_machine = import_module("time_machine")
    return time_machine.travel(moment, **options)


@pytest.fixture
def _recorded(recording: None) -> Iterator[None]:
    with recorded(SINKS=MEMORY):
        yield


pytestmark = [pytest.mark.usefixtures("_recorded"), pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("act", ACTIONS)
@pytest.mark.parametrize("sinks", SINKS)
def test_no_reading_of_a_replaced_clock_is_taken(act: Callable[[], None], sinks: Any) -> None:
    taken = []

    def read(name: str, real: Callable[[], Any]) -> Any:
        caller = sys._getframe(1).f_globals["__name__"]
        thread = threading.current_thread().name
        if caller.startswith("signals_demo") or thread == "signals_demo":
            taken.append(f"{name} by {caller} in {thread}")
        return real()

    with recorded(**({"SINKS": sinks} if sinks else {}), FLUSH_INTERVAL=0.01):
        assert flush(60)
        with replaced_clocks(read):
            act()
            assert flush(60)
    assert taken == []


@pytest.mark.parametrize("act", [saved, constructed, in_a_trace, flushed])
def test_the_first_reading_after_a_travel_is_the_tests(act: Callable[[], None]) -> None:
    with travel(START.timestamp()):
        act()
        assert timezone.now() == START


@pytest.mark.parametrize("stopped", [frozen_at, travel])
def test_events_have_real_times_and_durations(stopped: Callable[[], Any]) -> None:
    before = datetime.now(UTC)
    MemorySink.rows.clear()
    with stopped(START.timestamp()):
        saved()
        assert flush(60)
    rows = [row for row in list(MemorySink.rows) if row.sender == "auth.Group"]
    moments = [row.occurred_at for row in rows]
    assert before - timedelta(seconds=1) < moments[0] <= moments[-1] <= datetime.now(UTC)
    assert moments == sorted(moments)
    durations = [row.duration for row in rows if row.signal == "post_save"]
    assert all(
        timedelta() < duration < timedelta(seconds=60) for duration in durations if duration
    )
    assert None not in durations


class Refusing(BaseSink):
    """A sink that takes nothing for as long as it is told to."""

    refuses: ClassVar[bool] = False
    rows: ClassVar[list[Row]] = []

    def store(self, rows: Sequence[Row]) -> None:
        if Refusing.refuses:
            raise NotReady("a transaction of the project's goes on")
        Refusing.rows += rows


@pytest.mark.parametrize("moment", [0.0, 4.7e9])
def test_the_worker_goes_on_after_a_frozen_test(moment: float) -> None:
    with recorded(SINKS={"own": {"BACKEND": f"{__name__}.Refusing"}}, FLUSH_INTERVAL=0.05):
        Refusing.refuses = True
        with frozen_at(moment):
            Group.objects.create(name="while the clock stands")
            clock.sleep(0.3)
        Refusing.refuses = False
        end = clock.monotonic() + 10
        while not Refusing.rows and clock.monotonic() < end:
            clock.sleep(0.02)
        assert Refusing.rows


def test_a_sleep_that_a_test_replaces_is_not_called() -> None:
    with mock.patch("time.sleep") as sleep:
        for number in range(200):
            Group.objects.create(name=str(number))
        requested()
        assert flush(60)
    assert sleep.call_count == 0


def test_what_is_imported_while_the_clock_is_frozen_has_the_real_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    freezegun = ModuleType("freezegun.api")
    for name in (*CLOCKS, "sleep"):
        setattr(freezegun, f"real_{name}", getattr(time, name))
    monkeypatch.setitem(sys.modules, "freezegun.api", freezegun)
    with frozen_at(0.0):
        made = Clock()
    assert abs(made.monotonic() - clock.monotonic()) < 10
    assert abs(made.time_ns() - clock.time_ns()) < 10e9


def test_time_goes_on_for_the_recorder_in_a_travel() -> None:
    with travel(START.timestamp(), tick=False):
        first = clock.time_ns()
        clock.sleep(0.01)
        assert clock.time_ns() > first
    assert abs(clock.time_ns() - time.time_ns()) < 10e9


def test_no_other_module_that_records_reads_the_clock() -> None:
    importing = re.compile(r"^ *(?:import time\b|from time import).*", re.MULTILINE)
    found = []
    for job in ("capture", "delivery", "rollups", "serialize", "sinks", "tracing"):
        for path in (PACKAGE / job).rglob("*.py"):
            found += importing.findall(path.read_text())
    assert found == []
