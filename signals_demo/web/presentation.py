"""How events are shown to people: as a tree, with the family of their signal and in words.

Nothing here runs a query: the callers fetch the rows, templates render what is returned.
`signals_demo/tree.html` renders `tree()`, `signals_demo/value.html` renders `Value`, and
`signals_demo/events.css` gives both their look. What stands on a page hundreds of times is made
into HTML here: a template would be most of what the page costs.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.safestring import SafeString
from django.utils.timezone import is_aware, localtime
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from signals_demo import catalog
from signals_demo.catalog.types import BuiltIn, Family, LazyText
from signals_demo.models import Outcome, SignalEvent
from signals_demo.query import tree as trees
from signals_demo.query.pairs import paired
from signals_demo.query.parsing import Period
from signals_demo.query.tree import Tree

# A tree that is indented further can no longer be read, and each level of a template that
# includes itself takes a dozen of Python's stack frames.
DEEPEST = 16
TIMES = "\N{MULTIPLICATION SIGN}"

# The arguments that tell two firings of one signal apart, in a line of a tree or a list.
_INNER_SLASH = re.compile(r"(?<=\w)/(?=\w)")
_TELLING = (
    "created",
    "action",
    "origin",
    "setting",
    "value",
    "enter",
    "app_config",
    "credentials",
    "connection",
    "file_path",
    "task_result",
)
_HOUR, _DAY = 60, 24 * 60  # in minutes
_LONGEST_LINE = 60
_LONGEST_INLINE = 56


def family(signal: str) -> Family | None:
    """Return the family of a built-in signal, or None for any other."""
    known = catalog.get(signal)
    return known.family if known else None


def short_name(signal: str) -> str:
    """Return a signal's name without the module of an extra signal's dotted path."""
    return signal.rpartition(".")[2]


def literal(value: Any) -> str:
    """Return a recorded JSON value as Python would write it, and an instance as label and key."""
    if isinstance(value, dict):
        if value.keys() == {"model", "pk"}:
            return f"{value['model']} {value['pk']}"
        return "{" + ", ".join(f"{key!r}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return repr(value)


def shortened(text: str, limit: int = _LONGEST_LINE) -> str:
    """Return `text`, cut to `limit` characters with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def object_of(event: SignalEvent) -> tuple[str, str]:
    """Return the model's label and the key of the object that an event is about."""
    instance = event.arguments.get("instance")
    # The sender of m2m_changed is the model between the two, not that of the instance.
    if isinstance(instance, dict) and isinstance(instance.get("model"), str):
        return instance["model"], event.object_pk
    return event.sender, event.object_pk


def duration(event: SignalEvent) -> str:
    """Return how long a pair of signals took, in words; nothing for an event that closes none."""
    return "" if event.milliseconds is None else in_words(event.milliseconds)


def local(moment: datetime) -> datetime:
    """Return a time in the current zone; as it is where the project has no zones."""
    return localtime(moment) if is_aware(moment) else moment


def in_short(period: Period) -> str:
    """Return a stretch of time in the current zone, as a range of two times."""
    begin = local(period.since) if period.since else None
    end = local(period.until or timezone.now())
    is_one_day = begin is not None and begin.date() == end.date()
    first = _day_and_time(begin) if begin else "…"
    return f"{first} \N{EN DASH} {time_of_day(end) if is_one_day else _day_and_time(end)}"


def _day_and_time(moment: datetime) -> str:
    return f"{date_format(moment, 'SHORT_DATE_FORMAT')} {time_of_day(moment)}"


def time_of_day(moment: datetime) -> str:
    """Return the time of day to the minute, in 24 hours, as the times of events are.

    Not in the format of the language: that of Hindi does not tell morning from evening.
    """
    return date_format(moment, "H:i")


def ago(moment: datetime) -> str:
    """Return how long ago a time was, in the largest unit that it fills.

    Django's `timesince` calls a moment ago "0 minutes", and has no words of Hindi.
    """
    minutes = (timezone.now() - moment) // timedelta(minutes=1)
    if minutes < 1:
        return gettext("just now")
    if minutes < _HOUR:
        return ngettext("{number} minute ago", "{number} minutes ago", minutes).format(
            number=minutes
        )
    if minutes < _DAY:
        hours = minutes // _HOUR
        return ngettext("{number} hour ago", "{number} hours ago", hours).format(number=hours)
    days = minutes // _DAY
    return ngettext("{number} day ago", "{number} days ago", days).format(number=days)


def breakable(path: str) -> SafeString:
    """Return a text as HTML in which a line may end after a slash rather than within a word."""
    return SafeString(_INNER_SLASH.sub("/<wbr>", escape(path)))


def in_words(milliseconds: float) -> str:
    """Return a time such as `40 µs`, `0.4 ms`, `12 ms` or `1.3 s`."""
    if milliseconds >= 1000:
        return gettext("{seconds} s").format(seconds=number_format(milliseconds / 1000, 1))
    if milliseconds < 0.1:
        return gettext("{microseconds} µs").format(
            microseconds=number_format(milliseconds * 1000, 0)
        )
    return gettext("{milliseconds} ms").format(
        milliseconds=number_format(milliseconds, 0 if milliseconds >= 10 else 1)
    )


def sender_name(sender: str) -> str:
    """Return a sender, a class without its module; the label of a model stays whole."""
    module, _dot, name = sender.rpartition(".")
    return name if "." in module and name[:1].isupper() else sender


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
class Given:
    """An argument that an event was sent with; `meaning` is empty for an undocumented one."""

    name: str
    meaning: LazyText
    value: Value


def arguments(event: SignalEvent) -> list[Given]:
    """Return the arguments of an event: the documented in the catalog's order, then others."""
    known = catalog.get(event.signal)
    meanings = {argument.name: argument.meaning for argument in known.arguments} if known else {}
    names = [name for name in meanings if name in event.arguments]
    names += [name for name in event.arguments if name not in meanings]
    return [Given(name, meanings.get(name, ""), Value.of(event.arguments[name])) for name in names]


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


_OUTCOMES: Mapping[str, LazyText] = {
    Outcome.COMMITTED: _("Its transaction was committed."),
    Outcome.ROLLED_BACK: _(
        "Its transaction was rolled back. The database kept none of its changes."
    ),
    Outcome.OPEN: _("Unknown: its transaction was still open when the event was stored."),
    "": _("No transaction was involved."),
}


class Node(trees.Node[SignalEvent]):
    """An event in a tree, as people read it."""

    __slots__ = ()

    @property
    def built_in(self) -> BuiltIn | None:
        """Return what the catalog says about the signal, or None for one it does not know."""
        return catalog.get(self.event.signal)

    @property
    def family(self) -> Family | None:
        """Return the family of the signal."""
        return family(self.event.signal)

    @property
    def family_label(self) -> LazyText:
        """Return the name of the family, for people."""
        return self.family.label if self.family else _("Other signals")

    @property
    def css_class(self) -> str:
        """Return the class that gives the family's colour: `signals-model`, …"""
        return f"signals-{self.family or 'other'}"

    @property
    def name(self) -> str:
        """Return the signal's name, short enough for a badge."""
        return short_name(self.event.signal)

    @property
    def closes(self) -> str:
        """Return the name of the opening signal of the pair, empty for any but a closing one."""
        return self.built_in.closes if self.built_in else ""

    @property
    def about(self) -> str:
        """Return the object's key, with its model where that is not the sender."""
        model, key = object_of(self.event)
        return key if model == self.event.sender else f"{model} {key}".strip()

    @property
    def sender(self) -> str:
        """Return the sender in short."""
        return sender_name(self.event.sender)

    @property
    def object_label(self) -> str:
        """Return the object's model and key."""
        return " ".join(object_of(self.event))

    @property
    def outcome_meaning(self) -> LazyText:
        """Return what the outcome means, in a sentence."""
        return _OUTCOMES.get(self.event.outcome, "")

    @property
    def note(self) -> str:
        """Return the arguments that tell this firing from another one, in a line."""
        given = self.event.arguments
        told = (
            f"{name}={literal(given[name])}"
            for name in _TELLING
            if given.get(name) not in (None, {}, given.get("instance"))
        )
        return shortened(", ".join(told))

    @property
    def subject(self) -> SafeString:
        """Return what it was about, to stand after its signal."""
        event, found = self.event, []
        if event.sender or event.object_pk:
            about = f" <b>{escape(self.about)}</b>" if event.object_pk else ""
            found.append(
                f'<span class="signals-subject" title="{escape(event.sender)}">'
                f"{escape(self.sender)}{about}</span>"
            )
        if event.count > 1:
            title = escape(gettext("firings in this row"))
            found.append(
                f'<span class="signals-count" title="{title}">'
                f"{TIMES} {number_format(event.count)}</span>"
            )
        if note := self.note:
            found.append(f'<code class="signals-note">{escape(note)}</code>')
        if event.outcome:
            found.append(
                f'<span class="signals-outcome signals-{escape(event.outcome)}">'
                f"{escape(str(event.get_outcome_display()))}</span>"
            )
        return SafeString(" ".join(found))

    @property
    def duration(self) -> str:
        """Return the time since the opening signal, such as `12 ms`; empty where none is known."""
        return duration(self.event)

    @property
    def changes(self) -> list[Change]:
        """Return the fields that got another value."""
        return [change for change in changes(self.event) if change.kind != "unchanged"]


def tree(events: Iterable[SignalEvent]) -> list[Node]:
    """Return the events of one trace, in the order given, as a forest."""
    return Tree(Node, DEEPEST).extended(events)


def tree_of_pairs(events: Iterable[SignalEvent]) -> list[Node]:
    """Return the same, but a pair of signals as one node."""
    return paired(events, Tree(Node, DEEPEST))
