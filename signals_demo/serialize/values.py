"""Any Python value as a small JSON value, without running a line of the project's code."""

from collections.abc import Iterable
from typing import Any

from signals_demo.serialize.handlers import SMALL_INT, handler_of
from signals_demo.serialize.introspection import first
from signals_demo.serialize.limits import (
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_NAME,
    MAX_TEXT,
    MAX_VALUES,
    cut,
)
from signals_demo.serialize.redaction import (
    MASK,
    VALUE_KEYS,
    Redactor,
    is_named_pair,
    may_hold_secret,
    names_a_secret,
)
from signals_demo.serialize.text import BOOLEANS, encode, quoted


class Converter:
    """Makes JSON of one value and of what it contains, up to the limits."""

    __slots__ = ("redactor", "room")

    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor
        self.room = MAX_VALUES
        """How many more values fit."""

    def value(self, value: Any, depth: int = 0) -> Any:
        kind = type(value)
        if kind is bool or value is None:
            return value
        self.room -= 1
        # Lazy objects and partial functions can be nested too, even in a circle.
        if self.room < 0 or depth > 2 * MAX_DEPTH:
            return "..."
        return self.text(value) if kind is str else handler_of(kind)(self, value, depth)

    def text(self, text: str) -> str:
        length = len(text)
        if length > MAX_TEXT:
            text = text[: 2 * MAX_TEXT]  # a URL on the edge is masked before it is cut
        self.room -= length // 100 if length < MAX_TEXT else 10
        if may_hold_secret(text):
            text = self.redactor.text(text)
        return text if length <= MAX_TEXT else f"{text[:MAX_TEXT]}... ({length:,} characters)"

    def items(self, value: Iterable[Any], length: int, depth: int) -> Any:
        if depth >= MAX_DEPTH:
            return f"... ({length} items)"
        found = first(value, MAX_ITEMS)
        if length == 2 and is_named_pair(found, self.redactor.is_secret):
            return [self.value(found[0]), MASK]
        shown = [self.value(item, depth + 1) for item in found]
        if length > len(shown):
            shown.append(f"... ({length - len(shown):,} more)")
        return shown

    def mapping(self, value: Any, depth: int) -> Any:
        length = dict.__len__(value)
        if depth >= MAX_DEPTH:
            return f"... ({length} items)"
        shown: dict[str, Any] = {}
        is_secret = self.redactor.is_secret
        found = first(dict.items(value), MAX_ITEMS)
        # Only of texts: to hash another key may run the project's code.
        named = names_a_secret({k: v for k, v in found if type(k) is str}, is_secret)
        for key, item in found:
            name = key if type(key) is str else str(self.value(key, MAX_DEPTH - 1))
            hidden = item is not None and (is_secret(name) or (named and name in VALUE_KEYS))
            name = cut(name, MAX_NAME)
            if name in shown:  # 1 and "1", or the same beginning
                name = f"{name} #{len(shown)}"
            shown[name] = MASK if hidden else self.value(item, depth + 1)
        if length > len(shown):
            shown["..."] = f"{length - len(shown):,} more"
        return shown


def jsonable(value: Any, redactor: Redactor) -> Any:
    """Return `value` as a small JSON value with its secrets masked.

    Text is cut at 1,000 characters, containers at 50 items, 6 levels and 400 values in all; what
    was left out is said in place. Unknown objects become `<dotted.Class>`.
    """
    kind = type(value)
    if kind is int and -SMALL_INT <= value < SMALL_INT:
        return value
    return Converter(redactor).value(value)


def is_plain(value: Any) -> bool:
    """Return whether a value can be kept as it is: small, unchangeable, hiding nothing."""
    kind = type(value)
    if kind is str:
        # `may_hold_secret`, without a call: most of what is captured comes by here.
        return (
            len(value) < 100
            and "=" not in value
            and '"' not in value
            and "://" not in value
            and "earer " not in value
        )
    return value is None or kind is bool or (kind is int and -SMALL_INT <= value < SMALL_INT)


def json_of(value: Any, redactor: Redactor) -> str:
    """Return what `jsonable` gives, as JSON text."""
    kind = type(value)
    if kind is str:
        if is_plain(value) or (len(value) <= MAX_TEXT and not may_hold_secret(value)):
            return quoted(value)
    elif kind is int:
        if -SMALL_INT <= value < SMALL_INT:
            return str(value)
    elif value is None:
        return "null"
    elif kind is bool:
        return BOOLEANS[value]
    return encode(jsonable(value, redactor))
