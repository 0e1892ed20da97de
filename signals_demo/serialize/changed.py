"""The JSON text of what a save changed, made on the worker thread.

There the classes of fields may be asked how they store a value; see `stored`.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db.models import JSONField
from django.db.models.expressions import BaseExpression, Combinable

from signals_demo.serialize.excerpt import CONTEXT, json_parts, text_parts
from signals_demo.serialize.frozen import Frozen
from signals_demo.serialize.introspection import dotted
from signals_demo.serialize.limits import MAX_TEXT, cut
from signals_demo.serialize.loaded import DEFERRED
from signals_demo.serialize.model_info import ModelInfo
from signals_demo.serialize.redaction import MASK
from signals_demo.serialize.same import COMPARABLE, same
from signals_demo.serialize.stored import (
    FAILED,
    Lazy,
    expression_text,
    is_range,
    serialized,
    stored,
)
from signals_demo.serialize.text import quoted
from signals_demo.serialize.values import json_of

MASKED = quoted(MASK)
NOT_LOADED = '"<not loaded>"'

Value = tuple[int, Any]
"""Where a field is among those of its model, and its value."""

Pair = tuple[int, Any, Any]
"""Where a field is among those of its model, its old value and its new one."""


class Shown(NamedTuple):
    """A value that was too large to wait, as JSON text."""

    text: str


def updated(info: ModelInfo, pairs: Iterable[Pair]) -> str:
    """Return `{field: [old, new]}` of those pairs that would not be stored as the same."""
    changes = (
        f"{info.openings[index]}{shown[0]},{shown[1]}]"
        for index, old, new in pairs
        if (shown := _change(info, index, old, new))
    )
    return f"{{{','.join(changes)}}}"


def written(info: ModelInfo, values: Iterable[Value]) -> str:
    """Return `{field: [null, new]}` of a row that was created."""
    texts = (f"{info.openings[index]}null,{shown(info, index, value)}]" for index, value in values)
    return f"{{{','.join(texts)}}}"


def removed(info: ModelInfo, values: Iterable[Value]) -> str:
    """Return `{field: [last, null]}` of a row that was deleted."""
    texts = (f"{info.openings[index]}{shown(info, index, value)},null]" for index, value in values)
    return f"{{{','.join(texts)}}}"


def named(info: ModelInfo, values: Iterable[Value]) -> str:
    """Return `{field: value}`."""
    texts = (f"{quoted(info.names[index])}:{shown(info, index, value)}" for index, value in values)
    return f"{{{','.join(texts)}}}"


def is_expression(value: Any) -> bool:
    """Return whether a value such as F("stock") + 1 is worked out anew by each save."""
    kind = type(value)
    return kind is not str and kind is not int and issubclass(kind, (Combinable, BaseExpression))


def shown(info: ModelInfo, index: int, value: Any) -> str:
    """Return a value as JSON text: as the field stores it, where JSON has nothing for it."""
    kind = type(value)
    if value is None:
        return "null"
    if value is DEFERRED:
        return NOT_LOADED
    if info.secrets[index]:
        return MASKED
    if kind is Shown:
        return str(value.text)
    if is_expression(value):
        text = expression_text(value)
        return _text(info, text) if type(text) is str else quoted(f"<{dotted(kind)}>")
    if kind is Lazy:
        text = stored(info.fields[index], value)
        return '"<lazy value>"' if text is FAILED else json_of(text, info.redactor)
    value = _thawed(value)
    as_given = info.as_given[index]
    if as_given is not kind and as_given is not object:
        value = _as_kept(info, index, value)
    text = json_of(value, info.redactor)
    if '"<' not in text or kind is str or kind is bytes:
        return text
    return _as_stored(info, index, value) or text


def _as_kept(info: ModelInfo, index: int, value: Any) -> Any:
    """Return what a field makes of a value when it stores it, if that is as easy to read."""
    field = info.fields[index]
    kept = stored(field, value)
    if kept is FAILED:
        return value
    is_djangos = type(field).__module__.startswith("django.")
    return kept if is_djangos or kept is None or type(kept) is type(value) else value


def _as_stored(info: ModelInfo, index: int, value: Any) -> str:
    """Return what a field makes of a value of an unknown class, empty if it makes nothing."""
    field = info.fields[index]
    kept = FAILED if is_range(field) else stored(field, value)
    text = json_of(kept, info.redactor)
    if '"<' not in text:
        return text
    told = serialized(field, value)
    return _text(info, told) if type(told) is str else ""


def _text(info: ModelInfo, text: str) -> str:
    return quoted(cut(info.redactor.message(text[: 2 * MAX_TEXT]), MAX_TEXT))


def _thawed(value: Any) -> Any:
    return value.thaw() if type(value) is Frozen else value


def _change(info: ModelInfo, index: int, old: Any, new: Any) -> tuple[str, str] | None:
    """Return both values as JSON text, or None if the field would store the same."""
    if type(old) is Shown or type(new) is Shown:
        return shown(info, index, old), shown(info, index, new)
    old, new = _thawed(old), _thawed(new)
    if _is_the_same(info.fields[index], old, new):
        return None
    texts = shown(info, index, old), shown(info, index, new)
    return texts if info.secrets[index] else _distinct(info, (old, new), texts)


def _is_the_same(field: Any, old: Any, new: Any) -> bool:
    if old is DEFERRED or new is DEFERRED or is_expression(old) or is_expression(new):
        return False
    depth = 1 if isinstance(field, JSONField) else 0  # there, true is not 1
    if same(old, new, depth):
        return True
    first, second = stored(field, old), stored(field, new)
    if first is None or second is None:  # a field of the project may store "" as null
        return first is second
    if first is not FAILED and second is not FAILED and same(first, second, depth=1):
        return True
    if id(type(first)) in COMPARABLE and id(type(second)) in COMPARABLE:
        return False
    # Of a class that cannot be compared.
    texts = serialized(field, old), serialized(field, new)
    return type(texts[0]) is str and texts[0] == texts[1]


def _distinct(
    info: ModelInfo, values: tuple[Any, Any], texts: tuple[str, str]
) -> tuple[str, str] | None:
    """Return the texts of two values, so that they show in what these differ."""
    old, new = values
    if texts[0] == texts[1] == "null":
        return None
    if type(old) is str and type(new) is str:
        if max(len(old), len(new)) > MAX_TEXT and min(len(old), len(new)) > CONTEXT:
            first, second = text_parts(old, new, info.redactor)
            return quoted(first), quoted(second)
    elif type(old) in _CONTAINERS and type(new) in _CONTAINERS:
        is_cut = any(map(_SAYS_IT_IS_CUT, texts))
        parts = json_parts(old, new, info.redactor) if is_cut or texts[0] == texts[1] else None
        if parts and parts[0] != parts[1]:
            return quoted(parts[0]), quoted(parts[1])
        if parts and is_cut:  # only what is masked has changed
            return MASKED, MASKED
    elif texts[0] == texts[1] and _SAYS_A_CLASS(texts[0]) and not is_expression(new):
        return texts[0], f'{texts[1][:-1]} (not compared)"'
    return texts


_CONTAINERS = (dict, list, tuple)
_SAYS_IT_IS_CUT = re.compile(r"… \(|… more|\d more").search
_SAYS_A_CLASS = re.compile(r'"<(?![\d,]+ bytes>)').match
