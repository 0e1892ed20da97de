"""The pages of the log beside its list of events: a module each, with a function `view`."""

from django.utils.translation import gettext_lazy as _

from signals_demo.tracing import ignored
from signals_demo.web.base_page import EVENT, Page

PAGES: tuple[Page, ...] = (
    Page("overview", "overview/", "overview.view", _("Overview")),
    Page("requests", "requests/", "requests.view", _("Requests")),
    Page("live", "live/", "live.view", _("Live")),
    Page(ignored.NAME, ignored.ROUTE, "live.news", is_recorded=False),
    Page("receivers", "receivers/", "receivers.view", _("Receivers")),
    Page("guide", "guide/", "guide.view", _("Guide")),
    Page("person", "people/<str:actor_pk>/", "person.view"),
    Page("trace", "traces/<str:trace_id>/", "trace.view"),
    Page("trace_download", "traces/<str:trace_id>/trace.json", "trace_download.view"),
    Page("export", "export/", "export.view"),
)
EVENT_PAGE = Page(EVENT, "<path:object_id>/change/", "event.view")
"""Its address is one of the admin's own."""
