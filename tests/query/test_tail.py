"""What is new in the log: nothing twice, and nothing passed over, in whatever order it comes."""

import random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from signals_demo.factories import SignalEventFactory
from signals_demo.models import SignalEvent
from signals_demo.query import tail
from signals_demo.query.keyset import NotACursor
from signals_demo.query.tail import BATCH, MAX_LAG, TailCursor, end_of_log, new_keys, poll

pytestmark = pytest.mark.django_db


def store(*numbers: int) -> None:
    SignalEvent.objects.bulk_create(
        SignalEventFactory.build(pk=number, sequence=number) for number in numbers
    )


def seen_from(place: TailCursor) -> tuple[TailCursor, list[int]]:
    numbers = new_keys(place)
    return place.move(numbers), numbers


def test_an_empty_log_and_what_comes_first() -> None:
    place = end_of_log()
    assert new_keys(place) == []
    store(3, 4)
    place, found = seen_from(place)
    assert found == [3, 4]
    assert new_keys(place) == []


def test_the_end_of_the_log_is_where_nothing_is_new() -> None:
    store(1, 2, 5, 9)
    place = end_of_log()
    assert place == TailCursor(9, ((3, 4), (6, 8)))
    assert new_keys(place) == []


def test_a_row_that_is_seen_late_is_seen_once() -> None:
    store(10)
    place = end_of_log()
    store(15)
    place, found = seen_from(place)
    assert found == [15]
    store(12, 16)
    place, found = seen_from(place)
    assert found == [12, 16]
    store(11, 14, 13)
    place, found = seen_from(place)
    assert found == [11, 13, 14]
    assert place == TailCursor(16)
    assert new_keys(place) == []


def test_any_order_of_arrival_shows_each_row_once() -> None:
    batches = [range(start, start + 5) for start in range(1, 200, 5)]
    random.Random(7).shuffle(batches)
    place, seen = TailCursor(), []
    for batch in batches:
        store(*batch)
        place, found = seen_from(place)
        seen += found
    assert sorted(seen) == list(range(1, 201))


def test_a_number_that_no_row_gets_is_given_up_when_it_is_far_behind() -> None:
    place = TailCursor(10).move([12])
    assert place.gaps == ((11, 11),)
    assert place.move([10 + MAX_LAG]).gaps[0] == (11, 11)
    assert place.move([11 + MAX_LAG]).gaps == ((13, 10 + MAX_LAG),)


def test_more_than_a_step_comes_in_steps() -> None:
    store(*range(1, BATCH + 11))
    place, found = seen_from(TailCursor())
    assert found == list(range(1, BATCH + 1))
    assert seen_from(place)[1] == list(range(BATCH + 1, BATCH + 11))


def test_numbers_that_begin_anew_are_followed_from_the_first() -> None:
    store(*range(50, 60))
    place = end_of_log()
    assert poll(place) == (place, [])
    SignalEvent.objects.all().delete()
    assert poll(place) == (place, [])
    store(1, 2)
    place, found = poll(place)
    assert found == [1, 2]
    place = place.move(found)
    store(3)
    assert poll(place) == (place, [3])


def test_a_cursor_is_written_and_read() -> None:
    for place in (TailCursor(), TailCursor(7), TailCursor(90, ((3, 4), (6, 6)))):
        assert TailCursor.read(str(place)) == place
    many = TailCursor(0).move(range(0, 1000, 2))
    assert len(many.gaps) == tail._MOST_GAPS
    assert TailCursor.read(str(many)) == many


@pytest.mark.parametrize("text", ["", "x", "-1", "1-", "1-2", "1-2-3-4", "1" + "-2-3" * 51])
def test_anything_else_is_no_cursor(text: str) -> None:
    with pytest.raises(NotACursor):
        TailCursor.read(text)


def test_looking_costs_one_read_by_key() -> None:
    store(1, 2, 3, 7, 8)
    place = end_of_log()
    for gaps in (place.gaps, ()):
        with CaptureQueriesContext(connection) as queries:
            new_keys(TailCursor(place.last, gaps))
        [query] = queries.captured_queries
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
                plan = [row[3] for row in cursor.fetchall()]
            assert all("INTEGER PRIMARY KEY" in step for step in plan), plan
