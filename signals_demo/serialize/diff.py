"""What a save changed, without a query: by comparing with what the instance was loaded with.

The loaded values are kept on `instance._state`, frozen where they could be changed in place.
They go where the instance goes, except into a pickle: it does not grow, and what is read from it
has unknown old values.
"""

import datetime
import decimal
import uuid
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.db.models import Model
from django.db.models.expressions import Combinable

from signals_demo.serialize.introspection import ATOMS, has_safe_zone, ids_of, primary_key, zone_of
from signals_demo.serialize.model_info import Frozen, ModelInfo
from signals_demo.serialize.redaction import MASK, Redactor
from signals_demo.serialize.text import Text, quoted
from signals_demo.serialize.values import is_plain, json_of, jsonable

_STATE_NAME = "_signals_demo_loaded"
_MOMENTS = ids_of(datetime.datetime, datetime.time)
_COMPARABLE = ATOMS | ids_of(bytes, datetime.date, datetime.timedelta, decimal.Decimal, uuid.UUID)
_DEEP = 100
_REDACTOR = Redactor()  # of texts that are compared and not stored


class _Missing:
    """Stands for a value in `Loaded` that is not there."""


_DEFERRED: Any = _Missing()  # never loaded
_UNKNOWN: Any = _Missing()  # the database may hold another value than the instance


class Loaded(tuple[Any, ...]):
    """The values of an instance's concrete fields when they last matched the database."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[tuple[Any, ...]], tuple[()]]:
        return tuple, ()  # can be read where this app is not installed

    def __deepcopy__(self, memo: object) -> "Loaded":
        return self


def _current(info: ModelInfo, instance: Model) -> Sequence[Any]:
    held = instance.__dict__
    try:
        values = info.read(held)
    except KeyError:
        values = tuple(held.get(attname, _DEFERRED) for attname in info.attnames)
    if not info.freezers:
        return values
    frozen = list(values)
    for index, freeze in info.freezers:
        frozen[index] = freeze(frozen[index])
    return frozen


def loaded(instance: Model) -> Loaded | None:
    """Return what `remember` kept, or None where the old values are unknown."""
    return instance._state.__dict__.get(_STATE_NAME) or None


def remember(info: ModelInfo, instance: Model) -> None:
    """Keep the values that `instance` holds now as those that the database has."""
    instance._state.__dict__[_STATE_NAME] = Loaded(_current(info, instance))


def adopt(info: ModelInfo, instance: Model, fresh: Model) -> None:
    """Take over from `fresh`, just loaded, what `instance.refresh_from_db()` will copy."""
    if type(fresh) is not type(instance) or not _same(primary_key(fresh), primary_key(instance)):
        return  # a related object, loaded with it
    before = loaded(instance) or (_UNKNOWN,) * len(info.names)
    instance._state.__dict__[_STATE_NAME] = Loaded(
        old if new is _DEFERRED else new
        for old, new in zip(before, loaded(fresh) or before, strict=True)
    )


_MASKED = quoted(MASK)


def _shown(info: ModelInfo, index: int, value: Any) -> str:
    if value is None:
        return "null"
    if value is _DEFERRED:
        return '"<not loaded>"'
    if info.secrets[index]:
        return _MASKED
    return json_of(value.thaw() if type(value) is Frozen else value, info.redactor)


def _plain(value: Any) -> Any:
    kind = type(value)
    if issubclass(kind, str):
        return str.__str__(value)
    if issubclass(kind, int) and kind is not bool:
        return int.__add__(value, 0)
    return float.__add__(value, 0.0) if issubclass(kind, float) else value


def _same_leaf(old: Any, new: Any) -> bool:
    old, new = _plain(old), _plain(new)
    a, b = id(type(old)), id(type(new))
    if a in _COMPARABLE and b in _COMPARABLE:
        try:
            return bool(old == new or (old != old and new != new))  # NaN is the same NaN
        except decimal.InvalidOperation:  # a signalling one
            return str(old) == str(new)
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


def _same(old: Any, new: Any, depth: int = 0) -> bool:
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
            _same(item, other, depth + 1) for item, other in zip(old, new, strict=True)
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
        return all(key in new and _same(item, new[key], depth) for key, item in old.items())
    return all(
        key is other and _same(item, new_item, depth)
        for (key, item), (other, new_item) in zip(old.items(), new.items(), strict=True)
    )


def _differ(old: Any, new: Any) -> bool:
    if type(old) is Frozen and type(new) is Frozen and bytes.__eq__(old, new):
        return False
    return not _same(
        old.thaw() if type(old) is Frozen else old, new.thaw() if type(new) is Frozen else new
    )


def _stays_open(value: Any) -> bool:
    """Return whether a value such as F("stock") + 1 is worked out anew by each save."""
    kind = type(value)
    return kind is not str and kind is not int and issubclass(kind, Combinable)


def of_save(
    info: ModelInfo,
    instance: Model,
    before: Loaded | None,
    *,
    created: bool,
    update_fields: Collection[str] | None,
) -> Text:
    """Return `{field: [old, new]}` for a save that has just been done, and remember it.

    The result is JSON text. A create changes every field from null. With `before` None the old
    values are unknown, and the result is empty.
    """
    current = _current(info, instance)
    written = range(len(info.names)) if update_fields is None else _indexes(info, update_fields)
    _keep(instance, before, current, None if update_fields is None else written)
    if created:
        if not info.has_secrets and all(map(is_plain, current)):
            return _created, info, current, written
        return _created(info, current, written)
    if before is None:
        changes = []
    else:
        changes = [
            f"{info.openings[index]}{_shown(info, index, before[index])},"
            f"{_shown(info, index, current[index])}]"
            for index in written
            if _has_changed(info, index, before[index], current[index])
        ]
    return f"{{{','.join(changes)}}}"


def _created(info: ModelInfo, current: Sequence[Any], written: Iterable[int]) -> str:
    changes = (
        f"{info.openings[index]}null,{_shown(info, index, current[index])}]"
        for index in written
        if current[index] is not _DEFERRED
    )
    return f"{{{','.join(changes)}}}"


def remember_save(info: ModelInfo, instance: Model, update_fields: Collection[str] | None) -> None:
    """Remember what the database has after a save of which no changes are reported."""
    written = None if update_fields is None else _indexes(info, update_fields)
    _keep(instance, loaded(instance), _current(info, instance), written)


def _keep(
    instance: Model, before: Loaded | None, current: Sequence[Any], written: Iterable[int] | None
) -> None:
    """Keep the values that have been written, all of them if `written` is None."""
    if written is not None:
        kept = list(before or (_UNKNOWN,) * len(current))
        for index in written:
            kept[index] = current[index]
        current = kept
    instance._state.__dict__[_STATE_NAME] = Loaded(current)


def _indexes(info: ModelInfo, names: Collection[str]) -> list[int]:
    return sorted({info.index_of[name] for name in names if name in info.index_of})


def _has_changed(info: ModelInfo, index: int, old: Any, new: Any) -> bool:
    kind = type(new)
    if kind is type(old) and (kind is str or kind is int):  # most values
        return bool(old != new)
    if old is new:
        return _stays_open(new)
    if old is _UNKNOWN:
        return False
    # Django has forgotten a value that the database worked out and did not return. An
    # expression was assigned, which is a change; a generated column may be as it was.
    if new is _DEFERRED and index in info.generated:
        return False
    # A key that was not known, such as one that bulk_create() gave, has not changed.
    if old is None and info.attnames[index] == info.pk_attname:
        return False
    return _differ(old, new)


def of_delete(info: ModelInfo, instance: Model) -> str:
    """Return `{field: [last, null]}`, as JSON text, for a row that has just been deleted."""
    last = (
        f"{opening}{_shown(info, index, value)},null]"
        for index, (opening, value) in enumerate(
            zip(info.openings, _current(info, instance), strict=False)
        )
        if value is not _DEFERRED
    )
    return f"{{{','.join(last)}}}"
