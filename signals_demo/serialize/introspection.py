"""Read classes and values without running their own code.

Classes are compared by `type()`, never `isinstance()`: that asks a lazy object for its
`__class__`, which evaluates it. They are looked up by `id()`, because a metaclass may define how
they are hashed and compared. Attributes and containers are read with the methods of the base
class, so that a subclass in the project cannot answer.
"""

import datetime
import functools
import uuid
import zoneinfo
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from django.core.files.base import File
from django.db.models import Model
from django.utils.functional import LazyObject, empty


def ids_of(*classes: type) -> frozenset[int]:
    """Return what to look `id(type(value))` up in: these classes live as long as the process."""
    return frozenset(map(id, classes))


ATOMS = ids_of(str, int, float, bool, type(None))
SAFE_ZONES = ids_of(type(None), datetime.timezone, zoneinfo.ZoneInfo)

class_dict: Callable[[type], Mapping[str, Any]] = type.__dict__["__dict__"].__get__
mro: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_module: Callable[[type], Any] = type.__dict__["__module__"].__get__
qualname: Callable[[type], str] = type.__dict__["__qualname__"].__get__
uuid_int: Callable[[uuid.UUID], int] = uuid.UUID.__dict__["int"].__get__
partial_func: Callable[[Any], Any] = functools.partial.__dict__["func"].__get__


def own_dict(value: Any) -> dict[str, Any]:
    """Return the attributes that a value itself holds."""
    try:
        own = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return own if type(own) is dict else {}


def dotted(cls: type) -> str:
    """Return a class's dotted path."""
    module = _module(cls)
    return f"{module}.{qualname(cls)}" if type(module) is str else qualname(cls)


def primary_key(instance: Model) -> Any:
    """Return the primary key as `instance.__dict__` holds it; a tuple for a composite one."""
    values = instance.__dict__
    fields = instance._meta.pk_fields
    if len(fields) == 1:
        return values.get(fields[0].attname)
    return tuple(values.get(field.attname) for field in fields)


def first(values: Iterable[Any], limit: int) -> list[Any]:
    """Return the first of some values, though another thread may be adding to them."""
    for _ in range(100):
        try:
            return list(islice(values, limit))
        except RuntimeError:  # changed during iteration
            continue
    return []


class Elements:
    """A container that its base class iterates over, and not a method of the project."""

    __slots__ = ("base", "value")

    def __init__(self, base: Any, value: Any) -> None:
        self.base = base
        self.value = value

    def __iter__(self) -> Iterator[Any]:
        return self.base.__iter__(self.value)  # type: ignore[no-any-return]


def zone_of(value: Any) -> datetime.tzinfo | None:
    """Return the zone of a datetime or a time."""
    kind = datetime.datetime if issubclass(type(value), datetime.datetime) else datetime.time
    return kind.tzinfo.__get__(value)  # type: ignore[no-any-return]


def has_safe_zone(value: Any) -> bool:
    """Return whether the zone of a datetime or a time can be asked for its offset."""
    return id(type(zone_of(value))) in SAFE_ZONES


def file_name(value: "File[Any]") -> Any:
    """Return the name of a file; an uploaded one keeps it in another place."""
    known = value.__dict__
    return known.get("name", known.get("_name"))


def unwrapped(value: Any) -> Any:
    """Return what a lazy object has already loaded, or the unloaded object itself."""
    if not issubclass(type(value), LazyObject):
        return value
    wrapped = object.__getattribute__(value, "__dict__").get("_wrapped", empty)
    return value if wrapped is empty else wrapped
