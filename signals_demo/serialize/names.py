"""The names and keys by which events refer to things: senders, objects, errors."""

import datetime
import decimal
import uuid
from collections.abc import Callable
from typing import Any

from django.apps import AppConfig
from django.db.models import Model

from signals_demo.serialize.introspection import ATOMS, dotted, ids_of, primary_key
from signals_demo.serialize.limits import cut
from signals_demo.serialize.model_info import ModelInfo
from signals_demo.serialize.redaction import MASK, Redactor
from signals_demo.serialize.text import quoted
from signals_demo.serialize.values import json_of, jsonable

_PLAIN = ATOMS | ids_of(uuid.UUID, decimal.Decimal, datetime.date)
_NO_REDACTION = Redactor()
MAX_ERROR_ARGS = 10


_error_args: Callable[[BaseException], tuple[Any, ...]] = BaseException.__dict__["args"].__get__


def sender_label(sender: Any) -> str:
    """Return a model's label, an app's name, a class's dotted path, or the string sent.

    Of any other object it is that of its class.
    """
    if sender is None or sender is type(None):
        return ""
    kind = type(sender)
    if issubclass(kind, str):
        return cut(str.__str__(sender), 200)
    if issubclass(kind, AppConfig):
        return str(sender.name)
    cls = sender if issubclass(kind, type) else kind
    if issubclass(cls, Model) and cls is not Model:
        return str(cls._meta.label)
    return dotted(cls)


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
        return str(jsonable(pk, _NO_REDACTION)).replace("T", " ", 1)
    if kind is bytes or kind is memoryview:  # what databases give for the same key
        return cut(pk.hex(), 200)
    value = jsonable(pk, _NO_REDACTION)
    return cut(value if type(value) is str else str(value), 200)


def object_pk_of(instance: Any, info: ModelInfo) -> str | int:
    """Return an instance's primary key as `object_pk`: a number or text, "" without one."""
    pk = _pk_of(instance, info)
    if pk is None:
        return ""
    if info.key_is_secret:
        return MASK
    return pk if type(pk) is int else key_text(pk)


def key_of(instance: Any, info: ModelInfo) -> Any:
    """Return an instance's primary key for `instance_text`: a number, or JSON text."""
    pk = _pk_of(instance, info)
    if pk is None:
        return "null"
    if info.key_is_secret:
        return quoted(MASK)
    return pk if type(pk) is int else json_of(pk, info.redactor)


def _pk_of(instance: Any, info: ModelInfo) -> Any:
    name = info.pk_attname
    return instance.__dict__.get(name) if name else primary_key(instance)


def instance_text(reference: str, key: str | int) -> str:
    """Return an instance as the JSON text of `{"model", "pk"}`."""
    return f"{reference}{key}}}"


def error_text(error: BaseException | None, mask: Redactor) -> str:
    """Return an exception's type and message without running a `__str__` of the project."""
    if error is None:
        return ""
    parts = (str(jsonable(part, mask)) for part in _error_args(error)[:MAX_ERROR_ARGS])
    name = dotted(type(error)).removeprefix("builtins.")
    return cut(f"{name}: {mask.message(', '.join(parts))}".removesuffix(": "), 1800)


def alias_of(using: Any) -> str:
    """Return the alias of a database as a signal was sent it, or "" for anything else."""
    return using if type(using) is str else ""
