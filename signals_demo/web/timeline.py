"""Events as a timeline: by day, what each did in a word, with the addresses it leads to.

Nothing here runs a query. `signals_demo/timeline.html` renders `days()`, and
`signals_demo/history.css` gives it its look.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from signals_demo.catalog.types import LazyText
from signals_demo.models import Outcome, SignalEvent
from signals_demo.query.history import relation_name
from signals_demo.serialize.model_info import model_named
from signals_demo.web.links import Links
from signals_demo.web.names import object_name, object_of
from signals_demo.web.times import local
from signals_demo.web.tree import EventNode
from signals_demo.web.values import Change

MANY_CHANGES = 6

_VERBS: dict[str, LazyText] = {
    "post_add": _("Linked"),
    "post_remove": _("Unlinked"),
    "post_clear": _("Cleared"),
    "post_delete": _("Deleted"),
    "user_logged_in": _("Logged in"),
    "user_logged_out": _("Logged out"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in a timeline; without `links` it leads nowhere."""

    event: SignalEvent
    links: Links | None = None

    @property
    def node(self) -> EventNode:
        """Return the event as a tree shows it."""
        return EventNode(self.event)

    @property
    def verb(self) -> LazyText:
        """Return what the event did, in a word; empty where its signal has to say it."""
        if self.event.signal == "post_save":
            if self.event.arguments.get("created") is True:
                return _("Created")
            is_known = any(change.kind != "written" for change in self.changes)
            return _("Changed") if is_known else _("Saved")
        if self.event.arguments.get("pk_set") == []:  # all of them were linked before
            return _("Unchanged")
        return _VERBS.get(self._action, "")

    @property
    def _action(self) -> str:
        if self.event.signal == "m2m_changed":
            return str(self.event.arguments.get("action"))
        return self.event.signal

    @property
    def changes(self) -> list[Change]:
        """Return the fields that got another value, and the links that came or went."""
        if self.event.signal != "m2m_changed":
            return self.node.changes
        keys = self.event.arguments.get("pk_set")
        if not keys:  # those of a relation that is emptied are not known
            return []
        added = self._action in ("pre_add", "post_add")
        old, new = (None, keys) if added else (keys, None)
        return [Change(self.relation, old, new, self.event)]

    @property
    def relation(self) -> str:
        """Return the name of the many-to-many relation that changed, empty for other changes."""
        if self.event.signal != "m2m_changed":
            return ""
        through = self.event.sender
        model = model_named(object_of(self.event)[0])
        is_reverse = self.event.arguments.get("reverse") is True
        return (relation_name(model, through, reverse=is_reverse) if model else "") or through

    @property
    def subject(self) -> SafeString | str:
        """Return the object's model, name and key, or else the sender."""
        if not self.event.object_pk:
            return self.node.sender
        model, key = object_of(self.event)
        name = object_name(self.event)
        if not name:
            return f"{model} {key}"
        return format_html("{} <b><bdi>{}</bdi></b> {}", model, name, key)

    @property
    def is_undone(self) -> bool:
        """Return whether the database kept nothing of it."""
        return self.event.outcome == Outcome.ROLLED_BACK

    @property
    def has_many_changes(self) -> bool:
        """Return whether the changes are too many to be read in passing."""
        return len(self.changes) > MANY_CHANGES

    @property
    def event_url(self) -> str:
        """Return the address of the event's own page."""
        return self.links.event(self.event) if self.links else ""

    @property
    def trace_url(self) -> str:
        """Return the address of all that its request, command or task fired."""
        return self.links.trace(self.event) if self.links else ""

    @property
    def person_url(self) -> str:
        """Return the address of all that its actor did."""
        return self.links.person(self.event) if self.links else ""

    @property
    def object_url(self) -> str:
        """Return the address of all events about its object."""
        return self.links.object(self.event) if self.links else ""


@dataclass(frozen=True, slots=True)
class Group:
    """Entries in a row that one request, command or task has made."""

    entries: list[Entry]

    @property
    def latest(self) -> Entry:
        """Return the first entry, which says where all of them come from."""
        return self.entries[0]

    @property
    def is_undone(self) -> bool:
        """Return whether the database kept nothing of any of them."""
        return all(entry.is_undone for entry in self.entries)


def days(
    events: Iterable[SignalEvent], links: Links | None = None
) -> list[tuple[date, list[Group]]]:
    """Return events in the order given, by the day they fall on here and by their trace."""
    entries = (Entry(event, links) for event in events)
    return [
        (day, [Group(list(made)) for _trace, made in groupby(found, _source)])
        for day, found in groupby(entries, _day)
    ]


def _day(entry: Entry) -> date:
    moment: datetime = entry.event.occurred_at
    return local(moment).date()


def _source(entry: Entry) -> tuple[str, str]:
    return entry.event.trace_id, entry.event.actor_pk
