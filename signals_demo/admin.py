"""The log in the admin: you can read and search it, but not change it."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ERROR_FLAG, ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_demo.models import SignalEvent
from signals_demo.query.search import FORMS
from signals_demo.web.base_page import LogAdmin, refused
from signals_demo.web.change_list import EventList
from signals_demo.web.columns import Columns
from signals_demo.web.history_mixin import SignalHistoryMixin
from signals_demo.web.list_filters import SIDEBAR, VIEW_VAR
from signals_demo.web.pages import EVENT_PAGE, PAGES
from signals_demo.web.streaming import event_file

__all__ = ["SignalEventAdmin", "SignalHistoryMixin"]


@admin.register(SignalEvent)
class SignalEventAdmin(LogAdmin):
    """The list of events and the page of each; none can be added, changed or deleted."""

    pages = PAGES
    actions = ("download_csv", "download_json_lines")
    empty_value_display = ""
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

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Return the columns of the list."""
        return [*Columns(self.links).of_view(request.GET.get(VIEW_VAR, ""))]

    def get_list_display_links(
        self, request: HttpRequest, list_display: Sequence[Any]
    ) -> list[Any]:
        """Return the column that leads to the page of the event."""
        return [list_display[1]]

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
            **self.frame(request),
            "search_forms": FORMS,
            "was_refused": ERROR_FLAG in request.GET,
            "media": Media(js=["admin/js/actions.js"]),
        }
        return super().changelist_view(request, context | (extra_context or {}))

    @admin.action(description=_("Download selected events as CSV"), permissions=["view"])
    def download_csv(
        self, request: HttpRequest, events: QuerySet[SignalEvent]
    ) -> HttpResponseBase:
        """Send the selected events, in the format of the download of the whole list."""
        return event_file(request, events, "csv", timezone.now())

    @admin.action(description=_("Download selected events as JSON lines"), permissions=["view"])
    def download_json_lines(
        self, request: HttpRequest, events: QuerySet[SignalEvent]
    ) -> HttpResponseBase:
        """Send the selected events, in the format of the download of the whole list."""
        return event_file(request, events, "jsonl", timezone.now())

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one event."""
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        view: Callable[..., HttpResponse] = self.page_view(EVENT_PAGE)
        return view(request, object_id=unquote(object_id))
