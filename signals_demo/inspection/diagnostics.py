"""Problems with receivers, and how to fix each.

Receivers of Django and of this app are not checked.
"""

import sys
from inspect import CO_VARKEYWORDS
from types import FunctionType, ModuleType
from typing import Any

from django.apps import AppConfig, apps
from django.db.models.base import ModelBase
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_demo.catalog.types import Family, LazyText
from signals_demo.inspection import discovery, references
from signals_demo.inspection.receivers import Problem, Receiver, SignalReceivers, outermost, same
from signals_demo.inspection.startup import startup
from signals_demo.serialize.source import DJANGO, OURS, PROJECT

MANY = 10
"""This many receivers from one line, for one sender, are piling up."""

LABELS: dict[str, LazyText] = {
    "twice": _("connected twice"),
    "many": _("piling up"),
    "weak": _("may disappear"),
    "late": _("connected late"),
    "kwargs": _("no **kwargs"),
    "never": _("never called"),
}
"""A short label for the code of each problem."""


def diagnose(signals: list[SignalReceivers]) -> None:
    """Note the problems of each receiver, and fold those that pile up into one."""
    held = _held(signals)
    for signal in signals:
        _fold(signal)
        earlier = _Earlier()
        for receiver in filter(_is_diagnosed, signal.receivers):
            never = _never(signal, receiver)
            found = (
                never or _twice(receiver, earlier),
                _weak(receiver, held),
                _late(signal, receiver),
                _kwargs(receiver),
            )
            receiver.problems += filter(None, found)
            if not never:
                earlier.add(receiver)


def _is_diagnosed(receiver: Receiver) -> bool:
    return receiver.owner not in (DJANGO, OURS)


def _fold(signal: SignalReceivers) -> None:
    if signal.name == "class_prepared":  # each field connects to it once
        return
    alike: dict[object, list[Receiver]] = {}
    for each in filter(_is_diagnosed, signal.receivers):
        if each.code:
            alike.setdefault((id(each.code), _sender_key(each)), []).append(each)
    for first, *others in alike.values():
        if len(others) + 1 < MANY:
            continue
        first.count += len(others)
        gone = set(map(id, others))
        signal.receivers = [each for each in signal.receivers if id(each) not in gone]
        message = gettext(
            "This line has connected {count} receivers to the same sender. If it runs "
            "repeatedly, as in a view, they pile up and slow down every firing."
        ).format(count=first.count)
        fix = gettext(
            "Connect it once, in AppConfig.ready(), or disconnect it when it is no longer needed."
        )
        first.problems.append(Problem("many", message, fix))


class _Earlier:
    """The receivers before the current one, by a shared key and by sender."""

    def __init__(self) -> None:
        self.found: dict[object, dict[object, Receiver]] = {}

    def add(self, receiver: Receiver) -> None:
        for key in (same(receiver.callback), _line(receiver)):
            self.found.setdefault(key, {}).setdefault(_sender_key(receiver), receiver)

    def like(self, key: object, receiver: Receiver) -> Receiver | None:
        """Return the first with this key that shares a sender with `receiver`."""
        by_sender = self.found.get(key, {})
        if receiver.sender is None:
            return next(iter(by_sender.values()), None)
        return by_sender.get(None) or by_sender.get(receiver.sender.key)


def _sender_key(receiver: Receiver) -> object:
    return receiver.sender.key if receiver.sender else None


def _line(receiver: Receiver) -> tuple[str, int | None, str]:
    return receiver.file, receiver.line, receiver.short_name


def _twice(receiver: Receiver, earlier: _Earlier) -> Problem | None:
    if other := earlier.like(same(receiver.callback), receiver):
        message = gettext(
            "This is the same function as number {number}, so it runs twice for each firing."
        ).format(number=other.position)
        fix = gettext("Connect it once, or always with the same sender and dispatch_uid.")
        return Problem("twice", message, fix)
    other = earlier.like(_line(receiver), receiver)
    one, two = receiver.function, other.function if other else None
    if other is None or one is None or two is None or one.__module__ == two.__module__:
        return None
    message = gettext(
        "Number {number} is the same line of code. Its module was imported under two names, "
        "{first} and {second}, so it runs twice for each firing."
    ).format(number=other.position, first=two.__module__, second=one.__module__)
    fix = gettext(
        "Import the module under one name everywhere. A dispatch_uid only hides the problem."
    )
    return Problem("twice", message, fix)


def _never(signal: SignalReceivers, receiver: Receiver) -> Problem | None:
    sender = receiver.sender.value if receiver.sender else None
    kind = type(sender)
    if issubclass(kind, ModelBase) and signal.family in (Family.MODEL, Family.AUTH):
        found = _silent_model(signal.name, sender)
    elif signal.family is Family.MANAGEMENT and _is_app_in_disguise(sender):
        found = (
            gettext(
                "The sender of this signal is an AppConfig instance, never a class, a module or "
                "a string."
            ),
            gettext("Connect it in AppConfig.ready() with sender=self."),
        )
    else:
        return None
    return Problem("never", *found) if found else None


def _is_app_in_disguise(sender: Any) -> bool:
    kind = type(sender)
    is_class = issubclass(kind, type) and issubclass(sender, AppConfig)
    return is_class or issubclass(kind, (ModuleType, str))


def _silent_model(signal: str, model: Any) -> tuple[str, str] | None:
    options = model._meta
    label = options.label
    if options.abstract:
        return (
            gettext("{label} is abstract: only its concrete subclasses send signals.").format(
                label=label
            ),
            gettext(
                "Connect it to each of them, or to every sender and check the sender in the "
                "receiver."
            ),
        )
    if options.swapped:
        return (
            gettext("{label} is not in use: it is swapped out for {other}.").format(
                label=label, other=options.swapped
            ),
            gettext("Use sender=settings.{setting}.").format(setting=options.swappable),
        )
    if signal == "m2m_changed" and options.local_many_to_many and not _is_between(model):
        name = options.local_many_to_many[0].name
        return (
            gettext("The sender of m2m_changed is the through model, not {label}.").format(
                label=label
            ),
            gettext("Use sender={model}.{field}.through.").format(
                model=model.__name__, field=name
            ),
        )
    return None


def _is_between(model: Any) -> bool:
    fields = (
        field
        for each in apps.get_models(include_auto_created=True)
        for field in each._meta.local_many_to_many
    )
    return any(field.remote_field.through is model for field in fields)


def _held(signals: list[SignalReceivers]) -> set[int]:
    """Return the ids of the weakly connected inner functions that something holds."""
    listed = [each for signal in signals for each in signal.receivers]
    suspects = {
        id(each.callback): each.callback
        for each in listed
        if each.is_weak and _is_inner(each.callback)
    }
    found = set(discovery.objects(set(suspects)))
    rest = {key: suspects[key] for key in suspects.keys() - found}
    suspects.clear()
    return found | references.held(rest, listed)


def _is_inner(callback: Any) -> bool:
    if type(callback) is not FunctionType:
        return False
    return "<locals>" in callback.__qualname__ or callback.__qualname__ == "<lambda>"


def _weak(receiver: Receiver, held: set[int]) -> Problem | None:
    if not receiver.is_weak or not _is_inner(receiver.callback) or id(receiver.callback) in held:
        return None
    message = gettext(
        "It was defined inside a function, and the signal holds only a weak reference to it. "
        "When the last other reference is gone, Django silently stops calling it."
    )
    fix = gettext("Move it to the top level of its module, or connect it with weak=False.")
    return Problem("weak", message, fix)


# Only servers and tests send them, after they have imported what they need.
_SENT_BY_A_SERVER = (Family.AUTH, Family.REQUEST, Family.TEST)


def _late(signal: SignalReceivers, receiver: Receiver) -> Problem | None:
    start = startup()
    module = receiver.function.__module__ if receiver.function else None
    if (
        start is None
        or receiver.owner != PROJECT
        or signal.family in _SENT_BY_A_SERVER
        or type(module) is not str
        or module in start.modules
        or module not in sys.modules
        or ".management.commands." in module
    ):
        return None
    message = gettext(
        "{module} was imported after all apps were ready, so the receiver missed all earlier "
        "firings. A process that does not import the module, such as a command or a worker, "
        "never calls it."
    ).format(module=module)
    fix = gettext("Move it to a module that AppConfig.ready() imports.")
    return Problem("late", message, fix)


def _kwargs(receiver: Receiver) -> Problem | None:
    function = outermost(receiver.callback)
    if function is None or function.__code__.co_flags & CO_VARKEYWORDS:
        return None
    message = gettext(
        "It does not accept **kwargs, so it fails when the signal sends an argument that it "
        "does not name. With DEBUG on, Django refuses to connect it."
    )
    return Problem("kwargs", message, gettext("Add **kwargs to its parameters."))
