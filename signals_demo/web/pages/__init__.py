"""The pages of the log beside its list of events: a module each, with a function `show`."""

from django.utils.translation import gettext_lazy as _

from signals_demo.tracing import ignored
from signals_demo.web.page import Page
from signals_demo.web.pages import (
    export,
    guide,
    live,
    overview,
    person,
    receivers,
    requests,
    trace,
    trace_download,
)

PAGES: tuple[Page, ...] = (
    Page(overview.NAME, "overview/", overview.show, _("Overview")),
    Page("requests", "requests/", requests.show, _("Requests")),
    Page("live", "live/", live.show, _("Live")),
    Page(ignored.NAME, ignored.ROUTE, live.news_of, is_recorded=False),
    Page("receivers", "receivers/", receivers.show, _("Receivers")),
    Page("guide", "guide/", guide.show, _("Guide")),
    Page("person", "people/<str:actor_pk>/", person.show),
    Page(trace.NAME, "traces/<str:trace_id>/", trace.show),
    Page(trace.DOWNLOAD, "traces/<str:trace_id>/trace.json", trace_download.show),
    Page("export", "export/", export.show),
)
