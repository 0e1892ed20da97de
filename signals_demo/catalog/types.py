"""What the catalog says about a signal: its type, and the code that connects to it."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import django
from django.dispatch import Signal
from django.utils.module_loading import import_string
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

LazyText: TypeAlias = "_StrPromise | str"
Release: TypeAlias = tuple[int, int]

CODE = (
    r"[A-Za-z_][\w.]*(?:\([^ )]*\)|=\S*[\w\]])"
    r"|\b[A-Za-z]\w*(?:[._]\w+)+|--\w+|\b(?:None|True|False)\b"
)
"""The pattern of code in the catalog's sentences: a call, a name with a value, a dot or an
underscore, an option, a constant."""


class Family(StrEnum):
    """The parts of Django that send signals."""

    AUTH = "auth"
    MODEL = "model"
    MANAGEMENT = "management"
    REQUEST = "request"
    TEST = "test"
    DATABASE = "database"
    TASK = "task"
    AUTORELOAD = "autoreload"

    @property
    def label(self) -> LazyText:
        """Return the family's name for people."""
        return _FAMILIES[self][0]

    @property
    def description(self) -> LazyText:
        """Return one sentence about the family."""
        return _FAMILIES[self][1]


_FAMILIES: dict[Family, tuple[LazyText, LazyText]] = {
    Family.AUTH: (
        _("Login"),
        _("Sent by django.contrib.auth when someone logs in, logs out or fails to log in."),
    ),
    Family.MODEL: (
        _("Models"),
        _(
            "Sent when model classes are defined, and when instances are created, saved, "
            "deleted or linked."
        ),
    ),
    Family.MANAGEMENT: (
        _("Migrations"),
        _("Sent by the migrate and flush commands, once for each app that has models."),
    ),
    Family.REQUEST: (
        _("Requests"),
        _("Sent when an HTTP request starts, ends or fails."),
    ),
    Family.TEST: (
        _("Tests"),
        _("Sent by Django's test tools, never in production."),
    ),
    Family.DATABASE: (
        _("Database connections"),
        _("Sent when a database connection is opened."),
    ),
    Family.TASK: (
        _("Tasks"),
        _("Sent by a task backend when a background task is enqueued, starts or ends."),
    ),
    Family.AUTORELOAD: (
        _("Autoreload"),
        _("Sent by the autoreloader of the development server. Django does not document them."),
    ),
}


def release_name(release: Release) -> str:
    """Return a release as people write it, such as `6.0`."""
    return ".".join(map(str, release))


# Named tuples: every process defines these, and dataclasses take ten times as long.


class Argument(NamedTuple):
    """An argument that a signal sends, besides `sender` and `signal`.

    `always` is False if some firings lack it. `since` is the first Django release that sends
    it, if that is later than the signal's.
    """

    name: str
    meaning: LazyText
    always: bool = True
    since: Release | None = None

    @property
    def when(self) -> str:
        """Return since when and how reliably it is sent; empty if always."""
        parts = []
        if self.since:
            release = release_name(self.since)
            parts.append(gettext("Since Django {release}.").format(release=release))
        if not self.always:
            parts.append(gettext("Not always sent."))
        return " ".join(parts)


class BuiltIn(NamedTuple):
    """A built-in signal, as it is known before it fires.

    `path` is the import path that Django documents. `defined_in` is a lighter module to load
    it from, if there is one. `since` is the first Django release that has it. `closes` names
    the opening signal of its pair. For an undocumented signal, `url` is the closest page.
    `example_sender` is an import line and an expression for the code examples.
    """

    name: str
    family: Family
    path: str
    sender: LazyText
    arguments: tuple[Argument, ...]
    fires: LazyText
    silent: LazyText
    since: Release
    url: str
    closes: str = ""
    documented: bool = True
    defined_in: str = ""
    example_sender: tuple[str, str] = ("", "None")

    @property
    def module(self) -> str:
        """Return the module to import the signal from."""
        return self.path.rpartition(".")[0]

    @property
    def available(self) -> bool:
        """Return whether the installed Django has the signal."""
        return self.since <= django.VERSION[:2]

    @property
    def argument_names(self) -> tuple[str, ...]:
        """Return the names of the arguments that the installed Django sends."""
        return tuple(
            argument.name
            for argument in self.arguments
            if argument.since is None or argument.since <= django.VERSION[:2]
        )

    @property
    def connect_example(self) -> str:
        """Return Python code that connects a receiver by hand."""
        return (
            f"{self._imports()}\n\n\n"
            f"{self._receiver()}\n\n"
            f"{self.name}.connect(\n"
            f"    on_{self.name},\n"
            f"    sender={self.example_sender[1]},\n"
            "    weak=True,\n"
            f'    dispatch_uid="on_{self.name}",\n'
            ")\n"
        )

    @property
    def receiver_example(self) -> str:
        """Return Python code that connects a receiver by decorator."""
        return (
            f"{self._imports('from django.dispatch import receiver')}\n\n\n"
            f"@receiver(\n"
            f"    {self.name},\n"
            f"    sender={self.example_sender[1]},\n"
            f'    dispatch_uid="on_{self.name}",\n'
            ")\n"
            f"{self._receiver()}"
        )

    @property
    def is_loaded(self) -> bool:
        """Return whether any code has imported the signal: until then it cannot fire."""
        return (self.defined_in or self.module) in sys.modules

    def load(self) -> Signal:
        """Import and return the signal itself."""
        signal: Signal = import_string(f"{self.defined_in or self.module}.{self.name}")
        return signal

    def _imports(self, *more: str) -> str:
        own = f"from {self.module} import {self.name}"
        return "\n".join(sorted(filter(None, [own, self.example_sender[0], *more])))

    def _receiver(self) -> str:
        names = [a.name for a in self.arguments if a.always and a.since is None][:3]
        # pre_init sends an argument that is itself called "kwargs".
        others = "**rest" if "kwargs" in names else "**kwargs"
        signature = ", ".join(["sender", *names, others])
        return f'def on_{self.name}({signature}):\n    print("{self.name}", sender)\n'


CONNECT_OPTIONS = (
    Argument(
        "receiver",
        _(
            "The function to call. It must accept any keyword arguments. Async functions run at "
            "the same time. From Django 6.1 on, an exception in one of them cancels the others, "
            "except in send_robust() and asend_robust()."
        ),
    ),
    Argument(
        "sender",
        _(
            "Call the receiver only for this sender; None means any sender. Model signals, "
            "except class_prepared, also take a label such as shop.Order."
        ),
    ),
    Argument(
        "weak",
        _(
            "With True, the default, Python may discard a receiver that nothing else refers to, "
            "such as a nested function. With False it is kept."
        ),
    ),
    Argument(
        "dispatch_uid",
        _("A name of your choice. Connecting again with the same name and sender has no effect."),
    ),
)
"""The arguments of `Signal.connect`, explained to newcomers."""
