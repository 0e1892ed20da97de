"""What people write for times."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from signals_demo.query.parsing import NotUnderstood, Period, moment, period, quoted

JANUARY, MARCH, MAY = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 3, 5))


def test_times_are_those_of_the_project(settings: Any) -> None:
    settings.TIME_ZONE = "America/New_York"
    assert moment("2026-01-31 09:30") == datetime(2026, 1, 31, 14, 30, tzinfo=UTC)
    assert moment("2026-01-31T09:30+00:00") == datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    ago = datetime.now(UTC) - moment("90m")
    assert timedelta(minutes=89) < ago < timedelta(minutes=91)


def test_a_time_of_any_offset_is_in_utc() -> None:
    assert moment("2026-01-31T09:30-23:59") == datetime(2026, 2, 1, 9, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "", "yesterday", "2026-13-01", "2026-02-30", "24:00", "1y", "-1h", "1.5h", "999999999w",
        "0001-01-01T00:00+14:00", "0001-12-31", "9999-01-01T00:00Z", "9" * 4000, "٣h", "\0",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    for read in (moment, period):
        with pytest.raises(NotUnderstood, match="is not a valid time"):
            read(text)


@pytest.mark.parametrize("text", ["/", "1h/", "/1h", "1h/2h/3h", "2026-01-01/x"])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(NotUnderstood, match="is not a valid time"):
        period(text)


def test_a_period_survives_its_text() -> None:
    for written in (Period(JANUARY, MARCH), Period(JANUARY)):
        assert period(str(written)) == written


def test_what_periods_have_in_common() -> None:
    assert Period() & Period() == Period()
    assert Period(JANUARY) & Period(until=MAY) == Period(JANUARY, MAY)
    assert Period(JANUARY, MARCH) & Period(MARCH, MAY) == Period(MARCH, MARCH)
    assert Period(JANUARY, MAY) & Period(until=MARCH) == Period(JANUARY, MARCH)


def test_an_error_repeats_a_text_in_short_and_without_control_characters() -> None:
    assert quoted("yesterday") == "yesterday"
    assert quoted("x" * 61) == "x" * 59 + "…"
    assert quoted("a\0\x1b[2J\u202e") == "a\\x00\\x1b[2J\\u202e"
