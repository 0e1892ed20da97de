"""The events of a trace as a tree, as people read it.

Nothing here runs a query. `signals_demo/tree.html` renders `tree()`, and `signals_demo/events.css`
gives it its look. What is on a page hundreds of times is made into HTML here: rendering a template
for each would be most of what the page costs.
"""

from collections.abc import Iterable
from html import escape

from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from signals_demo import catalog
from signals_demo.catalog.types import BuiltIn, Family, LazyText
from signals_demo.models import SignalEvent
from signals_demo.query import tree as trees
from signals_demo.query.pairs import paired
from signals_demo.query.tree import Tree
from signals_demo.web.names import (
    count_badge,
    css_class,
    family,
    named,
    object_of,
    sender_name,
    short_name,
    shortened,
)
from signals_demo.web.outcome_labels import outcome_badge, outcome_meaning
from signals_demo.web.times import duration
from signals_demo.web.values import Change, Folded, changes, folded, literal

# A tree that is indented further can no longer be read, and each level of a template that
# includes itself takes a dozen of Python's stack frames.
DEEPEST = 16
# The arguments that tell two firings of one signal apart, in a line of a tree or a list.
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


class EventNode(trees.Node[SignalEvent]):
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
        return css_class(self.event.signal)

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
    def named(self) -> SafeString:
        """Return the object's name and key."""
        return named(self.event, self.about)

    @property
    def outcome_meaning(self) -> LazyText:
        """Return what the outcome means, in a sentence."""
        return outcome_meaning(self.event)

    @property
    def folded(self) -> Folded | None:
        """Return what a folded row says of all its firings."""
        return folded(self.event)

    @property
    def note(self) -> str:
        """Return what tells this firing from another one, in a line: arguments, or instances."""
        given = self.event.arguments
        if not self.event.object_pk and (several := self.folded) is not None and several.keys:
            return several.keys
        texts = (
            f"{name}={literal(given[name])}"
            for name in _TELLING
            if given.get(name) not in (None, {}, given.get("instance"))
        )
        return shortened(", ".join(texts))

    @property
    def subject(self) -> SafeString:
        """Return what it was about, to stand after its signal."""
        event, found = self.event, []
        if event.sender or event.object_pk:
            about = f" {self.named}" if event.object_pk else ""
            found.append(
                f'<span class="signals-subject" title="{escape(event.sender)}">'
                f"{escape(self.sender)}{about}</span>"
            )
        if event.count > 1:
            found.append(count_badge(event))
        if note := self.note:
            found.append(f'<code class="signals-note">{escape(note)}</code>')
        if event.outcome:
            found.append(outcome_badge(event))
        return SafeString(" ".join(found))

    @property
    def duration(self) -> str:
        """Return the time since the opening signal, such as `12 ms`; empty where none is known."""
        return duration(self.event)

    @property
    def changes(self) -> list[Change]:
        """Return the fields that got another value."""
        return [change for change in changes(self.event) if change.kind != "unchanged"]


def tree(events: Iterable[SignalEvent]) -> list[EventNode]:
    """Return the events of one trace, in the order given, as a forest."""
    return Tree(EventNode, DEEPEST).extended(events)


def tree_of_pairs(events: Iterable[SignalEvent]) -> list[EventNode]:
    """Return the same, but a pair of signals as one node."""
    return paired(events, Tree(EventNode, DEEPEST))
