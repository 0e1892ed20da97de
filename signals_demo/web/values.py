"""Recorded values laid out for reading: arguments, and fields that changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from typing import Any

from django.utils.safestring import SafeString
from django.utils.timezone import get_default_timezone, is_naive, make_naive
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from signals_demo import catalog
from signals_demo.catalog.types import Family, LazyText
from signals_demo.models import SignalEvent
from signals_demo.serialize.folded import FOLDED, MOST_KEYS
from signals_demo.tracing.schemas import alias_in
from signals_demo.web.field_words import field_label, is_key, words
from signals_demo.web.names import shortened
from signals_demo.web.times import local

_LONGEST_INLINE = 56
SHOWN = 2
"""Changes that a list shows of an event."""


class _Unknown:
    """Stands for an old value that is not known."""


UNKNOWN = _Unknown()
_WORDS = ("None", "True", "False", _("unknown"))
"""How values are written that are no text."""


def literal(value: Any) -> str:
    """Return a recorded JSON value as Python would write it, and an instance as label and key."""
    if value is UNKNOWN:
        return gettext("unknown")
    if isinstance(value, dict):
        if value.keys() == {"model", "pk"}:
            return f"{value['model']} {value['pk']}"
        return "{" + ", ".join(f"{key!r}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return repr(value)


@dataclass(frozen=True, slots=True)
class Value:
    """A recorded JSON value: `text`, or for a long container its `parts` of (name, Value)."""

    text: str
    parts: list[tuple[str, "Value"]] = field(default_factory=list)
    is_list: bool = False

    @classmethod
    def of(cls, value: Any, levels: int = 6) -> "Value":
        """Return `value` laid out for reading, nested at most `levels` deep."""
        text = literal(value)
        if levels == 0 or not isinstance(value, (dict, list)) or len(text) <= _LONGEST_INLINE:
            return cls(value if isinstance(value, str) and "\n" in value else text)
        if isinstance(value, dict):
            return cls("", [(name, cls.of(item, levels - 1)) for name, item in value.items()])
        return cls("", [("", cls.of(item, levels - 1)) for item in value], is_list=True)


@dataclass(frozen=True, slots=True)
class RecordedArgument:
    """An argument that an event was sent with; `meaning` is empty for an undocumented one."""

    name: str
    meaning: LazyText
    value: Value


# What the recorder adds to the arguments of a signal.
_OUR_MEANINGS: Mapping[str, LazyText] = {
    "old_values": _(
        "What the row held before is unknown: the instance was not loaded from it. Added by the "
        "recorder."
    ),
    "new_values": _("What was saved in place of unknown values. Added by the recorder."),
}


def arguments(event: SignalEvent) -> list[RecordedArgument]:
    """Return the arguments of an event: the documented in the catalog's order, then others."""
    known, sent = catalog.get(event.signal), _sent(event)
    meanings = {argument.name: argument.meaning for argument in known.arguments} if known else {}
    meanings |= {name: _OUR_MEANINGS[name] for name in _OUR_MEANINGS if name in sent}
    names = [name for name in meanings if name in sent]
    names += [name for name in sent if name not in meanings and name != FOLDED]
    return [RecordedArgument(name, meanings.get(name, ""), Value.of(sent[name])) for name in names]


def _sent(event: SignalEvent) -> dict[str, Any]:
    """Return the arguments of an event, with those that rows leave out: see `model_arguments`."""
    known, stored = catalog.get(event.signal), dict(event.arguments)
    if known is None or known.family is not Family.MODEL or "..." in stored:
        return stored
    instance = {"model": event.sender, "pk": event.object_pk or None}
    usual: dict[str, Any] = {
        "instance": instance,
        "origin": instance,
        "raw": False,
        "using": alias_in(event.database),
        "update_fields": None,
        "args": [],
        "kwargs": {},
    }
    if event.count > 1 and not event.object_pk:  # several instances
        del usual["instance"]
    return {name: usual[name] for name in known.argument_names if name in usual} | stored


@dataclass(frozen=True, slots=True)
class Folded:
    """What a folded row says of all its firings."""

    last_at: datetime
    keys: str
    """Of the instances that it is about, the first few."""


def folded(event: SignalEvent) -> Folded | None:
    """Return what a folded row says of all its firings, None for any other row."""
    found = event.arguments.get(FOLDED)
    if event.count == 1 or not isinstance(found, dict):
        return None
    try:
        last_at = datetime.fromisoformat(found["last_at"])
    except (KeyError, TypeError, ValueError):
        return None
    pks = [str(pk) for pk in found.get("pks", ())]
    more = ["…"] if len(pks) == MOST_KEYS < event.count else []
    if is_naive(event.occurred_at):
        last_at = make_naive(last_at, get_default_timezone())
    return Folded(local(last_at), ", ".join([*pks, *more]))


@dataclass(frozen=True, slots=True)
class Change:
    """A field's old and new value; `kind` is added, removed, changed, written or unchanged."""

    field: str
    old: Any
    new: Any
    event: SignalEvent | None = None
    """That which changed it, and says of which model the field is."""

    @property
    def kind(self) -> str:
        """Return what became of the field, as a word for a CSS class."""
        if self.old is UNKNOWN:
            return "written"
        if self.old is None and self.new is None:
            return "unchanged"
        if self.old is None:
            return "added"
        return "removed" if self.new is None else "changed"

    @property
    def kind_label(self) -> LazyText:
        """Return what became of the field, in words."""
        return _KIND_LABELS[self.kind]

    @property
    def old_value(self) -> Value:
        """Return the old value laid out for reading."""
        return Value.of(self.old)

    @property
    def new_value(self) -> Value:
        """Return the new value laid out for reading."""
        return Value.of(self.new)

    @property
    def label(self) -> str:
        """Return what the model calls the field."""
        return field_label(self.event.sender, self.field) if self.event else self.field

    @property
    def old_words(self) -> str:
        """Return what the old value means, empty where it says that itself."""
        return self._words(self.old)

    @property
    def new_words(self) -> str:
        """Return what the new value means, empty where it says that itself."""
        return self._words(self.new)

    def _words(self, value: Any) -> str:
        known = self.event is not None and value is not UNKNOWN
        return words(self.event, self.field, value) if self.event and known else ""

    @property
    def old_text(self) -> str:
        """Return the old value in at most a line."""
        return self._text(self.old)

    @property
    def new_text(self) -> str:
        """Return the new value in at most a line."""
        return self._text(self.new)

    def _text(self, value: Any) -> str:
        return shortened(self._words(value) or _plain(value))

    @property
    def in_short(self) -> SafeString:
        """Return it as an item of a list, old and new beside each other."""
        kind = self.kind
        old = "" if kind == "added" else f" <del>{escape(self.old_text)}</del>"
        is_pair = kind in ("changed", "written")
        arrow = ' <span aria-hidden="true">→</span>' if is_pair else ""
        new = "" if kind == "removed" else f" <ins>{escape(self.new_text)}</ins>"
        return SafeString(f'<li class="signals-{kind}">{self._name}{old}{arrow}{new}</li>')

    @property
    def _name(self) -> str:
        label = self.label
        title = f' title="{escape(self.field)}"' if label != self.field else ""
        return f'<span class="signals-field"{title}>{escape(label)}</span>'


_KIND_LABELS: Mapping[str, LazyText] = {
    "added": _("added"),
    "removed": _("removed"),
    "changed": _("changed"),
    "written": _("saved; the old value is not known"),
    "unchanged": _("empty"),
}


def _plain(value: Any) -> str:
    """Return a value as people write it: text without quotes, unless it reads as another value."""
    is_text = isinstance(value, str) and value.strip() == value != ""
    return value if is_text and value not in _WORDS else literal(value)


def changes(event: SignalEvent) -> list[Change]:
    """Return what an event changed, field by field; last those of unknown old values."""
    known = [Change(name, old, new, event) for name, old, new in event.fields_changed]
    if event.arguments.get("old_values") != "unknown":
        return known
    written = event.arguments.get("new_values")
    more = written.items() if isinstance(written, dict) else ()
    return [*known, *(Change(name, UNKNOWN, new, event) for name, new in more)]


def changes_in_a_line(event: SignalEvent) -> SafeString:
    """Return the first of what an event changed in a line, and how many more there are."""
    found = [change for change in changes(event) if change.kind != "unchanged"]
    found = [change for change in found if not is_key(event.sender, change.field)]
    if not found:
        return SafeString("")
    items = "".join(change.in_short for change in found[:SHOWN])
    more = len(found) - SHOWN
    if more > 0:
        text = ngettext("+{number} more", "+{number} more", more).format(number=more)
        items += f'<li class="signals-quiet">{escape(text)}</li>'
    return SafeString(f'<ul class="signals-changes">{items}</ul>')
