"""What a page with a timeline has: tabs, a stretch of events, and links that go on."""

from collections.abc import Mapping
from typing import Any

from django.contrib.admin import AdminSite
from django.db.models import Q
from django.http import Http404, HttpRequest
from django.utils.translation import gettext

from signals_demo.catalog.types import LazyText
from signals_demo.query.history import History
from signals_demo.query.keyset import NEWEST_FIRST, Cursor, NotACursor
from signals_demo.web.links import Links
from signals_demo.web.object_names import Reader, name_objects
from signals_demo.web.timeline import days

SIZE = 50
SHOW_VAR = "show"
BEFORE_VAR = "before"

Views = Mapping[str, tuple[LazyText, Q]]
"""The tabs by their name in the address: label, and the condition for what they show."""


def chosen(request: HttpRequest, views: Views) -> str:
    """Return the name of the view that an address asks for. Raises `Http404` for another."""
    name = request.GET.get(SHOW_VAR, "")
    if name not in views:
        raise Http404(gettext("There is no such history view."))
    return name


def tabs(views: Views, current: str) -> list[dict[str, Any]]:
    """Return the views as links."""
    return [
        {"label": label, "url": f"?{SHOW_VAR}={name}" if name else "?", "current": name == current}
        for name, (label, _wanted) in views.items()
    ]


def events_shown(
    request: HttpRequest, recorded: History, views: Views, site: AdminSite
) -> dict[str, Any]:
    """Return what the templates of a timeline and of the links below it render."""
    name = chosen(request, views)
    before = _before(request)
    stretch = recorded.read(SIZE, before, views[name][1])
    name_objects(stretch.events, Reader(request, site))
    return {
        "stretch": stretch,
        "days": days(stretch.events, Links(site.name)),
        "kept_query": f"{SHOW_VAR}={name}&" if name else "",
        "has_newer": before is not None,
    }


def _before(request: HttpRequest) -> Cursor | None:
    text = request.GET.get(BEFORE_VAR)
    try:
        return None if text is None else NEWEST_FIRST.read(text)
    except NotACursor as error:
        raise Http404(gettext("There is no such page.")) from error
