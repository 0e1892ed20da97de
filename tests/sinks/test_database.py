"""What the database keeps and refuses, and that storing twice is storing once."""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import override_settings
from django.utils import timezone

from signals_demo.catalog.outcomes import COMMITTED, OPEN, ROLLED_BACK
from signals_demo.events import Resolution, Row
from signals_demo.faults import faults
from signals_demo.models import SignalEvent, SignalHour
from signals_demo.sinks import NotReady
from signals_demo.sinks.database import DatabaseSink
from tests.recording import recorded, row_maker

BIG = 2**63  # more than an integer column holds

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
    pytest.param({"origin_name": "\ud800"}, id="no text"),
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
        make_row(outcome=OPEN),
    ]
    database.store(rows)
    recorder = rows[0].recorder
    resolution = Resolution(recorder, 1, 6, "ab" * 16, "default", ROLLED_BACK)
    for _ in range(2):
        database.resolve([resolution])
    found = SignalEvent.objects.order_by("sequence").values_list("outcome", flat=True)
    assert list(found) == [ROLLED_BACK, ROLLED_BACK, COMMITTED, OPEN, OPEN, OPEN, OPEN]


def test_a_missing_table_is_not_an_error(
    database: DatabaseSink, make_row: Callable[..., Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SignalEvent._meta, "db_table", "not_there_yet")
    with pytest.raises(NotReady):
        database.store([make_row()])
    with pytest.raises(NotReady):
        database.resolve([Resolution(uuid.uuid4(), 1, 2, "", "default", COMMITTED)])


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
    assert faults.pop("An hourly sum: NotReady") == 3


@contextmanager
def failing_at(sequence: int) -> Iterator[None]:
    """Make the database fail, not refuse, when it comes to the row of this number."""
    table = SignalEvent._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            # An interrupt: a trigger of SQLite's can only refuse.
            cursor.execute(
                f"CREATE TRIGGER broken BEFORE INSERT ON {table} WHEN NEW.sequence = {sequence} "
                "BEGIN SELECT interrupted(); END"
            )
            driver = cursor.connection
            driver.create_function("interrupted", 0, driver.interrupt)
        elif connection.vendor == "postgresql":
            cursor.execute(
                "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF "
                f"NEW.sequence = {sequence} THEN RAISE EXCEPTION 'no room' "
                "USING ERRCODE = 'out_of_memory'; END IF; RETURN NEW; END $$"
            )
            cursor.execute(
                f"CREATE TRIGGER broken BEFORE INSERT ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION broken()"
            )
        else:
            cursor.execute(
                f"CREATE TRIGGER broken BEFORE INSERT ON {table} FOR EACH ROW BEGIN IF "
                f"NEW.sequence = {sequence} THEN SIGNAL SQLSTATE '45000' "
                "SET MYSQL_ERRNO = 1205; END IF; END"
            )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            on_table = f" ON {table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER broken{on_table}")
            if on_table:
                cursor.execute("DROP FUNCTION broken")


def test_nothing_of_a_batch_is_stored_if_it_fails_in_the_middle(
    database: DatabaseSink, make_row: Callable[..., Row]
) -> None:
    rows = [make_row() for _ in range(250)]
    with failing_at(170), pytest.raises(OperationalError):
        database.store(rows)
    assert count() == 0
    database.store(rows)
    assert count() == 250
