"""A value as its field would store it.

This asks the classes of fields and values, and may run the project's code: only on the worker
thread, or where there is none. What goes wrong there does no harm.
"""

import datetime
import decimal
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any, NamedTuple

from django.conf import settings
from django.db import models
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.functional import Promise
from django.utils.timezone import get_default_timezone, is_aware, is_naive, make_aware
from django.utils.translation import get_language, override

from signals_demo.serialize.introspection import ATOMS, ids_of, mro

_BUILT_IN = ATOMS | ids_of(
    bytes, datetime.date, datetime.datetime, datetime.time, datetime.timedelta, decimal.Decimal,
    dict, list, tuple,
)  # fmt: skip


class Failed:
    """What there is instead of a stored value, if the field could not be asked."""


FAILED = Failed()


class Lazy(NamedTuple):
    """A lazy text, and the language in which it was saved."""

    text: Promise
    language: str | None


def hold_lazy(value: Any) -> Any:
    """Return what keeps the meaning of a value for another thread, which has another language."""
    return Lazy(value, get_language()) if issubclass(type(value), Promise) else value


class _Here(threading.local):
    refuses = False
    """Whether the project's code must not run on this thread now."""
    refused = False
    """Whether there was any to run."""


_here = _Here()


class Unasked:
    """Whether a field had to do without being asked."""

    any = False


@contextmanager
def unasked() -> Iterator[Unasked]:
    """Ask no class of the project's, nor of packages, inside."""
    found = Unasked()
    _here.refuses, _here.refused = True, False
    try:
        yield found
    finally:
        found.any = _here.refused
        _here.refuses = False


def _may_ask(field: Any, value: Any) -> bool:
    if not _here.refuses:
        return True
    if id(type(value)) in _BUILT_IN and type(field).__module__.startswith("django."):
        return True
    _here.refused = True
    return False


def stored(field: Any, value: Any) -> Any:
    """Return `value` as `field` would store it, or `FAILED`."""
    if value is None:
        return None
    if not _may_ask(field, value):
        return FAILED
    try:
        return _stored(field, value)
    except Exception:  # noqa: BLE001 - the project's code may raise anything
        return FAILED


def serialized(field: Any, value: Any) -> str | Failed:
    """Return `value` as `field` serialises it, or `FAILED`."""
    if not _may_ask(field, value):
        return FAILED
    try:
        with _language_of(value):
            value = value.text if type(value) is Lazy else value
            holder = SimpleNamespace(**{field.name: value, field.attname: value})
            text = field.value_to_string(holder)
    except Exception:  # noqa: BLE001 - as above
        return FAILED
    return str.__str__(text) if issubclass(type(text), str) else FAILED


def expression_text(value: Any) -> str | Failed:
    """Return an expression such as `F("stock") + 1` as text, or `FAILED`."""
    if _here.refuses:
        _here.refused = True
        return FAILED
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - as above
        return FAILED


def _language_of(value: Any) -> Any:
    return override(value.language) if type(value) is Lazy else nullcontext()


def _stored(field: Any, value: Any) -> Any:
    while field.remote_field is not None:  # a reference stores what it refers to
        field = field.target_field
    if type(value) is Lazy:
        with _language_of(value):
            value = str(value.text)
    if isinstance(field, models.DateTimeField):
        value = _moment(value)
    if isinstance(field, models.JSONField):
        return json.loads(json.dumps(value, cls=field.encoder))
    base = getattr(field, "base_field", None)
    is_array = isinstance(value, (list, tuple)) and isinstance(base, models.Field)
    if is_array and not is_range(field):
        return [None if item is None else _stored(base, item) for item in value]
    value = field.get_prep_value(value)
    if isinstance(field, models.DecimalField) and type(value) is decimal.Decimal:
        return _rounded(value, field.decimal_places)
    if is_range(field):
        return _bounds(field, value)
    if type(value) in (bytearray, memoryview):
        return bytes(value)
    return value


def _moment(value: Any) -> Any:
    """Return a moment as `DateTimeField` stores it, without its warning of a naive one."""
    if issubclass(type(value), str):
        value = parse_datetime(value) or parse_date(value) or value
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime.datetime):
        return value
    if settings.USE_TZ and is_naive(value):
        return make_aware(value, get_default_timezone())
    if not settings.USE_TZ and is_aware(value):
        return value.astimezone(get_default_timezone()).replace(tzinfo=None)
    return value


def _rounding() -> str:
    """Return how a half is rounded: of the databases, only SQLite leaves that to Django."""
    is_sqlite = any("sqlite" in str(each["ENGINE"]) for each in settings.DATABASES.values())
    return decimal.ROUND_HALF_EVEN if is_sqlite else decimal.ROUND_HALF_UP


def _rounded(value: decimal.Decimal, places: int | None) -> decimal.Decimal:
    if places is None or not value.is_finite():
        return value
    precision = decimal.MAX_PREC if places > 500 else 1000
    context = decimal.Context(prec=precision, rounding=_rounding())
    return value.quantize(decimal.Decimal(1).scaleb(-places), context=context)


def is_range(field: Any) -> bool:
    """Return whether a field is one of PostgreSQL's ranges, without importing these."""
    return any(base.__name__ == "RangeField" for base in mro(type(field)))


# How much later the next value is, in ranges of what can be counted.
_STEPS: dict[str, Any] = {
    "IntegerRangeField": 1,
    "BigIntegerRangeField": 1,
    "DateRangeField": datetime.timedelta(1),
}


_RANGE_TEXT = re.compile(r"\s*([\[(])([^,]{0,99}),([^,]{0,99})([\])])\s*")


def _bounds(field: Any, value: Any) -> Any:
    """Return a range as PostgreSQL stores it: `(0, 4]` of numbers is `[1, 5)`."""
    if type(value) is str:
        found = _RANGE_TEXT.fullmatch(value)
        if found is None:
            return value
        lower, upper = ((text.strip(' "') or None) for text in found.group(2, 3))
        from_, to = found[1] == "[", found[4] == "]"
    elif value.isempty:
        return "empty"
    else:
        lower, upper = value.lower, value.upper
        from_, to = bool(value.lower_inc), bool(value.upper_inc)
    base = field.base_field
    lower, upper = (None if end is None else _stored(base, end) for end in (lower, upper))
    step = next((_STEPS[each.__name__] for each in mro(type(field)) if each.__name__ in _STEPS), 0)
    if step and lower is not None and not from_:
        lower, from_ = lower + step, True
    if step and upper is not None and to:
        upper, to = upper + step, False
    if lower is not None and lower == upper and not (from_ and to):
        return "empty"
    return [lower, upper, from_ and lower is not None, to and upper is not None]
