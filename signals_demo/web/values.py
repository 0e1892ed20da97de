"""Recorded values laid out for reading: arguments, and fields that changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from signals_demo import catalog
from signals_demo.catalog.types import LazyText
from signals_demo.models import SignalEvent
from signals_demo.web.names import shortened

_LONGEST_INLINE = 56


def literal(value: Any) -> str:
    """Return a recorded JSON value as Python would write it, and an instance as label and key."""
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


def arguments(event: SignalEvent) -> list[RecordedArgument]:
    """Return the arguments of an event: the documented in the catalog's order, then others."""
    known = catalog.get(event.signal)
    meanings = {argument.name: argument.meaning for argument in known.arguments} if known else {}
    names = [name for name in meanings if name in event.arguments]
    names += [name for name in event.arguments if name not in meanings]
    return [
        RecordedArgument(name, meanings.get(name, ""), Value.of(event.arguments[name]))
        for name in names
    ]


@dataclass(frozen=True, slots=True)
class Change:
    """A field's old and new value; `kind` is added, removed, changed or unchanged."""

    field: str
    old: Any
    new: Any

    @property
    def kind(self) -> str:
        """Return what became of the field, as a word for a CSS class."""
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
    def old_text(self) -> str:
        """Return the old value in at most a line."""
        return shortened(literal(self.old))

    @property
    def new_text(self) -> str:
        """Return the new value in at most a line."""
        return shortened(literal(self.new))

    @property
    def in_short(self) -> SafeString:
        """Return it as an item of a list, old and new beside each other."""
        kind = self.kind
        old = "" if kind == "added" else f" <del>{escape(self.old_text)}</del>"
        arrow = ' <span aria-hidden="true">→</span>' if kind == "changed" else ""
        new = "" if kind == "removed" else f" <ins>{escape(self.new_text)}</ins>"
        return SafeString(
            f'<li class="signals-{kind}"><span class="signals-field">{escape(self.field)}</span>'
            f"{old}{arrow}{new}</li>"
        )


_KIND_LABELS: Mapping[str, LazyText] = {
    "added": _("added"),
    "removed": _("removed"),
    "changed": _("changed"),
    "unchanged": _("empty"),
}


def changes(event: SignalEvent) -> list[Change]:
    """Return what an event changed, field by field."""
    return [Change(name, old, new) for name, old, new in event.fields_changed]
