"""The sums by the hour: each event is in them once, in whatever order and process."""

import threading
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections

from signals_demo.factories import SignalEventFactory
from signals_demo.models import SignalEvent, SignalHour
from signals_demo.rollups import hours
from signals_demo.rollups.hours import HourlySums, last_key, sum_up, summed_up_to
from signals_demo.rollups.traces import general_name

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_made_events")]


def make(number: int = 1, **fields: Any) -> None:
    fields = {"signal": "post_save", "sender": "shop.Order", "occurred_at": NOON} | fields
    SignalEvent.objects.bulk_create(SignalEventFactory.build_batch(number, **fields))


def sums(kind: str = hours.SIGNAL) -> dict[tuple[datetime, str, str], int]:
    rows = SignalHour.objects.filter(kind=kind)
    return {(row.hour, row.name, row.detail): row.firings for row in rows}


def summed_up() -> dict[tuple[datetime, str, str], int]:
    sum_up(connection, last_key(connection))
    return sums()


def test_firings_are_summed_by_hour_signal_and_sender() -> None:
    make(3, occurred_at=NOON + 59 * MINUTE)
    make(signal="post_init", count=40)
    make(sender="shop.Product", occurred_at=NOON + 60 * MINUTE)
    assert summed_up() == {
        (NOON, "post_save", "shop.Order"): 3,
        (NOON, "post_init", "shop.Order"): 40,
        (NOON + 60 * MINUTE, "post_save", "shop.Product"): 1,
    }


def test_the_longest_pair_of_each_hour_is_known() -> None:
    for milliseconds in (3, 80, 5):
        make(duration=timedelta(milliseconds=milliseconds))
        summed_up()
    make(signal="pre_save", duration=None)
    summed_up()
    longest = dict(SignalHour.objects.filter(kind=hours.SIGNAL).values_list("name", "longest"))
    assert longest == {"post_save": timedelta(milliseconds=80), "pre_save": timedelta()}


def test_there_are_sums_of_a_day_and_those_of_a_signal_alone() -> None:
    midnight = NOON - timedelta(hours=NOON.hour, minutes=NOON.minute)
    make(2, occurred_at=midnight)
    make(3, duration=timedelta(milliseconds=7))
    make(sender="shop.Product", occurred_at=midnight + timedelta(hours=23, minutes=59))
    summed_up()
    make(4, occurred_at=midnight + timedelta(days=1))
    summed_up()
    tomorrow = midnight + timedelta(days=1)
    assert sums("signal/day") == {
        (midnight, "post_save", "shop.Order"): 5,
        (midnight, "post_save", "shop.Product"): 1,
        (tomorrow, "post_save", "shop.Order"): 4,
    }
    assert sum(sums("origin/day").values()) == 10
    assert {moment for moment, _origin, _name in sums("origin/day")} == {midnight, tomorrow}
    assert sums("total") == {
        (midnight, "post_save", ""): 2,
        (NOON, "post_save", ""): 3,
        (midnight + timedelta(hours=23), "post_save", ""): 1,
        (tomorrow, "post_save", ""): 4,
    }
    day = SignalHour.objects.get(kind="signal/day", hour=midnight, detail="shop.Order")
    assert day.longest == timedelta(milliseconds=7)


def test_origins_are_summed_without_the_keys_in_their_names() -> None:
    for number in (7, 8, 9):
        make(origin="request", origin_name=f"GET /orders/{number}/")
    make(2, origin="command", origin_name="import 2030")
    summed_up()
    assert sums(hours.ORIGIN) == {
        (NOON, "request", "GET /orders/*/"): 3,
        (NOON, "command", "import 2030"): 2,
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GET /", "GET /"),
        ("GET /orders/12/lines/3", "GET /orders/*/lines/*"),
        ("GET /a/9f8b7c6d-0000-4000-8000-9f8b7c6d5e4f/", "GET /a/*/"),
        ("GET /media/0123456789abcdef0123/x.png", "GET /media/*/x.png"),
        ("GET /v2/2024-list/", "GET /v2/2024-list/"),
        ("tests/test_a.py::test_1[2]", "tests/test_a.py::test_1[2]"),
    ],
)
def test_a_name_is_general(name: str, expected: str) -> None:
    assert general_name(name) == expected


def test_each_event_is_in_the_sums_once_whenever_it_came(monkeypatch: Any) -> None:
    monkeypatch.setattr(hours, "STEP", 7)
    for number in range(5):
        make(10, occurred_at=NOON - number * 60 * MINUTE)  # ever later, of an ever earlier hour
        summed_up()
        summed_up()
    assert Counter(sums().values()) == {10: 5}


def test_nothing_is_summed_up_that_may_have_gaps(monkeypatch: Any) -> None:
    """A round stops at the event that was the last at the round before."""
    monkeypatch.setattr(hours, "INTERVAL", 0.0)
    hourly = HourlySums()
    hourly.advance(connection)
    make(4)
    hourly.advance(connection)
    assert sums() == {}
    seen = last_key(connection)
    make(3)
    hourly.advance(connection)
    assert sums() == {(NOON, "post_save", "shop.Order"): 4}
    assert summed_up_to(connection) == seen


def test_a_turn_does_a_step_and_stops_when_its_time_is_up(monkeypatch: Any) -> None:
    monkeypatch.setattr(hours, "STEP", 10)
    make(40)
    assert not sum_up(connection, last_key(connection), seconds=0.0)
    assert list(sums().values()) == [10]
    assert sum_up(connection, last_key(connection))
    assert list(sums().values()) == [40]


def test_keys_that_no_event_has_take_no_time() -> None:
    make(3)
    far = last_key(connection) + 1000 * hours.STEP
    make(id=far)
    assert not sum_up(connection, far, seconds=0.0)
    assert sum_up(connection, far, seconds=0.0)
    assert list(sums().values()) == [4]


@pytest.mark.parametrize("_round", range(8))
@pytest.mark.django_db(transaction=True)
def test_several_processes_add_up_at_the_same_time(_round: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(hours, "STEP", 5)
    make(100)
    failures: list[Exception] = []

    def work() -> None:
        try:
            while summed_up_to(connections["default"]) < last:
                sum_up(connections["default"], last)
        except Exception as error:  # noqa: BLE001 - looked at below
            failures.append(error)
        finally:
            connections["default"].close()

    last = last_key(connection)
    _run_together(work for _ in range(4))
    assert not failures
    assert sums() == {(NOON, "post_save", "shop.Order"): 100}


def _run_together(works: Iterable[Any]) -> None:
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
