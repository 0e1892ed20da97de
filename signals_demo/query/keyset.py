"""Paging by the place of a row, not by a number: deep in a list costs what its beginning does."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q


def beyond(order: Sequence[str], place: Sequence[Any]) -> Q:
    """Return the condition for the rows that come after the one with these values of `order`.

    `order` is as for `order_by()`. The first condition says nothing new; it is there for an index.
    """
    found = same = Q()
    for name, value in zip(order, place, strict=True):
        field = name.removeprefix("-")
        found |= same & Q(**{f"{field}__{_after(name)}": value})
        same &= Q(**{field: value})
    return Q(**{f"{order[0].removeprefix('-')}__{_after(order[0])}e": place[0]}) & found


def _after(name: str) -> str:
    return "lt" if name.startswith("-") else "gt"


def backwards(order: Sequence[str]) -> list[str]:
    """Return the opposite order."""
    return [name.removeprefix("-") if name.startswith("-") else f"-{name}" for name in order]
