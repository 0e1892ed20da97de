"""What a save changed, without a query: by comparing with what the instance was loaded with.

On the project's thread only what is certainly the same is sorted out. `changed` compares the rest.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from django.db.models import Model

from signals_demo.serialize.changed import (
    MASKED,
    Pair,
    Shown,
    Value,
    is_expression,
    named,
    removed,
    updated,
    written,
)
from signals_demo.serialize.excerpt import text_parts
from signals_demo.serialize.frozen import Frozen
from signals_demo.serialize.limits import MAX_TEXT
from signals_demo.serialize.loaded import (
    DEFERRED,
    UNKNOWN,
    Loaded,
    indexes,
    is_row,
    keep,
    known,
    saved,
)
from signals_demo.serialize.model_info import ModelInfo
from signals_demo.serialize.same import COMPARABLE, can_wait, is_unchangeable, same_at_once
from signals_demo.serialize.stored import Lazy, hold_lazy
from signals_demo.serialize.text import Text, quoted
from signals_demo.serialize.values import json_of

_LARGE = 64 * 1024
"""Characters or bytes above which a value is shown at once, and does not wait for the worker."""
_LARGEST = 1024 * 1024
"""Bytes of a container above which it is not compared."""


class Changes(NamedTuple):
    """What a save changed: `{field: [old, new]}`, and new values of which the old is unknown."""

    known: Text
    overwriting: Text | None = None


NOTHING = Changes("{}")


def of_save(
    info: ModelInfo, named: Mapping[str, Any], outcome: Any, *, has_new_parents: bool = True
) -> Changes:
    """Return what a save that has just been done changed, and remember what the row holds now.

    `named` is what post_save was sent with, `outcome` that of the transaction that is open.
    """
    instance = named["instance"]
    values, fields = now(info, named)
    every = range(len(info.names)) if fields is None else fields
    before = known(info, instance, outcome)
    if not named.get("created"):
        row = before if before is not None and is_row(info, before, values) else None
        changes = of_update(info, instance, row, values, every)
    elif has_new_parents or named.get("raw"):
        changes = Changes(of_create(info, instance, values, every))
    else:  # a row of a child model beside one of its parent's that was there
        own = [index for index in every if index not in info.inherited]
        theirs = [index for index in every if index in info.inherited]
        new = written, info, _waiting(info, instance, values, own)
        changes = Changes(new, _overwriting(info, instance, values, theirs))
    waiting = changes.known[-1]
    if type(waiting) is tuple:
        values = _with_languages(values, waiting)
    keep(info, instance, values, fields, outcome, before)
    return changes


def now(info: ModelInfo, named: Mapping[str, Any]) -> tuple[Sequence[Any], Sequence[int] | None]:
    """Return what a saved instance holds, and where the fields are that were written.

    The second is None if these are all.
    """
    values = saved(info, named["instance"])
    update_fields = named.get("update_fields")
    if update_fields is not None:
        return values, indexes(info, update_fields)
    if named.get("raw") and info.inherited:  # then no row of a parent model is written
        return values, [i for i in range(len(info.names)) if i not in info.inherited]
    return values, None


def _with_languages(values: Sequence[Any], waiting: Sequence[Any]) -> Sequence[Any]:
    """Return values with the language of each lazy text: the next save may be in another."""
    for item in waiting:
        if type(item[-1]) is Lazy:
            index = item[0]
            values = [*values[:index], item[-1], *values[index + 1 :]]
    return values


def of_create(
    info: ModelInfo, instance: Model, values: Sequence[Any], fields: Iterable[int]
) -> Text:
    """Return `{field: [null, new]}` of a row that was created."""
    if len(info.recorded) < len(info.names):
        fields = [index for index in fields if index in info.recorded]
    return _of(written, info, instance, values, fields)


def _of(
    show: Callable[[ModelInfo, Iterable[Value]], str],
    info: ModelInfo,
    instance: Model | None,
    values: Sequence[Any],
    fields: Iterable[int],
) -> Text:
    """Return the text that `show` will make of these values."""
    if can_wait(values):
        return _of_waiting, show, info, values, fields
    return show, info, _waiting(info, instance, values, fields)


def _of_waiting(
    show: Callable[[ModelInfo, Iterable[Value]], str],
    info: ModelInfo,
    values: Sequence[Any],
    fields: Iterable[int],
) -> str:
    return show(info, ((index, values[index]) for index in fields))


def of_update(
    info: ModelInfo,
    instance: Model,
    before: Loaded | None,
    values: Sequence[Any],
    fields: Iterable[int],
) -> Changes:
    """Return what changed. With `before` None nothing is known of what the row held."""
    if before is None:
        return Changes("{}", _overwriting(info, instance, values, fields))
    held: list[Pair] = []
    unknown: list[int] = []
    if is_unchangeable(values):  # hardly any field has changed
        fields = [index for index in fields if before[index] is not values[index]]
    for index in fields:
        old, new = before[index], values[index]
        kind = type(new)
        if kind is type(old) and (kind is str or kind is int):  # most values
            if old != new and index in info.recorded:
                is_short = kind is int or len(old) + len(new) < _LARGE
                held.append((index, old, new) if is_short else _held(info, index, old, new))
            continue
        if old is new:
            if id(kind) in COMPARABLE or not is_expression(new):
                continue
        elif old is UNKNOWN:
            unknown.append(index)
            continue
        # Django has forgotten a value that the database worked out and did not return. An
        # expression was assigned, which is a change; a generated column may be as it was.
        elif (new is DEFERRED and index in info.generated) or same_at_once(old, new):
            continue
        if index in info.recorded:
            held.append(_held(info, index, old, new))
    if not held and not unknown:
        return NOTHING
    overwriting = _overwriting(info, instance, values, unknown) if unknown else None
    return Changes((updated, info, tuple(held)) if held else "{}", overwriting)


def _overwriting(
    info: ModelInfo, instance: Model, values: Sequence[Any], fields: Iterable[int]
) -> Text:
    own = [index for index in fields if index in info.recorded and index not in info.key_indexes]
    return named, info, _waiting(info, instance, values, own)


def of_delete(
    info: ModelInfo, instance: Model, outcome: Any, *, keeps_parents: bool = False
) -> tuple[Text, bool]:
    """Return `{field: [last, null]}` of a row that was deleted, and whether all of it is known.

    These are the values that the row held, not what was assigned to its instance since.
    """
    kept = info.inherited if keeps_parents else ()
    fields = [index for index in info.recorded if index not in kept]
    held = instance.__dict__
    values = [held.get(attname, DEFERRED) for attname in info.attnames]
    before = known(info, instance, outcome)
    if before is None or not is_row(info, before, values):
        before = Loaded(
            value if index in info.key_indexes else UNKNOWN for index, value in enumerate(values)
        )
    found = [index for index in fields if before[index] is not UNKNOWN]
    return _of(removed, info, None, before, found), len(found) == len(fields)


def _waiting(
    info: ModelInfo, instance: Model | None, values: Sequence[Any], fields: Iterable[int]
) -> tuple[tuple[int, Any], ...]:
    """Return values in a form in which they can wait for the worker: small, and unchangeable."""
    return tuple(
        (index, _waiting_value(info, index, value, instance))
        for index in fields
        if (value := values[index]) is not DEFERRED
    )


def _waiting_value(info: ModelInfo, index: int, value: Any, instance: Model | None) -> Any:
    if value is None:
        return None
    if info.secrets[index]:
        return Shown(MASKED)
    kind = type(value)
    if kind is str:
        return Shown(json_of(value, info.redactor)) if len(value) > MAX_TEXT else value
    if kind is Frozen and len(value) > _LARGE:  # of the container itself only the start is read
        now = instance.__dict__.get(info.attnames[index]) if instance is not None else value.thaw()
        return Shown(json_of(now, info.redactor))
    if kind is bytes and len(value) > MAX_TEXT:
        return Shown(json_of(value, info.redactor))
    return value if id(kind) in COMPARABLE else hold_lazy(value)


def _held(info: ModelInfo, index: int, old: Any, new: Any) -> Pair:
    """Return a pair in a form in which it can wait for the worker."""
    kinds = type(old), type(new)
    if info.secrets[index]:
        return index, old, new
    if kinds == (str, str) and len(old) + len(new) > _LARGE:
        old, new = (Shown(quoted(part)) for part in text_parts(old, new, info.redactor))
    elif (kinds[0] is Frozen and len(old) > _LARGEST) or (
        kinds[1] is Frozen and len(new) > _LARGEST
    ):
        old, new = _sized(old), _sized(new)
    elif kinds == (bytes, bytes) and len(old) + len(new) > _LARGE:
        old, new = (Shown(json_of(value, info.redactor)) for value in (old, new))
    return index, hold_lazy(old), hold_lazy(new)


def _sized(value: Any) -> Any:
    """Return what is said of a container that is too large to compare."""
    if type(value) is not Frozen:
        return value
    return Shown(quoted(f"<{len(value):,} bytes of data, checksum {zlib.crc32(value):08x}>"))
