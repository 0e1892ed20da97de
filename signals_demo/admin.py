"""The log in the admin: to be read and searched, and to be changed by nobody."""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import quote, unquote
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR, SEARCH_VAR, ChangeList
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, connections, transaction
from django.db.models import Model, QuerySet
from django.forms import Media
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import is_aware, localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_demo import presentation
from signals_demo.admin_filters import FILTERS
from signals_demo.builtin import LazyText
from signals_demo.models import SignalEvent
from signals_demo.search import FORMS, Search, model_named, understand

VIEW_VAR = "view"
QUICK_VIEWS: dict[str, tuple[LazyText, tuple[str, ...]]] = {
    "": (_("Everything"), ()),
    "changes": (_("Changes"), ("post_save", "post_delete", "m2m_changed")),
    "logins": (_("Logins"), ("user_logged_in", "user_logged_out", "user_login_failed")),
    "requests": (
        _("Requests"),
        ("request_started", "request_finished", "got_request_exception"),
    ),
    "errors": (_("Errors"), ("got_request_exception", "user_login_failed")),
    "schema": (_("Schema"), ("pre_migrate", "post_migrate")),
}
NEWEST_FIRST = ("-occurred_at", "-sequence", "-pk")

# Each page reads past all the rows before it, so the way back ends somewhere.
LAST_PAGE = 1000
# How much of a trace is shown on each side of an event.
NEIGHBOURS = 100
DEEPEST_INDENT = 8
LONGEST_NAME = 32
TIMES = "\N{MULTIPLICATION SIGN}"


if TYPE_CHECKING:
    EventModelAdmin = admin.ModelAdmin[SignalEvent]
else:
    EventModelAdmin = admin.ModelAdmin


class EventList(ChangeList):
    """A page of events that knows whether more follow, and never how many there are."""

    search: Search | None = None
    view = ""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> Any:
        """Return the events of the quick view, the filters and the search."""
        self.view = self.params.get(VIEW_VAR, "")
        if self.view not in QUICK_VIEWS:
            raise IncorrectLookupParameters
        events = super().get_queryset(request, exclude_parameters)
        if signals := QUICK_VIEWS[self.view][1]:
            events = events.filter(signal__in=signals)
        if not self.query.strip():
            return events
        self.search = understand(self.query)
        if self.search.condition is None:
            return events.none()
        events = events.filter(self.search.condition)
        return events.order_by("position", "sequence", "pk") if self.search.trace_id else events

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        """Return the parameters of the filters; that of the quick views is no filter's."""
        found: dict[str, Any] = super().get_filters_params(params)
        found.pop(VIEW_VAR, None)
        return found

    def get_ordering(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the one order that an index serves, whatever the address asks for."""
        return list(NEWEST_FIRST)

    def get_results(self, request: HttpRequest) -> None:
        """Read the rows of this page and one more, which says that there is a next page."""
        if not 1 <= self.page_num <= LAST_PAGE:
            raise IncorrectLookupParameters
        start = (self.page_num - 1) * self.list_per_page
        rows = list(self.queryset[start : start + self.list_per_page + 1])
        self.has_next = len(rows) > self.list_per_page and self.page_num < LAST_PAGE
        self.result_list = rows[: self.list_per_page]
        # The templates of the admin read these; equal counts hide the number of results.
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_full_result_count = self.show_admin_actions = False
        self.can_show_all = self.multi_page = False
        self.paginator = self.model_admin.get_paginator(
            request, self.result_list, self.list_per_page
        )

    @property
    def tabs(self) -> list[dict[str, Any]]:
        """Return the quick views as links that keep the search and the other filters."""
        return [
            {
                "label": label,
                "url": self.get_query_string({VIEW_VAR: view or None}, ["family", "signal"]),
                "current": view == self.view,
            }
            for view, (label, _signals) in QUICK_VIEWS.items()
        ]

    @property
    def previous_url(self) -> str:
        """Return the address of the page before this one, empty on the first."""
        number = self.page_num - 1
        return self.get_query_string({PAGE_VAR: number}) if number else ""

    @property
    def next_url(self) -> str:
        """Return the address of the page after this one, empty on the last."""
        return self.get_query_string({PAGE_VAR: self.page_num + 1}) if self.has_next else ""

    @property
    def unsearched_url(self) -> str:
        """Return the address of this list without the search."""
        return self.get_query_string(remove=[SEARCH_VAR])


@admin.register(SignalEvent)
class SignalEventAdmin(EventModelAdmin):
    """A list to scan and a page per event; there is no way to add, change or delete one."""

    actions = None
    empty_value_display = ""
    list_display = ("when", "what", "about", "who", "started_by", "became", "how_many")
    list_display_links = ("what",)
    list_filter = FILTERS
    list_per_page = 100
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()
    # Only shows the search box; signals_demo.search says what can be searched.
    search_fields = ("trace_id",)
    search_help_text = _(
        "A trace id, a model such as auth.User, an object such as auth.User 5, an object's key, "
        "a user's login name or a signal."
    )
    change_list_template = "admin/signals_demo/signalevent/change_list.html"

    @property
    def media(self) -> Media:
        """Return the style sheets alone: nothing here needs the admin's form scripts."""
        return Media(css={"all": ["signals_demo/events.css", "signals_demo/admin.css"]})

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: only a signal makes an event."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: what happened does not change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: the log is pruned by age, with a command."""
        return False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Allow the filters alone: a lookup on another column would read the whole table."""
        return lookup in {str(each.parameter_name) for each in FILTERS}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list that does not count."""
        return EventList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[SignalEvent], search_term: str
    ) -> tuple[QuerySet[SignalEvent], bool]:
        """Leave searching to `EventList`, which also says how it understood the text."""
        return queryset, False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list."""
        context = {
            "title": self.opts.app_config.verbose_name,
            "search_forms": FORMS,
            "was_refused": ERROR_FLAG in request.GET,
        }
        return super().changelist_view(request, context | (extra_context or {}))

    # The columns. None is a model field, so the admin offers no order by any of them.

    @admin.display(description=_("time"))
    def when(self, event: SignalEvent) -> SafeString:
        """Return the time to the millisecond."""
        moment = event.occurred_at
        if is_aware(moment):
            moment = localtime(moment)
        return format_html(
            '<time datetime="{}"><b>{}</b> {}</time>',
            moment.isoformat(),
            moment.strftime("%H:%M:%S.%f")[:-3],
            moment.strftime("%Y-%m-%d"),
        )

    @admin.display(description=_("signal"))
    def what(self, event: SignalEvent) -> SafeString:
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
    def about(self, event: SignalEvent) -> SafeString | str:
        """Return the sender and the object; the object leads to its own history."""
        model, key = presentation.object_of(event)
        text = presentation.Node(event).about
        if key and model_named(model):
            query = urlencode({SEARCH_VAR: f"{model} {key}"})
            return format_html('{} <a href="?{}">{}</a>', event.sender, query, text)
        name = presentation.sender_name(event)
        if name == event.sender:
            return f"{name} {text}".strip()
        return format_html('<span title="{}">{}</span> {}', event.sender, name, text)

    @admin.display(description=_("actor"))
    def who(self, event: SignalEvent) -> SafeString | str:
        """Return who did it; the name leads to all that this user did."""
        if not event.actor_pk:
            return event.actor
        query = urlencode({"actor_pk": event.actor_pk})
        return format_html('<a href="?{}">{}</a>', query, event.actor or event.actor_pk)

    @admin.display(description=_("origin"))
    def started_by(self, event: SignalEvent) -> SafeString | str:
        """Return what started the unit of work; it leads to the whole trace."""
        label = event.get_origin_display()
        name = presentation.shortened(event.origin_name, LONGEST_NAME)
        if not event.trace_id:
            return f"{label} {name}"
        return format_html(
            '<span class="signals-quiet">{}</span> <a href="?{}" title="{}">{}</a>',
            label,
            urlencode({SEARCH_VAR: event.trace_id}),
            event.origin_name,
            name or gettext("trace"),
        )

    @admin.display(description=_("outcome"))
    def became(self, event: SignalEvent) -> SafeString | str:
        """Return what became of the transaction."""
        if not event.outcome:
            return ""
        return format_html(
            '<span class="signals-outcome signals-{}">{}</span>',
            event.outcome,
            event.get_outcome_display(),
        )

    @admin.display(description=_("firings"))
    def how_many(self, event: SignalEvent) -> SafeString:
        """Return the number of firings."""
        if event.count == 1:
            return format_html('<span class="signals-single">{}</span>', 1)
        return format_html('<span class="signals-count">{} {}</span>', TIMES, event.count)

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
            "has_view_permission": True,
            "media": self.media,
            "node": presentation.Node(event),
            "changes": presentation.changes(event),
            "arguments": presentation.arguments(event),
            "object_url": self._url_of(request, model_named(model), key),
            "actor_url": self._url_of(request, get_user_model(), event.actor_pk),
            "event_url_name": f"{self.admin_site.name}:signals_demo_signalevent_change",
            "list_url": reverse(f"{self.admin_site.name}:signals_demo_signalevent_changelist"),
            "list_query": request.GET.get("_changelist_filters", ""),
            **self._trace_around(event),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request, "admin/signals_demo/signalevent/change_form.html", context
        )

    def _trace_around(self, event: SignalEvent) -> dict[str, Any]:
        if not event.trace_id:
            return {"nodes": presentation.tree([event])}
        trace = SignalEvent.objects.filter(trace_id=event.trace_id)
        earlier = trace.filter(position__lt=event.position).order_by("-position", "-sequence")
        later = trace.filter(position__gte=event.position).exclude(pk=event.pk)
        before = list(earlier[: NEIGHBOURS + 1])
        after = list(later.order_by("position", "sequence")[: NEIGHBOURS + 1])
        shown = [*reversed(before[:NEIGHBOURS]), event, *after[:NEIGHBOURS]]
        return {
            "nodes": presentation.tree(shown),
            "previous": before[0] if before else None,
            "next": after[0] if after else None,
            "is_part": max(len(before), len(after)) > NEIGHBOURS,
        }

    def _url_of(self, request: HttpRequest, model: type[Model] | None, key: str) -> str:
        """Return the address of an object's page, empty unless this user would see it there."""
        if not key or model is None or not self.admin_site.is_registered(model):
            return ""
        model_admin = self.admin_site.get_model_admin(model)
        if not model_admin.has_view_or_change_permission(request):
            return ""
        opts = model._meta
        name = f"{self.admin_site.name}:{opts.app_label}_{opts.model_name}_change"
        try:
            url = reverse(name, args=[quote(key)])
            pk = opts.pk.to_python(key)
        except (NoReverseMatch, ValidationError):
            return ""
        return url if _exists(model_admin.get_queryset(request).filter(pk=pk)) else ""


def _exists(rows: QuerySet[Any]) -> bool:
    """Return whether there are rows; a table that is not there (yet) has none."""
    block: AbstractContextManager[Any] = nullcontext()
    if connections[rows.db].in_atomic_block:
        block = transaction.atomic(using=rows.db)
    try:
        with block:
            return rows.exists()
    except DatabaseError:
        return False
