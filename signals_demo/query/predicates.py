"""Filters as conditions that an index may serve, or is kept out of."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet
from django.db.models.functions import Coalesce

Condition = Mapping[str, Any]
"""What fields have to be, all of them, as `filter()` takes it."""

Filter = Sequence[Condition]
"""Conditions, of which one has to hold. If an index serves it, each is a range of that index."""

_M = TypeVar("_M", bound=Model)


def any_of(conditions: Filter) -> Q:
    """Return a filter as one condition."""
    return reduce(or_, (Q(**each) for each in conditions))


def without_index(rows: QuerySet[_M], filters: Iterable[Filter]) -> QuerySet[_M]:
    """Filter rows in such a way that no database goes by an index of these fields.

    Where several indexes would do, a database without good statistics may read the wrong one.
    """
    for one in filters:
        fields = {name.partition("__")[0] for each in one for name in each}
        rows = rows.alias(**{f"_{name}": Coalesce(name, name) for name in fields})
        rows = rows.filter(
            any_of([{f"_{name}": value for name, value in each.items()} for each in one])
        )
    return rows
