"""Which events somebody wants to see, from wherever that is said, and those events in order."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_demo import catalog
from signals_demo.catalog.types import Family, LazyText
from signals_demo.models import Origin, Outcome, SignalEvent, SignalEventQuerySet
from signals_demo.query.keyset import OLDEST_FIRST
from signals_demo.query.predicates import any_of
from signals_demo.query.search import model_named, signal_named, trace_id_in, understand
from signals_demo.serialize.text import clean

QUICK_VIEWS: dict[str, tuple[LazyText, tuple[str, ...]]] = {
    "": (_("Everything"), ()),
    "changes": (_("Changes"), ("post_save", "post_delete", "m2m_changed")),
    "logins": (_("Logins"), ("user_logged_in", "user_logged_out", "user_login_failed")),
    "requests": (
        _("Requests"),
        ("request_started", "request_finished", "got_request_exception"),
    ),
    "errors": (_("Errors"), ("got_request_exception", "user_login_failed")),
    "schema": (_("Schema"), ("pre_migrate", "post_migrate")),
}

CHUNK = 2000
"""Rows read at a time. While a read goes on, SQLite cannot empty its write-ahead log."""

Texts = tuple[str, ...]
Row = dict[str, Any]


class NotUnderstood(ValueError):
    """A filter that means nothing; its text says which, and what would mean something."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The events that match all of these; of the values of one field, any will do."""

    signal: Texts = ()
    family: Texts = ()
    sender: Texts = ()
    object: Texts = ()
    actor: Texts = ()
    actor_pk: Texts = ()
    origin: Texts = ()
    outcome: Texts = ()
    database: Texts = ()
    trace: Texts = ()
    since: datetime | None = None
    until: datetime | None = None
    view: str = ""
    search: str = ""

    def events(self) -> SignalEventQuerySet:
        """Return the events, in no order. Runs one query, for a search, at most.

        Raises `NotUnderstood` for a search that is none.
        """
        found: SignalEventQuerySet = SignalEvent.objects.filter(self._condition())
        return found

    def _condition(self) -> Q:
        found = _searched(self.search)
        for name in ("signal", "sender", "actor_pk", "origin", "outcome", "database"):
            found &= _any_of(name, getattr(self, name))
        found &= _any_of("trace_id", self.trace)
        if self.family:
            found &= Q(signal__in=_signals_of(self.family))
        found &= _any_of("signal", QUICK_VIEWS[self.view][1])
        found &= _one_of(_about, self.object) & _one_of(_by, self.actor)
        if self.since is not None:
            found &= Q(occurred_at__gte=self.since)
        if self.until is not None:
            found &= Q(occurred_at__lt=self.until)
        return found

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        """Return the events as dicts, oldest first, in constant memory.

        What fires meanwhile may be among them: `until` says where to stop.
        """
        return rows(self.events(), columns)


def rows(events: QuerySet[SignalEvent], columns: Sequence[str]) -> Iterator[Row]:
    """Return events as dicts, oldest first, in constant memory."""
    fields = OLDEST_FIRST.fields
    return _read(events.order_by(*fields).values(*{*columns, *fields}))


def _read(events: QuerySet[SignalEvent, Row]) -> Iterator[Row]:
    """Yield the rows; each read begins where the one before it ended, so that none is long."""
    chunk = list(events[:CHUNK])
    while chunk:
        yield from chunk
        if len(chunk) < CHUNK:
            return
        last = [chunk[-1][name] for name in OLDEST_FIRST.fields]
        chunk = list(events.filter(OLDEST_FIRST.after(last))[:CHUNK])


def _any_of(field: str, values: Sequence[str]) -> Q:
    if len(values) == 1:
        return Q(**{field: values[0]})
    return Q(**{f"{field}__in": values}) if values else Q()


def _one_of(condition: Callable[[str], Q], values: Texts) -> Q:
    found = Q()
    for value in values:
        found |= condition(value)
    return found


def _signals_of(families: Texts) -> list[str]:
    return [known.name for known in catalog.built_in().values() if known.family in families]


def _about(text: str) -> Q:
    label, _space, key = text.partition(" ")
    if not key:
        return Q(object_pk=text)
    model = model_named(label)
    return Q(sender=model._meta.label if model else label, object_pk=key.strip())


def _by(text: str) -> Q:
    return Q(actor_pk=text) | Q(actor=text)


def _searched(text: str) -> Q:
    if not text.strip():
        return Q()
    conditions = understand(text).conditions
    if not conditions:
        raise NotUnderstood(
            gettext(
                "“{text}” is not a valid search. Use a trace id, a model, an object, a key, a "
                "username or a signal."
            ).format(text=text)
        )
    return any_of(conditions)


# What people write.


def moment(text: str) -> datetime:
    """Return the time that `24h` (ago), `2026-01-31` or `2026-01-31 09:30` means."""
    try:
        if span := _SPAN.fullmatch(text):
            found = timezone.now() - timedelta(**{_UNITS[span[2]]: int(span[1])})
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
            ).format(text=text)
        ) from error
    return found


class Period(NamedTuple):
    """A stretch of time, up to now if it has no end."""

    since: datetime
    until: datetime | None = None

    def __str__(self) -> str:
        """Return the ISO 8601 interval that `period()` reads."""
        until = "" if self.until is None else f"/{self.until.isoformat()}"
        return f"{self.since.isoformat()}{until}"


def period(text: str) -> Period:
    """Return what `24h` (ago, until now) or `<time>/<time>` means. Raises `NotUnderstood`."""
    since, slash, until = text.partition("/")
    return Period(moment(since), moment(until) if slash else None)


_SPAN = re.compile(r"(\d{1,9})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _signal(text: str) -> str:
    name = signal_named(text) or text
    near = get_close_matches(name, catalog.built_in(), n=1)
    if near and name not in catalog.built_in() and "." not in name:
        raise NotUnderstood(
            gettext("There is no signal “{text}”. Did you mean {near}?").format(
                text=text, near=near[0]
            )
        )
    return name


def _sender(text: str) -> str:
    model = model_named(text)
    return model._meta.label if model else text


def _trace(text: str) -> str:
    found = trace_id_in(text)
    if not found:
        raise NotUnderstood(
            gettext(
                "“{text}” is not a trace id. Use 32 hexadecimal digits or a traceparent."
            ).format(text=text)
        )
    return found


def _one_among(allowed: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise NotUnderstood(
                gettext("There is no “{text}”. Use one of {choices}.").format(
                    text=text, choices=", ".join(filter(None, allowed))
                )
            )
        return text

    return read


def _plain(text: str) -> str:
    return text


_READERS: Mapping[str, Callable[[str], Any]] = {
    "signal": _signal,
    "family": _one_among([family.value for family in Family]),
    "sender": _sender,
    "object": _plain,
    "actor": _plain,
    "actor_pk": _plain,
    "origin": _one_among(Origin.values),
    "outcome": _one_among(Outcome.values),
    "database": _plain,
    "trace": _trace,
    "since": moment,
    "until": moment,
    "view": _one_among(list(QUICK_VIEWS)),
    "search": _plain,
}
SINGLE = ("since", "until", "view", "search")


def selected(given: Mapping[str, Sequence[str]]) -> Selection:
    """Return what the texts given for each field select. Raises `NotUnderstood`."""
    values: dict[str, Any] = {}
    for name, texts in given.items():
        if any(clean(text) != text for text in texts):  # databases refuse to compare with it
            raise NotUnderstood(
                gettext("A filter contains a character that no event can contain.")
            )
        read = tuple(map(_READERS[name], texts))
        values[name] = read[-1] if name in SINGLE else read
    return Selection(**values)


# As the list of events writes them; what only says how it is laid out selects nothing.
_IN_ADDRESSES = {"q": "search", "time": "since"}
LAYOUT = ("p", "after", "before", "o", "e", "all", "format")


def in_address(query: QueryDict) -> Selection:
    """Return what the address of the list of events selects. Raises `NotUnderstood`."""
    given: dict[str, list[str]] = {}
    for name, texts in query.lists():
        field = _IN_ADDRESSES.get(name, name)
        if name in LAYOUT:
            continue
        if field not in _READERS:
            raise NotUnderstood(gettext("There is no filter “{name}”.").format(name=name))
        given[field] = [str(text) for text in texts]
    if given.get("since", [""])[-1].count("/") == 1:
        given["since"], given["until"] = ([text] for text in given["since"][-1].split("/"))
    return selected(given)
