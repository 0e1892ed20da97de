"""What a save changed, told without a query from what the instance was loaded with.

The loaded values are kept on `instance._state`, frozen where they could be changed in place.
They go where the instance goes, but for a pickle: it does not grow, and what is read back from
it has unknown old values.
"""

import json
from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import Model

from signals_demo.modelinfo import Frozen, ModelInfo
from signals_demo.redaction import MASK
from signals_demo.values import ATOMS, HANDLERS, jsonable

Changes = dict[str, list[Any]]

_STATE_NAME = "_signals_demo_loaded"
_ABSENT: Any = object()  # a deferred field: never loaded
_COMPARABLE = frozenset(HANDLERS) & {*ATOMS, bytes} | {
    kind for kind in HANDLERS if kind.__module__ in ("datetime", "decimal", "uuid")
}
_CONTAINERS = frozenset({dict, list, tuple, set, frozenset})


class Loaded(tuple[Any, ...]):
    """The values of an instance's concrete fields when they last matched the database."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type["Loaded"], tuple[()]]:
        return Loaded, ()

    def __deepcopy__(self, memo: object) -> "Loaded":
        return self


def _current(info: ModelInfo, instance: Model) -> Sequence[Any]:
    held = instance.__dict__
    try:
        values = info.read(held)
    except KeyError:
        values = tuple(held.get(attname, _ABSENT) for attname in info.attnames)
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


def _shown(info: ModelInfo, index: int, value: Any) -> Any:
    if value is None:
        return None
    if info.secrets[index]:
        return MASK
    return jsonable(value.thaw() if type(value) is Frozen else value, info.redactor)


def _plain(value: Any) -> Any:
    kind = type(value)
    if issubclass(kind, str):
        return str.__str__(value)
    if issubclass(kind, int) and kind is not bool:
        return int.__add__(value, 0)
    return value


def _leaf(value: Any) -> str:
    kind = type(value)
    return repr(value) if kind in _COMPARABLE or kind is set else f"<{kind} {id(value)}>"


def _canonical(value: Any) -> str | None:
    try:
        return json.dumps(value, sort_keys=True, default=_leaf)
    except TypeError:  # keys of several types have no order
        return None


def _differ(old: Any, new: Any) -> bool:
    if type(old) is Frozen and type(new) is Frozen:
        if bytes.__eq__(old, new):
            return False
        old, new = old.thaw(), new.thaw()
    old, new = _plain(old), _plain(new)
    if type(old) in _COMPARABLE and type(new) in _COMPARABLE:
        return bool(old != new)
    if type(old) is not type(new) or type(old) not in _CONTAINERS:
        return True
    # As JSON: the order of keys does not count, and True is not 1.
    before, after = _canonical(old), _canonical(new)
    return before is None or before != after


def of_save(
    info: ModelInfo,
    instance: Model,
    *,
    created: bool,
    update_fields: Collection[str] | None,
    known: bool,
) -> Changes:
    """Return `{field: [old, new]}` for a save that has just been done, and remember it.

    A create changes every field from null. `known` says that the instance came from the
    database: one that was only constructed cannot tell what its row held before.
    """
    current = _current(info, instance)
    before = loaded(instance)
    written = (
        range(len(info.names))
        if update_fields is None
        else sorted({info.index_of[name] for name in update_fields if name in info.index_of})
    )
    changes: Changes = {}
    if created:
        for index in written:
            if (new := current[index]) is not _ABSENT:
                changes[info.names[index]] = [None, _shown(info, index, new)]
    elif before is not None and known:
        for index in written:
            old, new = before[index], current[index]
            if old is new or old is _ABSENT or new is _ABSENT:
                continue
            if _differ(old, new):
                changes[info.names[index]] = [_shown(info, index, old), _shown(info, index, new)]
    if update_fields is not None and before is not None:
        kept = list(before)
        for index in written:
            kept[index] = current[index]
        current = kept
    instance._state.__dict__[_STATE_NAME] = Loaded(current)
    return changes


def of_delete(info: ModelInfo, instance: Model) -> Changes:
    """Return `{field: [last, null]}` for a row that has just been deleted."""
    return {
        name: [_shown(info, index, value), None]
        for index, (name, value) in enumerate(
            zip(info.names, _current(info, instance), strict=False)
        )
        if value is not _ABSENT
    }
