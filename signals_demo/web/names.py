"""How pages name what events refer to: signals, senders and objects."""

from collections.abc import Iterable, Mapping

from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from signals_demo import catalog
from signals_demo.catalog.types import Family
from signals_demo.models import SignalEvent

NameKey = tuple[str, str, str]
"""The database, the label of the model and the key of an object."""

_NAMES = "_signals_demo_names"
TIMES = "\N{MULTIPLICATION SIGN}"
_LONGEST_LINE = 60


def family(signal: str) -> Family | None:
    """Return the family of a built-in signal, or None for any other."""
    known = catalog.get(signal)
    return known.family if known else None


def css_class(signal: str) -> str:
    """Return the class that gives the colour of a signal's family: `signals-model`, …"""
    return f"signals-{family(signal) or 'other'}"


def short_name(signal: str) -> str:
    """Return a signal's name without the module of an extra signal's dotted path."""
    return signal.rpartition(".")[2]


def sender_name(sender: str) -> str:
    """Return a sender, a class without its module; the label of a model stays whole."""
    module, _dot, name = sender.rpartition(".")
    return name if "." in module and name[:1].isupper() else sender


def object_of(event: SignalEvent) -> tuple[str, str]:
    """Return the model's label and the key of the object that an event is about."""
    instance = event.arguments.get("instance")
    # The sender of m2m_changed is the model between the two, not that of the instance.
    if isinstance(instance, dict) and isinstance(instance.get("model"), str):
        return instance["model"], event.object_pk
    return event.sender, event.object_pk


def count_badge(event: SignalEvent) -> SafeString:
    """Return how many firings a row stands for; nothing for one."""
    if event.count == 1:
        return SafeString("")
    title, number = gettext("firings in this row"), number_format(event.count)
    return format_html('<span class="signals-count" title="{}">{} {}</span>', title, TIMES, number)


def keep_names(events: Iterable[SignalEvent], names: Mapping[NameKey, str]) -> None:
    """Keep what the objects are called that events refer to."""
    for event in events:
        event.__dict__[_NAMES] = names


def name_of(event: SignalEvent, label: str, key: str) -> str:
    """Return what an object that an event refers to is called; empty if that is not known."""
    names: Mapping[NameKey, str] = event.__dict__.get(_NAMES, {})
    return names.get((event.database, label, key), "")


def object_name(event: SignalEvent) -> str:
    """Return what the object of an event is called; empty if that is not known."""
    return name_of(event, *object_of(event))


def named(event: SignalEvent, about: str) -> SafeString:
    """Return `about`, the key of an event's object, after its name where that is known."""
    name = object_name(event)
    if not name:
        return format_html("<b>{}</b>", about)
    return format_html('<b><bdi>{}</bdi></b> <span class="signals-quiet">{}</span>', name, about)


def shortened(text: str, limit: int = _LONGEST_LINE) -> str:
    """Return `text`, cut to `limit` characters with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
