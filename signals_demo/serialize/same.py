"""Whether two values are the same, told without running a line of the project's code."""

import datetime
import decimal
import uuid
from collections.abc import Collection, Iterable
from sys import getsizeof
from typing import Any

from signals_demo.serialize.frozen import Frozen
from signals_demo.serialize.introspection import ATOMS, has_safe_zone, ids_of, zone_of
from signals_demo.serialize.redaction import Redactor
from signals_demo.serialize.values import jsonable

UUID = uuid.UUID
_MOMENTS = ids_of(datetime.datetime, datetime.time)
COMPARABLE = ATOMS | ids_of(bytes, datetime.date, datetime.timedelta, decimal.Decimal, UUID)
_AT_ONCE = COMPARABLE | ids_of(Frozen)
_UNCHANGEABLE = _AT_ONCE | _MOMENTS
_DEEP = 100
_LARGE = 4096  # bytes
_REDACTOR = Redactor()  # of texts that are compared and not stored


def is_unchangeable(values: Iterable[Any]) -> bool:
    """Return whether no value can be changed in place, and the same object is the same value."""
    # In C alone: each firing asks this of all its values.
    return _UNCHANGEABLE.issuperset(map(id, map(type, values)))


def can_wait(values: Collection[Any]) -> bool:
    """Return whether values can wait for the worker as they are: small, and unchangeable."""
    return is_unchangeable(values) and max(map(getsizeof, values), default=0) <= _LARGE


def same_at_once(old: Any, new: Any) -> bool:
    """Return whether two values are certainly the same, at a cost that is hardly any."""
    kind = id(type(new))
    if kind != id(type(old)):
        return False
    if kind in _AT_ONCE:
        return _equal(old, new)
    return kind in _MOMENTS and has_safe_zone(old) and has_safe_zone(new) and bool(old == new)


def same(old: Any, new: Any, depth: int = 0) -> bool:
    """Compare frozen values, containers as JSON: the order of keys does not count."""
    if old is new:
        return True
    a, b = type(old), type(new)
    if depth > _DEEP:
        return False
    if a is dict and b is dict:
        return _same_items(old, new, depth + 1)
    if (a is list or a is tuple) and (b is list or b is tuple):
        return len(old) == len(new) and all(
            same(item, other, depth + 1) for item, other in zip(old, new, strict=True)
        )
    if (a is set or a is frozenset) and a is b:
        if all(id(type(member)) in ATOMS for member in (*old, *new)):
            return bool(old == new)
        return set(map(id, old)) == set(map(id, new))
    if depth and (a is bool) != (b is bool):  # in JSON, true is not 1
        return False
    return _same_leaf(old, new)


def _same_items(old: dict[Any, Any], new: dict[Any, Any], depth: int) -> bool:
    if len(old) != len(new):
        return False
    if all(id(type(key)) in ATOMS for key in (*old, *new)):
        return all(key in new and same(item, new[key], depth) for key, item in old.items())
    return all(
        key is other and same(item, new_item, depth)
        for (key, item), (other, new_item) in zip(old.items(), new.items(), strict=True)
    )


def _same_leaf(old: Any, new: Any) -> bool:
    old, new = _plain(old), _plain(new)
    a, b = id(type(old)), id(type(new))
    if a in COMPARABLE and b in COMPARABLE:
        return _equal(old, new)
    if a != b:
        return False
    if a in _MOMENTS:
        if has_safe_zone(old) and has_safe_zone(new):
            return bool(old == new)
        if zone_of(old) is not zone_of(new):
            return False
    # A text in angle brackets stands for something that it does not show.
    text = jsonable(old, _REDACTOR)
    return type(text) is str and not text.startswith("<") and text == jsonable(new, _REDACTOR)


def _plain(value: Any) -> Any:
    kind = type(value)
    if issubclass(kind, str):
        return str.__str__(value)
    if issubclass(kind, int) and kind is not bool:
        return int.__add__(value, 0)
    return float.__add__(value, 0.0) if issubclass(kind, float) else value


def _equal(old: Any, new: Any) -> bool:
    try:
        return bool(old == new or (old != old and new != new))  # NaN is the same NaN
    except decimal.InvalidOperation:  # a signalling one
        return str(old) == str(new)
