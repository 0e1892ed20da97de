"""Containers and files as they were, in a form that later changes to them cannot reach."""

import marshal
from collections.abc import Callable
from typing import Any

from django.core.files.base import File

from signals_demo.serialize.introspection import ATOMS, file_name, ids_of

_CONTAINERS = ids_of(dict, list, tuple, set, frozenset)
_BUFFERS = ids_of(bytearray, memoryview)
_DEEP = 100
Freeze = Callable[[Any], Any]


class Frozen(bytes):
    """A container as it was, in a form that later changes to it cannot reach."""

    __slots__ = ()

    def thaw(self) -> Any:
        """Return the container again."""
        return marshal.loads(self)


def _copy(value: Any, depth: int = 0) -> Any:
    """Copy containers, as plain ones; hash nothing in them: that may be the project's code."""
    kind = type(value)
    if id(kind) in ATOMS or depth > _DEEP:
        return value
    if issubclass(kind, dict):
        if all(id(type(key)) in ATOMS for key in dict.__iter__(value)):
            return {key: _copy(item, depth + 1) for key, item in dict.items(value)}
        return dict.copy(value)
    if issubclass(kind, list):
        return [_copy(item, depth + 1) for item in list.__iter__(value)]
    if issubclass(kind, tuple):
        return tuple(_copy(item, depth + 1) for item in tuple.__iter__(value))
    return set.copy(value) if issubclass(kind, set) else value


def freeze_container(value: Any) -> Any:
    """Return a value that stays as it is when `value` is changed in place."""
    kind = type(value)
    if id(kind) in ATOMS:
        return value
    if id(kind) in _BUFFERS:
        return bytes(value)
    if id(kind) not in _CONTAINERS:
        return _copy(value)
    try:
        # Version 2 writes no back references, so that equal containers give equal bytes.
        return Frozen(marshal.dumps(value, 2))
    except ValueError:  # something inside is not a plain value, or it goes too deep
        return _copy(value)


def freeze_file(value: Any) -> Any:
    """Return the name of a file field's value."""
    return file_name(value) if issubclass(type(value), File) else value
