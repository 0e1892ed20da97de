"""Any Python value as a small JSON value, without running a line of the host's code.

Classes are told apart by `type()`, never `isinstance()`: that asks a lazy object for its
`__class__`, which evaluates it. They are looked up by `id()`, because a metaclass may define how
they are hashed and compared. Containers are read through their base class's own methods, so
that a subclass of the host cannot answer.
"""

import abc
import datetime
import decimal
import enum
import functools
import ipaddress
import math
import pathlib
import re
import uuid
import zoneinfo
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from django.core.files.base import File
from django.db.models import Model, QuerySet
from django.db.models.base import Deferred, ModelBase
from django.db.models.manager import BaseManager
from django.http import HttpRequest
from django.template.base import Template
from django.utils.functional import LazyObject, Promise, empty

from signals_demo.serialize.redaction import MASK, Redactor
from signals_demo.serialize.text import BOOLEANS, encode, quoted

MAX_TEXT = 1000
MAX_NAME = 100
MAX_ITEMS = 50
MAX_DEPTH = 6
MAX_VALUES = 400


def ids_of(*classes: type) -> frozenset[int]:
    """Return what to look `id(type(value))` up in: these classes live as long as the process."""
    return frozenset(map(id, classes))


ATOMS = ids_of(str, int, float, bool, type(None))
_SMALL_INT = 2**63
_SAFE_ZONES = ids_of(type(None), datetime.timezone, zoneinfo.ZoneInfo)
_PLAIN_METACLASSES = ids_of(type, abc.ABCMeta, enum.EnumMeta, ModelBase)

_class_dict: Callable[[type], Mapping[str, Any]] = type.__dict__["__dict__"].__get__
mro: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_module: Callable[[type], Any] = type.__dict__["__module__"].__get__
_qualname: Callable[[type], str] = type.__dict__["__qualname__"].__get__
_uuid_int: Callable[[uuid.UUID], int] = uuid.UUID.__dict__["int"].__get__
partial_func: Callable[[Any], Any] = functools.partial.__dict__["func"].__get__


def cut(text: str, limit: int = MAX_TEXT) -> str:
    """Return `text`, or its beginning and a remark on how long it was."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… ({len(text):,} characters)"


def dotted(cls: type) -> str:
    """Return a class's dotted path."""
    module = _module(cls)
    return f"{module}.{_qualname(cls)}" if type(module) is str else _qualname(cls)


def key_text(pk: Any) -> str:
    """Return a primary key as the text that `str(instance.pk)` gives, bytes in hex, cut to fit."""
    kind = type(pk)
    if kind is int or kind is str or kind is uuid.UUID:
        return cut(str(pk), 200)
    if pk is None:
        return ""
    if kind is tuple and all(id(type(part)) in _PLAIN for part in pk):
        return cut(str(pk), 200)
    if kind is datetime.datetime:
        return _moment(_Description(_NO_REDACTION), pk, 0).replace("T", " ", 1)
    if kind is bytes or kind is memoryview:  # what databases give for the same key
        return cut(pk.hex(), 200)
    value = jsonable(pk, _NO_REDACTION)
    return cut(value if type(value) is str else str(value), 200)


def primary_key(instance: Model) -> Any:
    """Return the primary key as `instance.__dict__` holds it; a tuple for a composite one."""
    values = instance.__dict__
    fields = instance._meta.pk_fields
    if len(fields) == 1:
        return values.get(fields[0].attname)
    return tuple(values.get(field.attname) for field in fields)


class _Description:
    """One description on its way: how deep it is and how many values it may still hold."""

    __slots__ = ("redactor", "room")

    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor
        self.room = MAX_VALUES

    def value(self, value: Any, depth: int = 0) -> Any:
        kind = type(value)
        if kind is bool or value is None:
            return value
        self.room -= 1
        # Lazy objects, partial functions and the like can be nested as well, in a circle even.
        if self.room < 0 or depth > 2 * MAX_DEPTH:
            return "…"
        return self.text(value) if kind is str else _handler(kind)(self, value, depth)

    def text(self, text: str) -> str:
        length = len(text)
        if length > MAX_TEXT:
            text = text[: 2 * MAX_TEXT]  # a URL on the edge is masked before it is cut
        self.room -= length // 100 if length < MAX_TEXT else 10
        if "://" in text:
            text = self.redactor.urls(text)
        return text if length <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({length:,} characters)"

    def items(self, value: Iterable[Any], length: int, depth: int) -> Any:
        if depth >= MAX_DEPTH:
            return f"… ({length} items)"
        shown = [self.value(item, depth + 1) for item in _first(value, MAX_ITEMS)]
        if length > len(shown):
            shown.append(f"… ({length - len(shown):,} more)")
        return shown

    def mapping(self, value: Any, depth: int) -> Any:
        length = dict.__len__(value)
        if depth >= MAX_DEPTH:
            return f"… ({length} items)"
        shown: dict[str, Any] = {}
        is_secret = self.redactor.is_secret
        for key, item in _first(dict.items(value), MAX_ITEMS):
            name = key if type(key) is str else _text(self.value(key, MAX_DEPTH - 1))
            hidden = item is not None and is_secret(name)
            name = cut(name, MAX_NAME)
            if name in shown:  # 1 and "1", or the same beginning
                name = f"{name} #{len(shown)}"
            shown[name] = MASK if hidden else self.value(item, depth + 1)
        if length > len(shown):
            shown["…"] = f"{length - len(shown):,} more"
        return shown


def _first(values: Iterable[Any], limit: int) -> list[Any]:
    """Return the first of some values, though another thread may be adding to them."""
    for _ in range(100):
        try:
            return list(islice(values, limit))
        except RuntimeError:  # changed during iteration
            continue
    return []


class _Elements:
    """A container that its base class iterates over, and not a method of the host's."""

    __slots__ = ("base", "value")

    def __init__(self, base: Any, value: Any) -> None:
        self.base = base
        self.value = value

    def __iter__(self) -> Iterator[Any]:
        return self.base.__iter__(self.value)  # type: ignore[no-any-return]


Handler = Callable[[_Description, Any, int], Any]


def _text(value: Any) -> str:
    return value if type(value) is str else str(value)


def _integer(description: _Description, value: int, depth: int) -> Any:
    number = int.__add__(value, 0)  # an IntegerChoices member becomes a plain int
    if -_SMALL_INT <= number < _SMALL_INT:
        return number
    # Text, because JSON readers lose digits; not all of it, because Python refuses to.
    return str(number) if number.bit_length() < 2000 else f"<int of {number.bit_length()} bits>"


def _float(description: _Description, value: float, depth: int) -> Any:
    number = float.__add__(value, 0.0)
    return number if math.isfinite(number) else float.__repr__(number)


def _moment(description: _Description, value: Any, depth: int) -> str:
    # A zone of the host's own would compute its offset in host code.
    zone = zone_of(value)
    kind = datetime.datetime if issubclass(type(value), datetime.datetime) else datetime.time
    if id(type(zone)) in _SAFE_ZONES:
        return kind.isoformat(value)
    parts = [getattr(kind, name).__get__(value) for name in _PARTS[kind]]
    return f"{kind(*parts).isoformat()} <{dotted(type(zone))}>"


_CLOCK = ("hour", "minute", "second", "microsecond")
_PARTS: dict[type, tuple[str, ...]] = {
    datetime.datetime: ("year", "month", "day", *_CLOCK),
    datetime.time: _CLOCK,
}


def zone_of(value: Any) -> datetime.tzinfo | None:
    """Return the zone of a datetime or a time."""
    kind = datetime.datetime if issubclass(type(value), datetime.datetime) else datetime.time
    return kind.tzinfo.__get__(value)  # type: ignore[no-any-return]


def has_safe_zone(value: Any) -> bool:
    """Return whether the zone of a datetime or a time can be asked for its offset."""
    return id(type(zone_of(value))) in _SAFE_ZONES


def _instance(description: _Description, value: Model, depth: int) -> dict[str, Any]:
    opts = value._meta
    pk = primary_key(value)
    secret = pk is not None and has_secret_key(type(value), description.redactor)
    return {"model": opts.label, "pk": MASK if secret else description.value(pk, MAX_DEPTH - 1)}


def file_name(value: "File[Any]") -> Any:
    """Return the name of a file; an uploaded one keeps it in another place."""
    known = value.__dict__
    return known.get("name", known.get("_name"))


def _file(description: _Description, value: "File[Any]", depth: int) -> Any:
    return description.value(file_name(value), MAX_DEPTH)


def _request(description: _Description, value: HttpRequest, depth: int) -> dict[str, Any]:
    known = value.__dict__
    return {name: description.value(known.get(name), MAX_DEPTH) for name in ("method", "path")}


def unwrapped(value: Any) -> Any:
    """Return what a lazy object has already loaded, or the unloaded object itself."""
    if not issubclass(type(value), LazyObject):
        return value
    wrapped = object.__getattribute__(value, "__dict__").get("_wrapped", empty)
    return value if wrapped is empty else wrapped


def _lazy(description: _Description, value: Any, depth: int) -> Any:
    loaded = unwrapped(value)
    return "<lazy value>" if loaded is value else description.value(loaded, depth + 1)


def _function(description: _Description, value: Any, depth: int) -> str:
    module = value.__module__
    return f"{module}.{value.__qualname__}" if type(module) is str else str(value.__qualname__)


def _set(description: _Description, value: Any, depth: int) -> Any:
    base = frozenset if issubclass(type(value), frozenset) else set
    length = base.__len__(value)
    members = _first(_Elements(base, value), length)
    if all(type(member) is int for member in members) or all(
        type(member) is str for member in members
    ):
        members.sort()
    return description.items(members, length, depth)


def _tuple(description: _Description, value: Any, depth: int) -> Any:
    for base in mro(type(value))[:-2]:  # not tuple and object
        names = _class_dict(base).get("_fields")
        if type(names) is tuple and all(type(name) is str for name in names):  # a named tuple
            pairs = zip(names, tuple.__iter__(value), strict=False)
            return description.mapping(dict(pairs), depth)
    return description.items(tuple.__iter__(value), tuple.__len__(value), depth)


def _enum(description: _Description, value: enum.Enum, depth: int) -> Any:
    return description.value(object.__getattribute__(value, "_value_"), depth + 1)


def _uuid(description: _Description, value: uuid.UUID, depth: int) -> str:
    return str(uuid.UUID(int=_uuid_int(value)))


def _queryset(description: _Description, value: "QuerySet[Any]", depth: int) -> str:
    model: Any = value.__dict__.get("model")
    label = model._meta.label if issubclass(type(model), ModelBase) else "?"
    return f"<{_qualname(type(value))} of {label}>"


def _exactly(*classes: type) -> Handler:
    """Return a handler for classes written in Python, whose subclasses could answer for them."""
    known = ids_of(*classes)

    def handle(description: _Description, value: Any, depth: int) -> str:
        return cut(str(value)) if id(type(value)) in known else _unknown(description, value, depth)

    return handle


def _unknown(description: _Description, value: Any, depth: int) -> str:
    return f"<{dotted(type(value))}>"


def _sequence(base: Any) -> Handler:
    return lambda description, value, depth: description.items(
        _Elements(base, value), base.__len__(value), depth
    )


def _by(convert: Callable[[Any], str]) -> Handler:
    return lambda description, value, depth: cut(convert(value))


# Looked up along a value's method resolution order: a subclass comes before its base.
HANDLERS: dict[type, Handler] = {
    type(None): lambda description, value, depth: None,
    bool: lambda description, value, depth: value,
    enum.Enum: _enum,
    str: lambda description, value, depth: description.text(str.__str__(value)),
    int: _integer,
    float: _float,
    complex: _by(complex.__repr__),
    bytes: _by(lambda value: f"<{bytes.__len__(value):,} bytes>"),
    bytearray: _by(lambda value: f"<{bytearray.__len__(value):,} bytes>"),
    memoryview: _by(lambda value: f"<{value.nbytes:,} bytes>"),
    decimal.Decimal: _by(decimal.Decimal.__str__),
    datetime.datetime: _moment,
    datetime.time: _moment,
    datetime.date: _by(datetime.date.isoformat),
    datetime.timedelta: _by(datetime.timedelta.__str__),
    uuid.UUID: _uuid,
    ipaddress.IPv4Address: _exactly(ipaddress.IPv4Address, ipaddress.IPv4Interface),
    ipaddress.IPv6Address: _exactly(ipaddress.IPv6Address, ipaddress.IPv6Interface),
    ipaddress.IPv4Network: _exactly(ipaddress.IPv4Network),
    ipaddress.IPv6Network: _exactly(ipaddress.IPv6Network),
    pathlib.PurePath: _exactly(
        pathlib.PosixPath, pathlib.PurePosixPath, pathlib.WindowsPath, pathlib.PureWindowsPath
    ),
    re.Pattern: lambda description, value, depth: description.value(value.pattern, MAX_DEPTH),
    dict: lambda description, value, depth: description.mapping(value, depth),
    list: _sequence(list),
    tuple: _tuple,
    deque: _sequence(deque),
    set: _set,
    frozenset: _set,
    type: lambda description, value, depth: dotted(value),
    FunctionType: _function,
    BuiltinFunctionType: _function,
    MethodType: lambda description, value, depth: description.value(value.__func__, depth + 1),
    functools.partial: lambda description, value, depth: description.value(
        partial_func(value), depth + 1
    ),
    Model: _instance,
    Deferred: lambda description, value, depth: "<deferred>",
    QuerySet: _queryset,
    BaseManager: _unknown,
    File: _file,
    HttpRequest: _request,
    Template: lambda description, value, depth: description.value(
        value.__dict__.get("name"), MAX_DEPTH
    ),
    LazyObject: _lazy,
    Promise: lambda description, value, depth: "<lazy value>",
}
_BY_ID = {id(kind): handler for kind, handler in HANDLERS.items()}
_PLAIN = ATOMS | ids_of(uuid.UUID, decimal.Decimal, datetime.date)
_cache: dict[type, Handler] = {}


def _handler(kind: type) -> Handler:
    handler = _BY_ID.get(id(kind))
    if handler is not None:
        return handler
    known = id(type(kind)) in _PLAIN_METACLASSES
    if known and (handler := _cache.get(kind)) is not None:
        return handler
    handler = next((_BY_ID[id(base)] for base in mro(kind) if id(base) in _BY_ID), _unknown)
    # Classes made at run time would be kept alive by an unbounded cache.
    if known and len(_cache) < 1000:
        _cache[kind] = handler
    return handler


_NO_REDACTION = Redactor()


def jsonable(value: Any, redactor: Redactor) -> Any:
    """Return `value` as a small JSON value with its secrets masked.

    Text is cut at 1,000 characters, containers at 50 items, 6 levels and 400 values in all; what
    was left out is said in place. Unknown objects become `<dotted.Class>`.
    """
    kind = type(value)
    if kind is int and -_SMALL_INT <= value < _SMALL_INT:
        return value
    return _Description(redactor).value(value)


def is_plain(value: Any) -> bool:
    """Return whether a value can be kept as it is: small, unchangeable, hiding nothing."""
    kind = type(value)
    if kind is str:
        return len(value) < 100 and "://" not in value
    return value is None or kind is bool or (kind is int and -_SMALL_INT <= value < _SMALL_INT)


def json_of(value: Any, redactor: Redactor) -> str:
    """Return what `jsonable` gives, as JSON text."""
    kind = type(value)
    if kind is str:
        if len(value) <= MAX_TEXT and "://" not in value:
            return quoted(value)
    elif kind is int:
        if -_SMALL_INT <= value < _SMALL_INT:
            return str(value)
    elif value is None:
        return "null"
    elif kind is bool:
        return BOOLEANS[value]
    return encode(jsonable(value, redactor))


def has_secret_key(model: type[Model], redactor: Redactor) -> bool:
    """Return whether a model's primary key gives access, as a session's or a token's does."""
    return any(secret_field(field, redactor) for field in model._meta.pk_fields)


def secret_field(field: Any, redactor: Redactor) -> bool:
    """Return whether a field holds a secret: by its name, or as a reference to such a field."""
    for _ in range(MAX_DEPTH):  # a reference to a reference; a broken model may go in a circle
        if redactor.is_secret(field.name):
            return True
        relation = field.remote_field
        # A relation declared by name stays a string until its model is loaded.
        if relation is None or type(relation.model) is str:
            return False
        field = field.target_field
    return False
