"""Any Python value as a small JSON value, without running a line of the host's code.

Classes are told apart by `type()`, never `isinstance()`: that asks a lazy object for its
`__class__`, which evaluates it. Containers are read through their base class's own methods,
so that a subclass of the host cannot answer.
"""

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
from collections.abc import Callable, Iterable
from itertools import islice
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from django.core.files.base import File
from django.db.models import Manager, Model, QuerySet
from django.http import HttpRequest
from django.template.base import Template
from django.utils.functional import LazyObject, Promise, empty

from signals_demo.redaction import MASK, Redactor

MAX_TEXT = 1000
MAX_ITEMS = 50
MAX_DEPTH = 6
MAX_VALUES = 400

ATOMS = frozenset({str, int, float, bool, type(None)})
_SMALL_INT = 2**63
_SAFE_ZONES = frozenset({type(None), datetime.timezone, zoneinfo.ZoneInfo})


def cut(text: str, limit: int = MAX_TEXT) -> str:
    """Return `text`, or its beginning and a remark on how long it was."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… ({len(text):,} characters)"


def dotted(cls: type) -> str:
    """Return a class's dotted path."""
    return f"{cls.__module__}.{cls.__qualname__}"


def key_text(pk: object) -> str:
    """Return a primary key as the text that `str(instance.pk)` gives, cut to fit."""
    kind = type(pk)
    if kind is int or kind is str or kind is uuid.UUID:
        return cut(str(pk), 200)
    if pk is None:
        return ""
    if kind is tuple and all(type(part) in _PLAIN for part in pk):
        return cut(str(pk), 200)
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
        if kind is str:
            return cut(value)
        if kind is bool or value is None:
            return value
        self.room -= 1
        if self.room < 0:
            return "…"
        return _handler(kind)(self, value, depth)

    def items(self, value: Iterable[Any], length: int, depth: int) -> Any:
        if depth >= MAX_DEPTH:
            return f"… ({length} items)"
        shown = [self.value(item, depth + 1) for item in islice(value, MAX_ITEMS)]
        if length > MAX_ITEMS:
            shown.append(f"… ({length - MAX_ITEMS:,} more)")
        return shown

    def mapping(self, value: Any, depth: int) -> Any:
        length = dict.__len__(value)
        if depth >= MAX_DEPTH:
            return f"… ({length} items)"
        shown: dict[str, Any] = {}
        is_secret = self.redactor.is_secret
        for key, item in islice(dict.items(value), MAX_ITEMS):
            name = key if type(key) is str else _text(self.value(key, MAX_DEPTH))
            name = cut(name, 100)
            hidden = item is not None and is_secret(name)
            shown[name] = MASK if hidden else self.value(item, depth + 1)
        if length > MAX_ITEMS:
            shown["…"] = f"{length - MAX_ITEMS:,} more"
        return shown


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
    kind = datetime.datetime if issubclass(type(value), datetime.datetime) else datetime.time
    if type(kind.tzinfo.__get__(value)) in _SAFE_ZONES:  # type: ignore[attr-defined]
        return kind.isoformat(value)
    return kind.isoformat(kind.replace(value, tzinfo=None))


def _instance(description: _Description, value: Model, depth: int) -> dict[str, Any]:
    opts = value._meta
    pk = primary_key(value)
    secret = pk is not None and has_secret_key(type(value), description.redactor)
    return {"model": opts.label, "pk": MASK if secret else description.value(pk, MAX_DEPTH - 1)}


def _file(description: _Description, value: File, depth: int) -> Any:
    return description.value(value.__dict__.get("name"), MAX_DEPTH)


def _request(description: _Description, value: HttpRequest, depth: int) -> dict[str, Any]:
    known = value.__dict__
    return {name: description.value(known.get(name), MAX_DEPTH) for name in ("method", "path")}


def unwrapped(value: Any) -> Any:
    """Return what a lazy object has already loaded, or the unloaded object itself."""
    if not issubclass(type(value), LazyObject):
        return value
    wrapped = object.__getattribute__(value, "__dict__").get("_wrapped", empty)
    return value if wrapped is empty else wrapped


def _lazy(description: _Description, value: LazyObject, depth: int) -> Any:
    loaded = unwrapped(value)
    return "<lazy value>" if loaded is value else description.value(loaded, depth)


def _function(description: _Description, value: Any, depth: int) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _set(description: _Description, value: Any, depth: int) -> Any:
    base = frozenset if issubclass(type(value), frozenset) else set
    members = list(base.__iter__(value))
    kinds = {type(member) for member in members}
    if kinds == {int} or kinds == {str}:
        members.sort()
    return description.items(members, len(members), depth)


def _enum(description: _Description, value: enum.Enum, depth: int) -> Any:
    return description.value(value._value_, depth + 1)


def _unknown(description: _Description, value: Any, depth: int) -> str:
    return f"<{dotted(type(value))}>"


def _sequence(base: Any) -> Handler:
    return lambda description, value, depth: description.items(
        base.__iter__(value), base.__len__(value), depth
    )


def _by(convert: Callable[[Any], str]) -> Handler:
    return lambda description, value, depth: cut(convert(value))


# Looked up along a value's method resolution order: a subclass comes before its base.
HANDLERS: dict[type, Handler] = {
    type(None): lambda description, value, depth: None,
    bool: lambda description, value, depth: value,
    enum.Enum: _enum,
    str: lambda description, value, depth: cut(str.__str__(value)),
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
    uuid.UUID: _by(uuid.UUID.__str__),
    ipaddress.IPv4Address: _by(ipaddress.IPv4Address.__str__),
    ipaddress.IPv6Address: _by(ipaddress.IPv6Address.__str__),
    pathlib.PurePath: _by(pathlib.PurePath.__str__),
    re.Pattern: lambda description, value, depth: description.value(value.pattern, MAX_DEPTH),
    dict: lambda description, value, depth: description.mapping(value, depth),
    list: _sequence(list),
    tuple: _sequence(tuple),
    deque: _sequence(deque),
    set: _set,
    frozenset: _set,
    type: lambda description, value, depth: dotted(value),
    FunctionType: _function,
    BuiltinFunctionType: _function,
    MethodType: lambda description, value, depth: _function(description, value.__func__, depth),
    functools.partial: lambda description, value, depth: description.value(value.func, depth),
    Model: _instance,
    QuerySet: lambda description, value, depth: (
        f"<{type(value).__name__} of {value.model._meta.label if value.model else '?'}>"
    ),
    Manager: lambda description, value, depth: f"<{dotted(type(value))}>",
    File: _file,
    HttpRequest: _request,
    Template: lambda description, value, depth: description.value(
        value.__dict__.get("name"), MAX_DEPTH
    ),
    LazyObject: _lazy,
    Promise: lambda description, value, depth: "<lazy value>",
}
_PLAIN = ATOMS | {uuid.UUID, decimal.Decimal, datetime.date}
_cache: dict[type, Handler] = {}


def _handler(kind: type) -> Handler:
    handler = _cache.get(kind)
    if handler is None:
        handler = next((HANDLERS[base] for base in kind.__mro__ if base in HANDLERS), _unknown)
        # Classes made at run time would be kept alive by an unbounded cache.
        if len(_cache) < 1000:
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


def has_secret_key(model: type[Model], redactor: Redactor) -> bool:
    """Return whether a model's primary key gives access, as a session's or a token's does."""
    fields = model._meta.pk_fields
    return any(secret_field(field, redactor) for field in fields)


def secret_field(field: Any, redactor: Redactor) -> bool:
    """Return whether a field holds a secret: by its name, or as the key of a secret row."""
    if redactor.is_secret(field.name):
        return True
    target = field.remote_field.model if field.remote_field else None
    # A relation declared by name stays a string until its model is loaded.
    if target is None or type(target) is str or target is field.model:
        return False
    return has_secret_key(target, redactor)
