"""Times and durations in words."""

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.timezone import is_aware, localtime
from django.utils.translation import gettext, ngettext

from signals_demo.models import SignalEvent
from signals_demo.query.parsing import Period

_HOUR, _DAY = 60, 24 * 60  # in minutes


def local(moment: datetime) -> datetime:
    """Return a time in the current zone; as it is where the project has no zones."""
    return localtime(moment) if is_aware(moment) else moment


def in_short(period: Period) -> str:
    """Return a stretch of time in the current zone, as a range of two times."""
    begin = local(period.since) if period.since else None
    end = local(period.until or timezone.now())
    is_one_day = begin is not None and begin.date() == end.date()
    first = _day_and_time(begin) if begin else "…"
    return f"{first} \N{EN DASH} {time_of_day(end) if is_one_day else _day_and_time(end)}"


def _day_and_time(moment: datetime) -> str:
    return f"{date_format(moment, 'SHORT_DATE_FORMAT')} {time_of_day(moment)}"


def time_of_day(moment: datetime) -> str:
    """Return the time of day to the minute, in 24 hours, as the times of events are.

    Not in the format of the language: that of Hindi does not tell morning from evening.
    """
    return date_format(moment, "H:i")


def ago(moment: datetime) -> str:
    """Return how long ago a time was, in the largest unit that it fills.

    Django's `timesince` calls a moment ago "0 minutes", and has no words of Hindi.
    """
    minutes = (timezone.now() - moment) // timedelta(minutes=1)
    if minutes < 1:
        return gettext("just now")
    if minutes < _HOUR:
        return ngettext("{number} minute ago", "{number} minutes ago", minutes).format(
            number=minutes
        )
    if minutes < _DAY:
        hours = minutes // _HOUR
        return ngettext("{number} hour ago", "{number} hours ago", hours).format(number=hours)
    days = minutes // _DAY
    return ngettext("{number} day ago", "{number} days ago", days).format(number=days)


def in_words(milliseconds: float) -> str:
    """Return a time such as `40 µs`, `0.4 ms`, `12 ms` or `1.3 s`."""
    if milliseconds >= 1000:
        return gettext("{seconds} s").format(seconds=number_format(milliseconds / 1000, 1))
    if milliseconds < 0.1:
        return gettext("{microseconds} µs").format(
            microseconds=number_format(milliseconds * 1000, 0)
        )
    return gettext("{milliseconds} ms").format(
        milliseconds=number_format(milliseconds, 0 if milliseconds >= 10 else 1)
    )


def duration(event: SignalEvent) -> str:
    """Return how long a pair of signals took, in words; nothing for an event that closes none."""
    return "" if event.milliseconds is None else in_words(event.milliseconds)
