"""Which functions something holds: a registry, a list, an `AppConfig`."""

import gc
import sys
from collections.abc import Iterable
from types import CellType, FrameType, FunctionType
from typing import Any


def held(functions: dict[int, FunctionType], listed: Iterable[Any]) -> set[int]:
    """Return the ids of those that an object holds which is not one of `listed`.

    A call that goes on holds nothing: it will end.
    """
    asked = tuple(functions.values())
    if not asked:
        return set()
    ignored = {id(asked), id(functions)}
    for each in listed:
        ignored |= {id(each), id(getattr(each, "__dict__", None))}
    found: set[int] = set()
    for holder in gc.get_referrers(*asked):
        if id(holder) not in ignored and not isinstance(holder, FrameType):
            found |= _held_by(holder, functions)
    if gc.get_freeze_count() and len(found) < len(functions):
        found |= _reachable(functions, ignored)  # get_referrers() does not see what is frozen
    return found


def _held_by(holder: Any, functions: dict[int, FunctionType]) -> set[int]:
    inside = {id(each) for each in gc.get_referents(holder)} & functions.keys()
    if type(holder) is CellType:  # a function that names itself does not hold itself
        return {key for key in inside if _is_used(holder, functions[key])}
    return inside


def _reachable(functions: dict[int, FunctionType], ignored: set[int]) -> set[int]:
    """Return the ids of those that a module leads to, whatever is in between."""
    seen, found = set(ignored), set[int]()
    todo: list[Any] = [sys.modules]
    while todo and len(found) < len(functions):
        for each in gc.get_referents(todo.pop()):
            if id(each) in functions:
                found.add(id(each))
            elif id(each) not in seen and gc.is_tracked(each):
                seen.add(id(each))
                todo.append(each)
    return found


def _is_used(cell: CellType, function: FunctionType) -> bool:
    """Return whether another function than the one in the cell can reach that."""
    own = function.__closure__
    return any(type(user) is tuple and user is not own for user in gc.get_referrers(cell))
