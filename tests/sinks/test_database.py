"""What the database keeps and refuses, and that storing twice is storing once."""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from signals_demo.catalog.outcomes import COMMITTED, OPEN, ROLLED_BACK
from signals_demo.events import Resolution, Row
from signals_demo.faults import faults
from signals_demo.models import SignalEvent, SignalHour
from signals_demo.rollups import traces
from signals_demo.sinks import NotReady
from signals_demo.sinks.base import Session
from signals_demo.sinks.database import DatabaseSink
from tests.recording import Boom, recorded, row_maker

T = TypeVar("T")

BIG = 2**64  # more than an integer column holds

make_row = pytest.fixture(row_maker)


def count() -> int:
    return SignalEvent.objects.count()


@pytest.fixture
def database(transactional_db: None) -> Iterator[DatabaseSink]:
    with recorded(RECORD_TESTS=False):
        SignalEvent.objects.all().delete()
        yield DatabaseSink("default", {})


def test_a_row_comes_back_as_it_was_stored(
    database: DatabaseSink, make_row: Callable[..., Row]
) -> None:
    row = make_row()
    database.store([row])
    event = SignalEvent.objects.get()
    for name, value in row._asdict().items():
        expected = json.loads(value) if name in ("arguments", "changes") else value
        assert getattr(event, name) == expected, name


@pytest.mark.parametrize(
    "duration", [None, timedelta(), timedelta(microseconds=1), timedelta(days=400)]
)
def test_durations(
    database: DatabaseSink, make_row: Callable[..., Row], duration: timedelta | None
) -> None:
    database.store([make_row(duration=duration)])
    assert SignalEvent.objects.get().duration == duration


@override_settings(USE_TZ=False, TIME_ZONE="Asia/Tokyo")
def test_without_time_zones_times_are_local(
    database: DatabaseSink, make_row: Callable[..., Row]
) -> None:
    row = make_row()
    database.store([row])
    found = SignalEvent.objects.get().occurred_at
    assert found == timezone.make_naive(row.occurred_at, timezone.get_default_timezone())
    assert found.hour == 12


def test_storing_twice_is_storing_once(
    database: DatabaseSink, make_row: Callable[..., Row], caplog: pytest.LogCaptureFixture
) -> None:
    rows = [make_row() for _ in range(5)]
    database.store(rows[:3])
    database.store(rows)
    database.store(rows)
    numbers = SignalEvent.objects.order_by("sequence").values_list("sequence", flat=True)
    assert list(numbers) == [1, 2, 3, 4, 5]
    assert caplog.text == ""  # none is said to be refused


REFUSED = [
    pytest.param({"position": BIG}, id="too large"),
    pytest.param({"occurred_at": None}, id="no time"),
    pytest.param({"arguments": "no JSON"}, id="no JSON"),
]


@pytest.mark.parametrize("refused", REFUSED)
@pytest.mark.parametrize("place", [0, 3, 6])
def test_a_row_that_is_refused_keeps_no_other_out(
    database: DatabaseSink,
    make_row: Callable[..., Row],
    caplog: pytest.LogCaptureFixture,
    refused: dict[str, Any],
    place: int,
) -> None:
    rows = [make_row() for _ in range(7)]
    rows[place] = rows[place]._replace(**refused)
    database.store(rows)
    expected = [row.sequence for row in rows if row is not rows[place]]
    found = SignalEvent.objects.order_by("sequence").values_list("sequence", flat=True)
    assert list(found) == expected
    assert "lost" in caplog.text


def test_outcomes_are_corrected_where_they_are_open_and_nowhere_else(
    database: DatabaseSink, make_row: Callable[..., Row]
) -> None:
    rows = [
        make_row(outcome=OPEN),
        make_row(outcome=OPEN),
        make_row(outcome=COMMITTED),
        make_row(outcome=OPEN, trace_id="cd" * 16),
        make_row(outcome=OPEN, database="other"),
        make_row(outcome=OPEN, recorder=uuid.uuid4()),
        make_row(outcome=OPEN, span_id="2b" * 8),  # another unit of work in the same trace
        make_row(outcome=OPEN),
    ]
    database.store(rows)
    recorder = rows[0].recorder
    resolution = Resolution(recorder, 1, 7, "ab" * 16, "1a" * 8, "default", ROLLED_BACK)
    for _ in range(2):
        database.resolve([resolution])
    found = SignalEvent.objects.order_by("sequence").values_list("outcome", flat=True)
    assert list(found) == [ROLLED_BACK, ROLLED_BACK, COMMITTED, *[OPEN] * 5]


def test_a_missing_table_is_not_an_error(
    database: DatabaseSink, make_row: Callable[..., Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SignalEvent._meta, "db_table", "not_there_yet")
    with pytest.raises(NotReady):
        database.store([make_row()])
    with pytest.raises(NotReady):
        database.resolve([Resolution(uuid.uuid4(), 1, 2, "", "", "default", COMMITTED)])


@pytest.mark.usefixtures("transactional_db")
def test_where_hours_cannot_be_summed_up_rows_are_stored(
    make_row: Callable[..., Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signals_demo.rollups.hours.INTERVAL", 0.0)
    monkeypatch.setattr(SignalHour._meta, "db_table", "not_there")
    database = DatabaseSink("default", {})
    for _ in range(3):
        database.store([make_row()])
    assert count() == 3
    assert faults.pop("An hourly sum: MissingTable") == 3


class Interrupted(Session):
    """A session in which something ends the worker in the middle of a batch."""

    def portions(self, items: Sequence[T]) -> Iterator[Sequence[T]]:
        yield items[:170]
        raise Boom

    def give_way(self) -> None:
        raise Boom


def test_nothing_of_a_batch_is_stored_if_it_ends_in_the_middle(
    database: DatabaseSink, make_row: Callable[..., Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [make_row() for _ in range(250)]
    if connection.vendor == "sqlite":  # which gets no portions
        monkeypatch.setattr(traces, "add", lambda *args: Interrupted().give_way())
    database.session = Interrupted()
    with pytest.raises(Boom):
        database.store(rows)
    assert count() == 0
    monkeypatch.undo()
    database.session = DatabaseSink.session
    database.store(rows)
    assert count() == 250
