"""The columns of the list of events."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_demo.models import SignalEvent
from signals_demo.serialize.model_info import model_named
from signals_demo.serialize.redaction import MASK
from signals_demo.web.actors import who
from signals_demo.web.links import Links
from signals_demo.web.names import (
    TIMES,
    breakable,
    breakable_name,
    object_of,
    sender_name,
    shortened,
)
from signals_demo.web.outcome_labels import outcome_badge
from signals_demo.web.times import local
from signals_demo.web.tree import EventNode

DEEPEST_INDENT = 8
LONGEST_NAME = 32

Column = Callable[[SignalEvent], SafeString | str]


class Columns:
    """What the cells of a row show. None has the name of a model field, so none is sorted by."""

    def __init__(self, links: Links) -> None:
        self._links = links

    @property
    def all(self) -> list[Column]:
        """Return the columns from left to right."""
        return [
            self.time,
            self.signal_badge,
            self.subject,
            self.actor_link,
            self.origin_link,
            self.outcome_badge,
            self.firings,
        ]

    @admin.display(description=_("time"))
    def time(self, event: SignalEvent) -> SafeString:
        """Return the time to the millisecond, finer than the formats of languages."""
        moment = local(event.occurred_at)
        return format_html(
            '<time datetime="{}"><b>{}</b> {}</time>',
            moment.isoformat(),
            moment.strftime("%H:%M:%S.%f")[:-3],
            date_format(moment),
        )

    @admin.display(description=_("signal"))
    def signal_badge(self, event: SignalEvent) -> SafeString:
        """Return the signal in its family's colour."""
        node = EventNode(event)
        return format_html(
            '<span class="signals-badge {} signals-depth-{}" title="{}: {}">{}</span>',
            node.css_class,
            min(event.depth, DEEPEST_INDENT),
            node.family_label,
            event.signal,
            node.name,
        )

    @admin.display(description=_("sender and object"))
    def subject(self, event: SignalEvent) -> SafeString | str:
        """Return the sender and the object, with a link to the object's events."""
        model, key = object_of(event)
        text = EventNode(event).about
        if key not in ("", MASK) and model_named(model):
            query = urlencode({SEARCH_VAR: f"{model} {key}"})
            return format_html('{} <a href="?{}">{}</a>', event.sender, query, text)
        name = sender_name(event.sender)
        if name == event.sender:
            return (
                format_html("{} {}", breakable_name(name), text) if text else breakable_name(name)
            )
        return format_html('<span title="{}">{}</span> {}', event.sender, name, text)

    @admin.display(description=_("actor"))
    def actor_link(self, event: SignalEvent) -> SafeString | str:
        """Return who did it: a user, the name that was tried, or an address."""
        return who(event, self._links)

    @admin.display(description=_("origin"))
    def origin_link(self, event: SignalEvent) -> SafeString | str:
        """Return what started the trace, with a link to the whole trace."""
        label = event.get_origin_display()
        name = breakable(shortened(event.origin_name, LONGEST_NAME))
        url = self._links.trace(event)
        if not url:
            return format_html("{} {}", label, name)
        return format_html(
            '<span class="signals-quiet">{}</span> <a href="{}" title="{}">{}</a>',
            label,
            url,
            event.origin_name,
            name or gettext("trace"),
        )

    @admin.display(description=_("outcome"))
    def outcome_badge(self, event: SignalEvent) -> SafeString | str:
        """Return the outcome of the transaction."""
        return outcome_badge(event)

    @admin.display(description=_("firings"))
    def firings(self, event: SignalEvent) -> SafeString:
        """Return the number of firings."""
        if event.count == 1:
            return format_html('<span class="signals-single">{}</span>', 1)
        return format_html(
            '<span class="signals-count">{} {}</span>', TIMES, number_format(event.count)
        )
