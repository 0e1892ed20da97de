"""Paging by the values of a row, not by a number: deep in a list costs what its beginning does.

A cursor is a place between two rows. In an address it is a row of numbers: `1767225600000000-7-3`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q

LAST = 10**18 - 1
"""At least as high as any number in a cursor."""

_NUMBER = re.compile(r"[0-9]{1,18}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LATEST = _EPOCH + 10**17 * _MICROSECOND  # the last days of the calendar are not in every zone


class NotACursor(ValueError):
    """A text that no cursor is written as."""


def encode(numbers: Iterable[int]) -> str:
    """Return numbers as text for an address."""
    return "-".join(map(str, numbers))


def decode(text: str) -> list[int]:
    """Return the numbers that `encode()` wrote, one at least. Raises `NotACursor`."""
    parts = text.split("-")
    if not all(map(_NUMBER.fullmatch, parts)):
        raise NotACursor(f"Not a cursor: {text!r}")
    return list(map(int, parts))


class Cursor(tuple[Any, ...]):
    """The values of a row in the fields of an order. `str()` writes it for an address."""

    __slots__ = ()

    def __str__(self) -> str:
        return encode(map(_number_of, self))


def _number_of(value: datetime | timedelta | int) -> int:
    if isinstance(value, int):
        return value
    if isinstance(value, datetime):
        value = (value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH
    return value // _MICROSECOND


def _value_of(number: int, kind: type) -> Any:
    """Return what `_number_of()` made this number of. Raises `OverflowError`."""
    if kind is int:
        return number
    length = number * _MICROSECOND
    if kind is timedelta:
        return length
    moment = _EPOCH + length
    if moment > _LATEST:
        raise OverflowError(number)
    return moment if settings.USE_TZ else moment.replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class Order:
    """An order of rows: its fields as `order_by()` takes them, and the type of their values."""

    kinds: Mapping[str, type]

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the fields, for `order_by()`."""
        return tuple(self.kinds)

    def cursor(self, *values: Any) -> Cursor:
        """Return the place with these values; those that are left out are 0."""
        return Cursor((*values, *(0 for _ in range(len(self.kinds) - len(values)))))

    def of(self, row: Any) -> Cursor:
        """Return the place of a row."""
        return Cursor(getattr(row, name.removeprefix("-")) for name in self.kinds)

    def read(self, text: str) -> Cursor:
        """Return the place that a text from an address names. Raises `NotACursor`."""
        numbers = decode(text)
        try:
            pairs = zip(numbers, self.kinds.values(), strict=True)
            return Cursor(_value_of(number, kind) for number, kind in pairs)
        except (ValueError, OverflowError) as error:
            raise NotACursor(f"Not a cursor: {text!r}") from error

    def after(self, cursor: Sequence[Any], *, inclusive: bool = False) -> Q:
        """Return the condition for the rows after a place; with `inclusive`, also those at it.

        The first part of it says nothing new; it is there for an index.
        """
        names = list(self.kinds)
        found = same = Q()
        for name, value in zip(names, cursor, strict=True):
            found |= same & _beyond(name, value, inclusive=inclusive and name == names[-1])
            same &= Q(**{name.removeprefix("-"): value})
        return _beyond(names[0], cursor[0], inclusive=True) & found

    def reversed(self) -> "Order":
        """Return the opposite order."""
        return Order({_opposite(name): kind for name, kind in self.kinds.items()})


def _beyond(name: str, value: Any, *, inclusive: bool) -> Q:
    lookup = "lt" if name.startswith("-") else "gt"
    return Q(**{f"{name.removeprefix('-')}__{lookup}{'e' if inclusive else ''}": value})


def _opposite(name: str) -> str:
    return name.removeprefix("-") if name.startswith("-") else f"-{name}"


OLDEST_FIRST = Order({"occurred_at": datetime, "pk": int})
NEWEST_FIRST = OLDEST_FIRST.reversed()
AS_FIRED = Order({"position": int, "pk": int})
"""In a trace. Requests that came with one `traceparent` share it, and each counts from 1."""
