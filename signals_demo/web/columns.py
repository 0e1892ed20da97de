"""The columns of the list of events."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_demo.models import Origin, SignalEvent
from signals_demo.serialize.model_info import model_named
from signals_demo.serialize.redaction import MASK
from signals_demo.web.actors import who
from signals_demo.web.links import Links
from signals_demo.web.names import (
    count_badge,
    object_name,
    object_of,
    sender_name,
)
from signals_demo.web.outcome_labels import outcome_badge
from signals_demo.web.times import local
from signals_demo.web.tree import EventNode
from signals_demo.web.values import changes_in_a_line

DEEPEST_INDENT = 8
WITH_CHANGES = ("", "changes")
"""The quick views with events that change something."""

Column = Callable[[SignalEvent], SafeString | str]


class Columns:
    """What the cells of a row show. None has the name of a model field, so none is sorted by."""

    def __init__(self, links: Links) -> None:
        self._links = links

    def of_view(self, view: str) -> list[Column]:
        """Return the columns of a quick view from left to right."""
        return [
            self.time,
            self.signal_badge,
            self.subject,
            *([self.changes] if view in WITH_CHANGES else []),
            self.actor_link,
            self.origin_link,
        ]

    @admin.display(description=_("time"))
    def time(self, event: SignalEvent) -> SafeString:
        """Return the time in one line, with the day unless that is today."""
        moment = local(event.occurred_at)
        is_today = moment.date() == local(now()).date()
        return format_html(
            '<time datetime="{}" title="{} {} {}"><b>{}</b>{}</time>',
            moment.isoformat(),
            date_format(moment),
            moment.strftime("%H:%M:%S.%f")[:-3],
            moment.tzname() or "",
            moment.strftime("%H:%M:%S"),
            "" if is_today else f" {date_format(moment, 'j M Y')}",
        )

    @admin.display(description=_("signal"))
    def signal_badge(self, event: SignalEvent) -> SafeString:
        """Return the signal in its family's colour, and how often it fired."""
        node = EventNode(event)
        return format_html(
            '<span class="signals-badge {} signals-depth-{}" title="{}: {}">{}</span> {}',
            node.css_class,
            min(event.depth, DEEPEST_INDENT),
            node.family_label,
            event.signal,
            node.name,
            count_badge(event),
        )

    @admin.display(description=_("sender and object"))
    def subject(self, event: SignalEvent) -> SafeString:
        """Return the sender and the object, with a link to the object's events."""
        model, key = object_of(event)
        about, name = EventNode(event).about, object_name(event)
        short = sender_name(event.sender)
        if model_named(event.sender):
            short = short.rpartition(".")[2]
        sender = format_html(
            '<span class="signals-sender" title="{}">{}</span>', event.sender, short
        )
        if not about:
            return sender
        if key == MASK or not model_named(model):
            return format_html("{} {}", sender, about)
        query = urlencode({SEARCH_VAR: f"{model} {key}"})
        if not name:
            return format_html('{} <a href="?{}">{}</a>', sender, query, about)
        return format_html(
            '{} <a href="?{}"><bdi>{}</bdi></a> <span class="signals-quiet">{}</span>',
            sender,
            query,
            name,
            about,
        )

    @admin.display(description=_("what changed"))
    def changes(self, event: SignalEvent) -> SafeString:
        """Return what became of the transaction, and the first fields that changed in it."""
        badge, line = outcome_badge(event), changes_in_a_line(event)
        return format_html('<div class="signals-line">{} {}</div>', badge, line)

    @admin.display(description=_("actor"))
    def actor_link(self, event: SignalEvent) -> SafeString | str:
        """Return who did it: a user, the name that was tried, or an address."""
        return who(event, self._links)

    @admin.display(description=_("origin"))
    def origin_link(self, event: SignalEvent) -> SafeString | str:
        """Return what started the trace, with a link to the whole trace."""
        label = str(event.get_origin_display())
        # A request says by its method that it is one.
        is_request = event.origin == Origin.REQUEST and event.origin_name
        kind = "" if is_request else format_html('<span class="signals-quiet">{}</span> ', label)
        url = self._links.trace(event)
        if not url:
            return format_html(
                '{}<span title="{}">{}</span>', kind, event.origin_name, event.origin_name
            )
        name = event.origin_name or gettext("trace")
        return format_html('{}<a href="{}" title="{}">{}</a>', kind, url, event.origin_name, name)
