"""The cursors of all lists: a place survives its text, other texts are refused, rows go on."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signals_demo.factories import SignalEventFactory
from signals_demo.models import SignalEvent
from signals_demo.query.keyset import (
    AS_FIRED,
    LAST,
    NEWEST_FIRST,
    OLDEST_FIRST,
    NotACursor,
    Order,
    decode,
    encode,
)
from signals_demo.query.tail import TailCursor

NOW = datetime(2026, 11, 21, 14, 3, 22, 416_001, tzinfo=UTC)
SLOWEST_FIRST = Order({"-duration": timedelta, "-pk": int})
tries = settings(max_examples=100, derandomize=True, database=None, deadline=None)
NUMBERS = st.integers(min_value=0, max_value=LAST)
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(5000, 1, 1))
LENGTHS = st.timedeltas(timedelta(), timedelta(days=10_000))


@tries
@given(st.lists(NUMBERS, min_size=1))
def test_numbers_survive_their_text(numbers: list[int]) -> None:
    assert decode(encode(numbers)) == numbers


@pytest.mark.parametrize("zone", [True, False])
@tries
@given(moment=MOMENTS, pk=NUMBERS)
def test_a_place_in_time_survives_its_text(zone: bool, moment: datetime, pk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.conf.settings.USE_TZ", zone)
        place = NEWEST_FIRST.cursor(moment.replace(tzinfo=UTC if zone else None), pk)
        assert NEWEST_FIRST.read(str(place)) == place


@tries
@given(LENGTHS, NUMBERS)
def test_a_length_survives_its_text(length: timedelta, pk: int) -> None:
    place = SLOWEST_FIRST.cursor(length, pk)
    assert SLOWEST_FIRST.read(str(place)) == place


def test_what_is_left_out_comes_before_all() -> None:
    assert AS_FIRED.cursor() == (0, 0)
    assert NEWEST_FIRST.cursor(NOW) == (NOW, 0)


HOSTILE = (
    "", "x", " ", "-", "--", "-1", "1-", "-1-2", "1--2", "1-2 ", "1-2\n", " 1-2", "1.5-1",
    "+1-1", "1_0-1", "0x1-1", "1e3-1", "٣-٣", "²-1", "\0", "1-\0", "1-2\0", "9" * 19 + "-1",
    "1-" + "9" * 19, "9" * 4000, "1-" * 4000 + "1", "1,2", "1\u20132", "2026-01-01T00:00", "NaN",
    "None", "1;DROP TABLE x", "%00", "💩",
)  # fmt: skip
OTHER_COUNTS = ("1", "1-2-3")


@pytest.mark.parametrize("text", [*HOSTILE, *OTHER_COUNTS, "9" * 18 + "-1"])
def test_other_texts_are_no_place_in_time(text: str) -> None:
    with pytest.raises(NotACursor):
        NEWEST_FIRST.read(text)


@pytest.mark.parametrize("text", [*HOSTILE, *OTHER_COUNTS])
def test_other_texts_are_no_place_in_another_order(text: str) -> None:
    for order in (AS_FIRED, SLOWEST_FIRST):
        with pytest.raises(NotACursor):
            order.read(text)


@tries
@given(st.text())
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    readers = (NEWEST_FIRST.read, AS_FIRED.read, SLOWEST_FIRST.read, TailCursor.read)
    for read in readers:
        try:
            assert set(str(read(text))) <= set("-0123456789")
        except NotACursor:
            continue


@pytest.mark.django_db
def test_no_place_is_too_far_for_a_database() -> None:
    most = "9" * 18
    for order, first in ((NEWEST_FIRST, "9" * 17), (AS_FIRED, most), (SLOWEST_FIRST, most)):
        text = "-".join([first, *(most for _name in order.fields[1:])])
        for way, inclusive in product((order, order.reversed()), (True, False)):
            list(SignalEvent.objects.filter(way.after(order.read(text), inclusive=inclusive)))


@pytest.fixture
def events(db: None) -> list[SignalEvent]:
    """Events of few times and numbers, so that each field of an order decides somewhere."""
    return [
        SignalEventFactory.create(
            occurred_at=NOW + timedelta(seconds=second),
            sequence=sequence,
            position=sequence,
            recorder=f"00000000-0000-0000-0000-00000000000{number}",
        )
        for number, (second, sequence) in enumerate(product((0, 0, 1), (2, 1)))
    ]


def keys(events: Iterable[Any]) -> list[int]:
    return [event.pk for event in events]


@pytest.mark.parametrize("order", [OLDEST_FIRST, NEWEST_FIRST, AS_FIRED, AS_FIRED.reversed()])
def test_the_rows_after_each_place_are_those_that_follow(
    events: list[SignalEvent], order: Order
) -> None:
    rows = SignalEvent.objects.order_by(*order.fields)
    found = list(rows)
    assert len(found) == len(events)
    for number, event in enumerate(found):
        place = order.of(event)
        assert keys(rows.filter(order.after(place))) == keys(found[number + 1 :])
        assert keys(rows.filter(order.after(place, inclusive=True))) == keys(found[number:])


def test_the_opposite_of_the_opposite_is_the_order_itself() -> None:
    assert NEWEST_FIRST.fields == ("-occurred_at", "-pk")
    assert NEWEST_FIRST.reversed() == OLDEST_FIRST
    assert OLDEST_FIRST.reversed() == NEWEST_FIRST
