"""What this process has loaded: its signals, and the objects that may be their senders.

It reads modules and classes only through their namespaces, and values only by their type.
So no lazy module loads anything, and no code of the project runs.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from django.apps import apps
from django.dispatch import Signal

from signals_demo import catalog
from signals_demo.catalog.types import BuiltIn
from signals_demo.serialize.introspection import dotted
from signals_demo.serialize.source import DJANGO, PROJECT, owner_of

Namespace = Mapping[str, Any]

_of_module: Callable[[ModuleType], dict[str, Any]] = vars(ModuleType)["__dict__"].__get__
_of_class: Callable[[type], Namespace] = vars(type)["__dict__"].__get__


@dataclass(frozen=True, slots=True)
class DiscoveredSignal:
    """A signal of this process: its name in the catalog, else the path where it is defined."""

    signal: Signal
    name: str
    owner: str
    built_in: BuiltIn | None = None


def _modules() -> Iterator[tuple[str, Namespace]]:
    for name, module in list(sys.modules.items()):
        if type(name) is str and issubclass(type(module), ModuleType):
            yield name, _of_module(module).copy()


def _namespaces() -> Iterator[tuple[str, Namespace, Namespace]]:
    """Yield modules, and the classes defined in them, with the namespace of the module."""
    for name, module in _modules():
        yield name, module, module
        for value in module.values():
            if issubclass(type(value), type):
                inside = _of_class(value)
                home = inside.get("__module__")
                if type(home) is str and home == name:
                    yield dotted(value), dict(inside), module


def signals() -> list[DiscoveredSignal]:
    """Return every signal once: the built-in ones in catalog order, then the others by name."""
    built_in = [
        DiscoveredSignal(each.load(), each.name, DJANGO, each)
        for each in catalog.built_in().values()
    ]
    known = {id(each.signal) for each in built_in}
    found: dict[int, list[_Reference]] = {}
    for path, namespace, module in _namespaces():
        for name, value in namespace.items():
            if issubclass(type(value), Signal) and id(value) not in known and _is_whole(value):
                found.setdefault(id(value), []).append(_Reference(value, path, name, module))
    others = (min(places, key=_Reference.rank).discovered() for places in found.values())
    return [*built_in, *sorted(others, key=lambda each: each.name)]


def _is_whole(signal: Signal) -> bool:
    """Return whether it is set up as Django does it; a subclass may not be."""
    return {"receivers", "lock"} <= vars(signal).keys()


@dataclass(frozen=True, slots=True)
class _Reference:
    """A name of a signal, in a module or a class."""

    signal: Signal
    path: str
    name: str
    module: Namespace

    def rank(self) -> tuple[bool, bool, bool, int, str]:
        """Return a sort key that puts the defining place before those that import the signal."""
        home = self.module.get("__name__")
        kind = type(self.signal)
        return (
            # A module that creates a signal has imported its class.
            not any(value is kind for value in self.module.values()),
            "signals" not in self.path.split("."),
            type(home) is not str or not self.path.startswith(home),
            self.path.count("."),
            self.path,  # the first name in that module
        )

    def discovered(self) -> DiscoveredSignal:
        file = self.module.get("__file__")
        owner = owner_of(file) if type(file) is str else PROJECT
        return DiscoveredSignal(self.signal, f"{self.path}.{self.name}", owner)


def objects(wanted: set[int]) -> dict[int, tuple[Any, str]]:
    """Return the objects with these ids: models, apps, and what a module or class has a name for.

    Each comes with a path that leads to it.
    """
    found: dict[int, tuple[Any, str]] = {}
    if not wanted:
        return found
    models = apps.get_models(include_auto_created=True, include_swapped=True)
    for one in (*models, *apps.get_app_configs()):
        if id(one) in wanted:
            found[id(one)] = one, ""
    for path, namespace, _module in _namespaces():
        for name, value in namespace.items():
            if type(value) in (staticmethod, classmethod):
                value = value.__func__
            if id(value) in wanted:
                found.setdefault(id(value), (value, f"{path}.{name}"))
    return found
