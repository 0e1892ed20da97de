"""The geometry of the waterfall."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import translation

from signals_demo.web.waterfall import (
    MOST_TICKS,
    THINNEST,
    Bar,
    Scale,
    Span,
    buckets,
    percent,
    round_step,
    since_zero,
)

START = datetime(2026, 11, 21, 14, 3, 22, tzinfo=UTC)


def ms(number: float) -> timedelta:
    return timedelta(milliseconds=number)


def span(start: float, length: float | None = None) -> Span:
    return Span(START + ms(start), None if length is None else ms(length))


def value(place: str) -> float:
    return float(place.removesuffix("%"))


SCALE = Scale.over([span(0, 200)])


def test_a_scale_fits_all_that_is_on_it() -> None:
    scale = Scale.over([span(5), span(2, 3), span(4, 20)])
    assert (scale.start, scale.end) == (START + ms(2), START + ms(24))
    assert scale.zero == scale.start
    assert Scale.over([span(5)], START).zero == START


def test_a_bar_is_as_long_as_it_took() -> None:
    assert SCALE.bar(span(0, 200)) == Bar("0%", "100%")
    assert SCALE.bar(span(50, 25)) == Bar("25%", "12.5%")
    assert SCALE.bar(span(150)) == Bar("75%")


@pytest.mark.parametrize("length", [0, 0.001, 0.9])
def test_a_short_bar_can_still_be_seen(length: float) -> None:
    for start in (0, 100, 199.999, 200):
        bar = SCALE.bar(span(start, length))
        assert value(bar.width) >= THINNEST
        assert value(bar.x) + value(bar.width) <= 100


def test_what_lies_outside_is_cut_off() -> None:
    assert SCALE.bar(span(-100, 400)) == Bar("0%", "100%", cut_before=True, cut_after=True)
    assert SCALE.bar(span(-10, 30)) == Bar("0%", "10%", cut_before=True)
    assert SCALE.bar(span(180, 90)) == Bar("90%", "10%", cut_after=True)
    assert SCALE.bar(span(-10)) == Bar("0%")
    assert SCALE.bar(span(999)) == Bar("100%")
    far = SCALE.bar(span(900, 10))
    assert value(far.x) + value(far.width) == 100


def test_a_trace_of_one_moment() -> None:
    scale = Scale.over([span(0), span(0, 0)])
    assert scale.bar(span(0)) == Bar("0%")
    assert scale.bar(span(0, 0)) == Bar("0%", percent(THINNEST))
    assert [tick.label for tick in scale.ticks()] == ["0 ms"]


@pytest.mark.parametrize("length", [0.001, 0.04, 1, 3.3, 48.31, 999, 1000, 61_234, 1e9])
@pytest.mark.parametrize("begins", [0, 12_345.678])
def test_ticks_are_few_and_at_round_times(length: float, begins: float) -> None:
    scale = Scale.over([span(begins, length)], START)
    ticks = scale.ticks()
    assert 1 <= len(ticks) <= MOST_TICKS + 1
    assert all(0 <= value(tick.x) <= 100 for tick in ticks)
    labels = [tick.label for tick in ticks if tick.label]
    assert len(labels) == len(set(labels))


def test_ticks_say_the_time_since_the_beginning() -> None:
    labels = [tick.label for tick in SCALE.ticks()]
    assert labels == ["0 ms", "50 ms", "100 ms", "150 ms", ""]
    later = Scale.over([span(12_000, 40)], START)
    assert [tick.label for tick in later.ticks()][:2] == ["12.00 s", "12.01 s"]


@pytest.mark.parametrize(
    ("least", "step"), [(1, 1), (1.1, 2), (2, 2), (3, 5), (7, 10), (0.02, 0.02), (0.3, 0.5)]
)
def test_round_steps(least: float, step: float) -> None:
    assert round_step(least) == pytest.approx(step)


def test_times_have_the_digits_that_tell_them_apart() -> None:
    assert since_zero(12.3456) == "12.35 ms"
    assert since_zero(12, 5) == "12 ms"
    assert since_zero(12_345.678, 1) == "12.346 s"
    assert since_zero(12_000, 2000) == "12 s"


def test_svg_has_points_whatever_the_language() -> None:
    with translation.override("de"):
        assert SCALE.bar(span(50, 25)) == Bar("25%", "12.5%")
        assert "12,5" in since_zero(12.5, 0.1)


def test_buckets_hold_every_moment_once() -> None:
    moments = [START + ms(number) for number in (0, 1, 1, 1, 100, 199, 200, 200)]
    columns = buckets(SCALE, moments, number=4)
    assert [column.indexes for column in columns] == [(0, 1, 2, 3), (4,), (5, 6, 7)]
    assert [column.x for column in columns] == ["0%", "50%", "75%"]
    assert {column.width for column in columns} == {"25%"}
    assert columns[0].height == "100%"
    assert value(columns[1].height) < value(columns[2].height) < 100
    assert buckets(SCALE, []) == []
