"""How a value of each class becomes JSON."""

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
from collections import deque
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from django.core.files.base import File
from django.db.models import Model, QuerySet
from django.db.models.base import Deferred, ModelBase
from django.db.models.manager import BaseManager
from django.http import HttpRequest
from django.template.base import Template
from django.utils.functional import LazyObject, Promise

from signals_demo.serialize.introspection import (
    SAFE_ZONES,
    Elements,
    class_dict,
    dotted,
    file_name,
    first,
    ids_of,
    mro,
    partial_func,
    primary_key,
    qualname,
    unwrapped,
    uuid_int,
    zone_of,
)
from signals_demo.serialize.limits import MAX_DEPTH, cut
from signals_demo.serialize.model_info import has_secret_key
from signals_demo.serialize.redaction import MASK
from signals_demo.serialize.secret_paths import masked_path

if TYPE_CHECKING:
    from signals_demo.serialize.values import Converter

_PLAIN_METACLASSES = ids_of(type, abc.ABCMeta, enum.EnumMeta, ModelBase)

SMALL_INT = 2**63


Handler = Callable[["Converter", Any, int], Any]


def _integer(converter: "Converter", value: int, depth: int) -> Any:
    number = int.__add__(value, 0)  # an IntegerChoices member becomes a plain int
    if -SMALL_INT <= number < SMALL_INT:
        return number
    # Text, because JSON readers lose digits; not all of it, because Python refuses to.
    return str(number) if number.bit_length() < 2000 else f"<int of {number.bit_length()} bits>"


def _float(converter: "Converter", value: float, depth: int) -> Any:
    number = float.__add__(value, 0.0)
    return number if math.isfinite(number) else float.__repr__(number)


def _moment(converter: "Converter", value: Any, depth: int) -> str:
    # The project's own zone class would compute the offset with its own code.
    zone = zone_of(value)
    kind = datetime.datetime if issubclass(type(value), datetime.datetime) else datetime.time
    if id(type(zone)) in SAFE_ZONES:
        return kind.isoformat(value)
    parts = [getattr(kind, name).__get__(value) for name in _PARTS[kind]]
    return f"{kind(*parts).isoformat()} <{dotted(type(zone))}>"


_CLOCK = ("hour", "minute", "second", "microsecond")
_PARTS: dict[type, tuple[str, ...]] = {
    datetime.datetime: ("year", "month", "day", *_CLOCK),
    datetime.time: _CLOCK,
}


def _instance(converter: "Converter", value: Model, depth: int) -> dict[str, Any]:
    opts = value._meta
    pk = primary_key(value)
    secret = pk is not None and has_secret_key(type(value), converter.redactor)
    return {"model": opts.label, "pk": MASK if secret else converter.value(pk, MAX_DEPTH - 1)}


def _file(converter: "Converter", value: "File[Any]", depth: int) -> Any:
    return converter.value(file_name(value), MAX_DEPTH)


def _request(converter: "Converter", value: HttpRequest, depth: int) -> dict[str, Any]:
    known = value.__dict__
    path, inside = known.get("path"), known.get("path_info")
    if type(path) is str and type(inside) is str and path.endswith(inside):
        prefix = path.removesuffix(inside)
        path = prefix + masked_path(inside, converter.redactor, known.get("urlconf"))
    return {
        "method": converter.value(known.get("method"), MAX_DEPTH),
        "path": converter.value(path, MAX_DEPTH),
    }


def _lazy(converter: "Converter", value: Any, depth: int) -> Any:
    loaded = unwrapped(value)
    return "<lazy value>" if loaded is value else converter.value(loaded, depth + 1)


def _function(converter: "Converter", value: Any, depth: int) -> str:
    module = value.__module__
    return f"{module}.{value.__qualname__}" if type(module) is str else str(value.__qualname__)


def _set(converter: "Converter", value: Any, depth: int) -> Any:
    base = frozenset if issubclass(type(value), frozenset) else set
    length = base.__len__(value)
    members = first(Elements(base, value), length)
    if all(type(member) is int for member in members) or all(
        type(member) is str for member in members
    ):
        members.sort()
    return converter.items(members, length, depth)


def _tuple(converter: "Converter", value: Any, depth: int) -> Any:
    for base in mro(type(value))[:-2]:  # not tuple and object
        names = class_dict(base).get("_fields")
        if type(names) is tuple and all(type(name) is str for name in names):  # a named tuple
            pairs = zip(names, tuple.__iter__(value), strict=False)
            return converter.mapping(dict(pairs), depth)
    return converter.items(tuple.__iter__(value), tuple.__len__(value), depth)


def _enum(converter: "Converter", value: enum.Enum, depth: int) -> Any:
    return converter.value(object.__getattribute__(value, "_value_"), depth + 1)


def _uuid(converter: "Converter", value: uuid.UUID, depth: int) -> str:
    return str(uuid.UUID(int=uuid_int(value)))


def _queryset(converter: "Converter", value: "QuerySet[Any]", depth: int) -> str:
    model: Any = value.__dict__.get("model")
    label = model._meta.label if issubclass(type(model), ModelBase) else "?"
    return f"<{qualname(type(value))} of {label}>"


def _exactly(*classes: type) -> Handler:
    """Return a handler for classes written in Python, whose subclasses could answer for them."""
    known = ids_of(*classes)

    def handle(converter: "Converter", value: Any, depth: int) -> str:
        return cut(str(value)) if id(type(value)) in known else _unknown(converter, value, depth)

    return handle


def _unknown(converter: "Converter", value: Any, depth: int) -> str:
    return f"<{dotted(type(value))}>"


def _sequence(base: Any) -> Handler:
    return lambda converter, value, depth: converter.items(
        Elements(base, value), base.__len__(value), depth
    )


def _by(convert: Callable[[Any], str]) -> Handler:
    return lambda converter, value, depth: cut(convert(value))


# Looked up along a value's method resolution order: a subclass comes before its base.
HANDLERS: dict[type, Handler] = {
    type(None): lambda converter, value, depth: None,
    bool: lambda converter, value, depth: value,
    enum.Enum: _enum,
    str: lambda converter, value, depth: converter.text(str.__str__(value)),
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
    re.Pattern: lambda converter, value, depth: converter.value(value.pattern, MAX_DEPTH),
    dict: lambda converter, value, depth: converter.mapping(value, depth),
    list: _sequence(list),
    tuple: _tuple,
    deque: _sequence(deque),
    set: _set,
    frozenset: _set,
    type: lambda converter, value, depth: dotted(value),
    FunctionType: _function,
    BuiltinFunctionType: _function,
    MethodType: lambda converter, value, depth: converter.value(value.__func__, depth + 1),
    functools.partial: lambda converter, value, depth: converter.value(
        partial_func(value), depth + 1
    ),
    Model: _instance,
    Deferred: lambda converter, value, depth: "<deferred>",
    QuerySet: _queryset,
    BaseManager: _unknown,
    File: _file,
    HttpRequest: _request,
    Template: lambda converter, value, depth: converter.value(
        value.__dict__.get("name"), MAX_DEPTH
    ),
    LazyObject: _lazy,
    Promise: lambda converter, value, depth: "<lazy value>",
}
_BY_ID = {id(kind): handler for kind, handler in HANDLERS.items()}
_cache: dict[type, Handler] = {}


def handler_of(kind: type) -> Handler:
    """Return what makes JSON of the values of a class."""
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
