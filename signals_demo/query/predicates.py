"""Conditions that an index may serve, or is kept out of."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet
from django.db.models.functions import Coalesce

Condition = Mapping[str, Any]
"""What fields have to be, all of them, as `filter()` takes it."""

Predicate = Sequence[Condition]
"""Conditions, of which one has to hold. If an index serves it, each is a range of that index."""

_M = TypeVar("_M", bound=Model)


EVERYTHING: Predicate = ({},)
NOTHING: Predicate = ({"pk__in": ()},)


def any_of(predicate: Predicate) -> Q:
    """Return a predicate as one condition."""
    names = {name for each in predicate for name in each}
    if len(names) == 1 and len(predicate) > 1:
        [name] = names
        return Q(**{f"{name}__in": [each[name] for each in predicate]})
    return reduce(or_, (Q(**each) for each in predicate))


def without_index(rows: QuerySet[_M], predicates: Iterable[Predicate]) -> QuerySet[_M]:
    """Filter rows in such a way that no database goes by an index of these fields.

    Where several indexes would do, a database without good statistics may read the wrong one.
    """
    for predicate in predicates:
        fields = {name.partition("__")[0] for each in predicate for name in each}
        rows = rows.alias(**{f"_{name}": Coalesce(name, name) for name in fields})
        rows = rows.filter(
            any_of([{f"_{name}": value for name, value in each.items()} for each in predicate])
        )
    return rows
