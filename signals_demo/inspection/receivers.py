"""The receivers that are connected in this process, as in `Signal.receivers`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any, NamedTuple
from weakref import ReferenceType

from django.apps import AppConfig
from django.dispatch.dispatcher import NONE_ID

from signals_demo.catalog import receiver_list
from signals_demo.catalog.receiver_list import Entry
from signals_demo.catalog.types import Family
from signals_demo.inspection import discovery
from signals_demo.inspection.discovery import DiscoveredSignal
from signals_demo.serialize.introspection import dotted, mro, partial_func
from signals_demo.serialize.names import sender_label
from signals_demo.serialize.source import PROJECT, PYTHON, owner_of, relative_path
from signals_demo.serialize.text import clean

_DEEPEST = 20
_attributes: Callable[[FunctionType], dict[str, Any]] = FunctionType.__dict__["__dict__"].__get__


class Problem(NamedTuple):
    """Something that looks wrong: a short code, a sentence, and how to fix it."""

    code: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender that a receiver is connected for; `label` is empty if it has no name."""

    key: object
    label: str
    value: Any = None


@dataclass(slots=True)
class Receiver:
    """A connected receiver; `sender` is None if it is called for every sender.

    `count` is above 1 if similar ones are folded into it. `position` is its place in the
    calling order.
    """

    callback: Any
    function: FunctionType | None
    name: str
    file: str
    line: int | None
    owner: str
    sender: Sender | None
    dispatch_uid: str
    is_weak: bool
    is_async: bool
    position: int = 0
    count: int = 1
    problems: list[Problem] = field(default_factory=list)

    @property
    def short_name(self) -> str:
        """Return the name without its module, which the file shows too."""
        if self.function is None:
            return self.name.rpartition(".")[2]
        return clean(self.function.__qualname__)

    @property
    def where(self) -> str:
        """Return file and line; empty if it is not written in Python."""
        return f"{self.file}:{self.line}" if self.file else ""

    @property
    def code(self) -> CodeType | None:
        """Return its code object."""
        return self.function.__code__ if self.function else None


@dataclass(slots=True)
class SignalReceivers:
    """A signal with its receivers, in calling order.

    Django calls the synchronous receivers first, then the asynchronous ones concurrently.
    """

    discovered: DiscoveredSignal
    receivers: list[Receiver]

    @property
    def name(self) -> str:
        """Return the signal's name in the catalog, else the path where it is defined."""
        return self.discovered.name

    @property
    def path(self) -> str:
        """Return the path to import the signal from."""
        return self.discovered.built_in.path if self.discovered.built_in else self.name

    @property
    def family(self) -> Family | None:
        """Return the family of a built-in signal."""
        return self.discovered.built_in.family if self.discovered.built_in else None


def all_receivers() -> list[SignalReceivers]:
    """Return every signal of this process with the receivers that it has now."""
    signals = discovery.signals()
    connections = [
        [_Connection.read(entry) for entry in receiver_list.all_entries(s.signal)] for s in signals
    ]
    unknown = {
        each.sender_key
        for group in connections
        for each in group
        if type(each.sender_key) is int and each.sender_key != NONE_ID
    }
    named = discovery.objects(unknown)
    return [
        SignalReceivers(
            signal, _in_order(_receiver(each, named) for each in group if each.is_alive)
        )
        for signal, group in zip(signals, connections, strict=True)
    ]


def _in_order(receivers: Iterable[Receiver]) -> list[Receiver]:
    found = sorted(receivers, key=lambda each: each.is_async)
    for position, each in enumerate(found, 1):
        each.position = position
    return found


@dataclass(frozen=True, slots=True)
class _Connection:
    """The parts of an entry of `Signal.receivers`; Django 5.2 keeps no reference to the sender."""

    receiver_key: Any
    sender_key: Any
    callback: Any
    sender: Any
    is_weak: bool
    is_async: bool
    is_alive: bool

    @classmethod
    def read(cls, entry: Entry) -> "_Connection":
        (receiver_key, sender_key), callback, *sender_ref, is_async = entry
        is_weak = issubclass(type(callback), ReferenceType)
        if is_weak:
            callback = callback()
        reference = sender_ref[0] if sender_ref else None
        sender = None if reference is None else reference()
        is_alive = callback is not None and (reference is None or sender is not None)
        return cls(receiver_key, sender_key, callback, sender, is_weak, bool(is_async), is_alive)


def _receiver(entry: _Connection, named: dict[int, tuple[Any, str]]) -> Receiver:
    function = innermost(entry.callback)
    filename = function.__code__.co_filename if function else ""
    return Receiver(
        callback=entry.callback,
        function=function,
        name=clean(_name(function or entry.callback)),
        file=clean(relative_path(filename)),  # a directory's name may not be valid text
        line=function.__code__.co_firstlineno if function else None,
        owner=owner_of(filename) if function else _owner_of_other(entry.callback),
        sender=_sender(entry, named),
        dispatch_uid=clean(_uid(entry.receiver_key, entry.callback)),
        is_weak=entry.is_weak,
        is_async=entry.is_async,
    )


def _owner_of_other(callback: Any) -> str:
    return PYTHON if type(callback) is BuiltinFunctionType else PROJECT


def _sender(entry: _Connection, named: dict[int, tuple[Any, str]]) -> Sender | None:
    key = entry.sender_key
    if type(key) is int and key == NONE_ID:
        return None
    value, path = named.get(key, (entry.sender, "")) if type(key) is int else (entry.sender, "")
    kind = type(value)
    if value is None or issubclass(kind, (str, type, AppConfig)):
        path = ""
    return Sender(key, clean(path or sender_label(value)), value)


def step_in(callback: Any) -> Any:
    """Return what Python calls when it calls a partial, a method or an instance."""
    kind = type(callback)
    if issubclass(kind, MethodType):
        return callback.__func__
    if issubclass(kind, partial):
        return partial_func(callback)
    cls, name = (callback, "__init__") if issubclass(kind, type) else (kind, "__call__")
    return next((vars(base)[name] for base in mro(cls) if name in vars(base)), None)


def innermost(callback: Any) -> FunctionType | None:
    """Return the function below partials, methods and decorators."""
    for _ in range(_DEEPEST):
        if type(callback) is not FunctionType:
            callback = step_in(callback)
        elif (inner := _attributes(callback).get("__wrapped__")) is not None:
            callback = inner
        else:
            return callback
    return None


def outermost(callback: Any) -> FunctionType | None:
    """Return the function that is called first."""
    for _ in range(_DEEPEST):
        if type(callback) is FunctionType:
            return callback
        callback = step_in(callback)
    return None


def _name(callback: Any) -> str:
    if type(callback) not in (FunctionType, BuiltinFunctionType):
        return dotted(callback if issubclass(type(callback), type) else type(callback))
    module = callback.__module__
    return f"{module}.{callback.__qualname__}" if type(module) is str else callback.__qualname__


def same(callback: Any) -> object:
    """Return what two connections of one receiver have in common for Django."""
    if issubclass(type(callback), MethodType):
        return id(callback.__self__), id(callback.__func__)
    return id(callback)


def _uid(key: Any, callback: Any) -> str:
    if type(key) is str:
        return key
    if type(key) is tuple:
        # Without a dispatch_uid a method has a pair of ids here.
        ids = all(type(part) is int for part in key) and len(key) == 2
        return "" if ids else ", ".join(map(_plain, key))
    return "" if type(key) is int and key == same(callback) else _plain(key)


def _plain(value: Any) -> str:
    return str(value) if type(value) in (str, int, float, bool, bytes) else dotted(type(value))
