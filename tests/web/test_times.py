"""Times and durations in words."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone, translation

from signals_demo.models import SignalEvent
from signals_demo.query.parsing import Period
from signals_demo.web.times import ago, duration, in_short


@pytest.mark.parametrize(
    ("took", "text"),
    [
        (None, ""),
        (timedelta(microseconds=44), "44 µs"),
        (timedelta(microseconds=740), "0.7 ms"),
        (timedelta(milliseconds=12), "12 ms"),
        (timedelta(seconds=1.312), "1.3 s"),
    ],
)
def test_durations(took: timedelta | None, text: str) -> None:
    assert duration(SignalEvent(duration=took)) == text


@pytest.mark.parametrize(
    ("minutes", "text", "hindi"),
    [
        (-1, "just now", "अभी-अभी"),
        (0.9, "just now", "अभी-अभी"),
        (1, "1 minute ago", "1 मिनट पहले"),
        (59.9, "59 minutes ago", "59 मिनट पहले"),
        (60, "1 hour ago", "1 घंटा पहले"),
        (24 * 60 - 1, "23 hours ago", "23 घंटे पहले"),
        (24 * 60, "1 day ago", "1 दिन पहले"),
        (90 * 24 * 60, "90 days ago", "90 दिन पहले"),
    ],
)
def test_how_long_ago_it_was(minutes: float, text: str, hindi: str) -> None:
    moment = timezone.now() - timedelta(minutes=minutes)
    assert ago(moment) == text
    with translation.override("hi"):
        assert ago(moment) == hindi


@pytest.mark.parametrize("language", ["en", "de", "es", "fr", "hi"])
def test_morning_and_evening_are_told_apart(language: str) -> None:
    morning, evening = (datetime(2026, 11, 22, hour, 0, tzinfo=UTC) for hour in (5, 17))
    with translation.override(language):
        assert in_short(Period(morning, evening)).endswith(" 05:00 \N{EN DASH} 17:00")
