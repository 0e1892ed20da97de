"""What people write for a filter, read: times, periods, signals, senders, traces, choices."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import NamedTuple

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext

from signals_demo import catalog
from signals_demo.conf import config
from signals_demo.serialize.model_info import model_named
from signals_demo.tracing.traceparent import trace_id_of

_AGO = re.compile(r"([0-9]{1,9})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_TRACE = re.compile(r"[0-9a-f]{32}")
_LONGEST = 60  # characters of a text that an error repeats


class NotUnderstood(ValueError):
    """A text that means nothing here: `message` says what does, `name` where it was given."""

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(f"{name}: {message}" if name else message)
        self.message = message
        self.name = name


def quoted(text: str) -> str:
    """Return a text as an error repeats it: not very long, and nothing that a terminal obeys."""
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return short if short.isprintable() else ascii(short)[1:-1]


class Period(NamedTuple):
    """A stretch of time: `since` belongs to it, `until` does not; None for no end."""

    since: datetime | None = None
    until: datetime | None = None

    def __str__(self) -> str:
        """Return the ISO 8601 interval that `period()` reads, or the time where it begins."""
        return "/".join(end.isoformat() for end in self if end is not None)

    def __and__(self, other: "Period") -> "Period":
        """Return what both have in common."""
        since = [end for end in (self.since, other.since) if end is not None]
        until = [end for end in (self.until, other.until) if end is not None]
        return Period(max(since, default=None), min(until, default=None))

    def condition(self, field: str = "occurred_at") -> Q:
        """Return the condition that a time lies in it."""
        found = Q() if self.since is None else Q(**{f"{field}__gte": self.since})
        return found if self.until is None else found & Q(**{f"{field}__lt": self.until})


def moment(text: str) -> datetime:
    """Return the time that `24h` (ago), `2026-01-31` or `2026-01-31 09:30` means."""
    try:
        if ago := _AGO.fullmatch(text):
            found = timezone.now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            found = datetime.fromisoformat(text)
            if settings.USE_TZ and timezone.is_naive(found):
                found = timezone.make_aware(found)
            elif not settings.USE_TZ and timezone.is_aware(found):
                found = timezone.make_naive(found, timezone.get_default_timezone())
        if not 1 < found.year < 9999:  # in another zone it might be out of the calendar
            raise ValueError(text)
        if settings.USE_TZ:  # PostgreSQL takes no offset of 16 hours or more
            found = found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise NotUnderstood(
            gettext(
                "“{text}” is not a valid time. Use 24h, 2026-01-31 or 2026-01-31T09:30."
            ).format(text=quoted(text))
        ) from error
    return found


def period(text: str) -> Period:
    """Return what `24h` (ago, until now) or `<time>/<time>` means."""
    since, slash, until = text.partition("/")
    return Period(moment(since), moment(until) if slash else None)


def since(text: str) -> Period:
    """Return the time from then on."""
    return Period(since=moment(text))


def until(text: str) -> Period:
    """Return the time before then."""
    return Period(until=moment(text))


def signal(text: str) -> str:
    """Return the name of a signal, which may be one that nothing sends any more."""
    name = signal_named(text) or text
    near = get_close_matches(name, catalog.built_in(), n=1)
    if near and name not in catalog.built_in() and "." not in name:
        raise NotUnderstood(
            gettext("There is no signal “{text}”. Did you mean {near}?").format(
                text=quoted(text), near=near[0]
            )
        )
    return name


def signal_named(text: str) -> str:
    """Return the name of a built-in signal, given it or its path, or an extra signal's path."""
    if catalog.get(text) or text in config().extra_signals:
        return text
    return next((known.name for known in catalog.built_in().values() if known.path == text), "")


def sender(text: str) -> str:
    """Return a sender, the label of a model as the model writes it."""
    model = model_named(text)
    return model._meta.label if model else text


def trace_id(text: str) -> str:
    """Return the trace id of a trace id or a `traceparent` header."""
    found = trace_id_in(text)
    if not found:
        raise NotUnderstood(
            gettext(
                "“{text}” is not a trace id. Use 32 hexadecimal digits or a traceparent."
            ).format(text=quoted(text))
        )
    return found


def trace_id_in(text: str) -> str:
    """Return the trace id that `text` is, or has as a `traceparent` header; else nothing."""
    text = text.strip().lower()
    return text if _TRACE.fullmatch(text) else trace_id_of(text)


def one_of(allowed: Sequence[str]) -> Callable[[str], str]:
    """Return what reads one of the allowed words, an empty one if that is among them."""

    def read(text: str) -> str:
        if text not in allowed:
            raise NotUnderstood(
                gettext("There is no “{text}”. Use one of {choices}.").format(
                    text=quoted(text), choices=", ".join(filter(None, allowed))
                )
            )
        return text

    return read
