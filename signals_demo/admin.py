"""The log in the admin: you can read and search it, but not change it."""

import re
from typing import Any
from urllib.parse import urlencode

import django
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import quote, unquote
from django.contrib.admin.views.main import ERROR_FLAG, SEARCH_VAR, ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import Media
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_demo.conf import config
from signals_demo.models import SignalEvent
from signals_demo.query.export import rows
from signals_demo.query.keyset import AS_FIRED
from signals_demo.query.search import FORMS
from signals_demo.serialize.model_info import model_named
from signals_demo.serialize.redaction import MASK
from signals_demo.web import presentation
from signals_demo.web.change_list import EventList
from signals_demo.web.list_filters import SIDEBAR
from signals_demo.web.page import LIST, LogAdmin, refused
from signals_demo.web.pages import PAGES, trace
from signals_demo.web.pages.export import as_file

# How much of a trace is shown on each side of an event.
NEIGHBOURS = 100
DEEPEST_INDENT = 8
LONGEST_NAME = 32


@admin.register(SignalEvent)
class SignalEventAdmin(LogAdmin):
    """The list of events and the page of each; none can be added, changed or deleted."""

    pages = PAGES
    actions = ("download_csv", "download_json_lines")
    empty_value_display = ""
    list_display = (
        "time",
        "signal_badge",
        "subject",
        "actor_link",
        "origin_link",
        "outcome_badge",
        "firings",
    )
    list_display_links = ("signal_badge",)
    list_filter = SIDEBAR
    list_per_page = 100
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()
    # Only shows the search box; signals_demo.query.search says what can be searched.
    search_fields = ("trace_id",)
    search_help_text = _(
        "Search for a trace id, a model (auth.User), an object (auth.User 5), an object key, a "
        "username or a signal."
    )
    change_list_template = "admin/signals_demo/signalevent/change_list.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: only signals create events."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: an event is a record of what happened."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: an event is a record of what happened."""
        return False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Allow the filters alone: a lookup on another column would read the whole table."""
        return lookup in {each.parameter_name for each in SIDEBAR}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list that does not count rows."""
        return EventList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[SignalEvent], search_term: str
    ) -> tuple[QuerySet[SignalEvent], bool]:
        """Leave the search to `EventList`, which also reports how it understood the text."""
        return queryset, False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list."""
        if ERROR_FLAG in request.GET and len(request.GET) > 1:
            # If another parameter is wrong too, Django would blame the database.
            return HttpResponseRedirect(f"?{ERROR_FLAG}=1")
        ticked = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if not all(re.fullmatch(r"[0-9]{1,18}", key) for key in ticked):
            return refused(gettext("There is no such event."))
        context = {
            "title": self.opts.app_config.verbose_name,
            "navigation": self.navigation(request),
            "is_switched_off": not config().enabled,
            "search_forms": FORMS,
            "was_refused": ERROR_FLAG in request.GET,
            "media": Media(js=["admin/js/actions.js"]),
        }
        return super().changelist_view(request, context | (extra_context or {}))

    # Actions on the selected events.

    @admin.action(description=_("Download selected events as CSV"), permissions=["view"])
    def download_csv(
        self, request: HttpRequest, events: QuerySet[SignalEvent]
    ) -> HttpResponseBase:
        """Send the selected events, in the format of the download of the whole list."""
        return as_file(request, rows(events), "csv", timezone.now())

    @admin.action(description=_("Download selected events as JSON lines"), permissions=["view"])
    def download_json_lines(
        self, request: HttpRequest, events: QuerySet[SignalEvent]
    ) -> HttpResponseBase:
        """Send the selected events, in the format of the download of the whole list."""
        return as_file(request, rows(events), "jsonl", timezone.now())

    # The columns. None has the name of a model field, so the admin offers no sorting.

    @admin.display(description=_("time"))
    def time(self, event: SignalEvent) -> SafeString:
        """Return the time to the millisecond, finer than the formats of languages."""
        moment = presentation.local(event.occurred_at)
        return format_html(
            '<time datetime="{}"><b>{}</b> {}</time>',
            moment.isoformat(),
            moment.strftime("%H:%M:%S.%f")[:-3],
            date_format(moment),
        )

    @admin.display(description=_("signal"))
    def signal_badge(self, event: SignalEvent) -> SafeString:
        """Return the signal in its family's colour."""
        node = presentation.Node(event)
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
        model, key = presentation.object_of(event)
        text = presentation.Node(event).about
        if key not in ("", MASK) and model_named(model):
            query = urlencode({SEARCH_VAR: f"{model} {key}"})
            return format_html('{} <a href="?{}">{}</a>', event.sender, query, text)
        name = presentation.sender_name(event.sender)
        if name == event.sender:
            return f"{name} {text}".strip()
        return format_html('<span title="{}">{}</span> {}', event.sender, name, text)

    @admin.display(description=_("actor"))
    def actor_link(self, event: SignalEvent) -> SafeString | str:
        """Return the actor, with a link to all that this user did."""
        url = self._url_of_person(event)
        if not url:
            return event.actor
        return format_html('<a href="{}">{}</a>', url, event.actor or event.actor_pk)

    @admin.display(description=_("origin"))
    def origin_link(self, event: SignalEvent) -> SafeString | str:
        """Return what started the trace, with a link to the whole trace."""
        label = event.get_origin_display()
        name = presentation.breakable(presentation.shortened(event.origin_name, LONGEST_NAME))
        if not trace.url_of(self, event):
            return format_html("{} {}", label, name)
        return format_html(
            '<span class="signals-quiet">{}</span> <a href="{}" title="{}">{}</a>',
            label,
            trace.url_of(self, event),
            event.origin_name,
            name or gettext("trace"),
        )

    @admin.display(description=_("outcome"))
    def outcome_badge(self, event: SignalEvent) -> SafeString | str:
        """Return the outcome of the transaction."""
        if not event.outcome:
            return ""
        return format_html(
            '<span class="signals-outcome signals-{}">{}</span>',
            event.outcome,
            event.get_outcome_display(),
        )

    @admin.display(description=_("firings"))
    def firings(self, event: SignalEvent) -> SafeString:
        """Return the number of firings."""
        if event.count == 1:
            return format_html('<span class="signals-single">{}</span>', 1)
        return format_html(
            '<span class="signals-count">{} {}</span>',
            presentation.TIMES,
            number_format(event.count),
        )

    # The page of one event.

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one event, what is known about its signal, and the trace around it."""
        if not self.has_view_permission(request) or request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        event = self.get_object(request, unquote(object_id))
        if event is None:
            raise Http404(gettext("There is no such event."))
        model, key = presentation.object_of(event)
        context = {
            **self.admin_site.each_context(request),
            "title": presentation.short_name(event.signal),
            "subtitle": None,
            "opts": self.opts,
            "original": event,
            "is_switched_off": not config().enabled,
            "crumbs_are_a_list": django.VERSION >= (6, 1),
            "node": presentation.Node(event),
            "changes": presentation.changes(event),
            "arguments": presentation.arguments(event),
            "object_url": self.object_url(request, model_named(model), key),
            "person_url": self._url_of_person(event),
            "event_url_name": f"{self.admin_site.name}:signals_demo_signalevent_change",
            "guide_url": self.url_of("guide"),
            "list_url": self.url_of(LIST),
            "navigation": self.navigation(request),
            "trace_url": trace.url_at(self, event),
            "list_query": request.GET.get("_changelist_filters", ""),
            **self._trace_around(event),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/signals_demo/event.html", context)

    def _url_of_person(self, event: SignalEvent) -> str:
        return self.url_of("person", quote(event.actor_pk)) if event.actor_pk else ""

    def _trace_around(self, event: SignalEvent) -> dict[str, Any]:
        if not event.trace_id:
            return {
                "nodes": presentation.tree([event]),
                "previous": None,
                "next": None,
                "is_part": False,
            }
        trace = SignalEvent.objects.filter(trace_id=event.trace_id)
        here = AS_FIRED.of(event)
        before, after = (
            list(trace.filter(order.after(here)).order_by(*order.fields)[: NEIGHBOURS + 1])
            for order in (AS_FIRED.reversed(), AS_FIRED)
        )
        shown = [*reversed(before[:NEIGHBOURS]), event, *after[:NEIGHBOURS]]
        return {
            "nodes": presentation.tree(shown),
            "previous": before[0] if before else None,
            "next": after[0] if after else None,
            "is_part": max(len(before), len(after)) > NEIGHBOURS,
        }
