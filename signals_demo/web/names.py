"""How pages name what events refer to: signals, senders and objects."""

import re
from html import escape

from django.utils.safestring import SafeString

from signals_demo import catalog
from signals_demo.catalog.types import Family
from signals_demo.models import SignalEvent

TIMES = "\N{MULTIPLICATION SIGN}"
_LONGEST_LINE = 60
_INNER_SLASH = re.compile(r"(?<=\w)/(?=\w)")
_INNER_DOT = re.compile(r"(?<=\w)\.(?=\w)")


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


def shortened(text: str, limit: int = _LONGEST_LINE) -> str:
    """Return `text`, cut to `limit` characters with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def breakable_name(name: str) -> SafeString:
    """Return a dotted name as HTML in which a line may end after a dot."""
    return SafeString(_INNER_DOT.sub(".<wbr>", escape(name)))


def breakable(path: str) -> SafeString:
    """Return a text as HTML in which a line may end after a slash rather than within a word."""
    return SafeString(_INNER_SLASH.sub("/<wbr>", escape(path)))
