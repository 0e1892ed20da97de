"""What the pages of the log have in common: their address, who may see them, their frame."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import django
from django.contrib import admin
from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError
from django.db.models import Model, QuerySet
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseBase,
    HttpResponseNotAllowed,
)
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from signals_demo.catalog.types import LazyText
from signals_demo.conf import config
from signals_demo.models import SignalEvent
from signals_demo.query.isolated import isolated
from signals_demo.tracing.api import suppress
from signals_demo.web.links import Links
from signals_demo.web.object_names import Reader, name_objects
from signals_demo.web.static_files import are_collected
from signals_demo.web.themes import is_djangos

if TYPE_CHECKING:
    EventModelAdmin = admin.ModelAdmin[SignalEvent]
else:
    EventModelAdmin = admin.ModelAdmin

View = Callable[..., HttpResponseBase]
"""Takes the `LogAdmin`, the request, and the captures of its route by name."""

LIST = "changelist"
EVENT = "change"
BASE = "admin/base.html"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the log; `route` begins where the address of the list ends."""

    name: str
    route: str
    view: str
    """A function in `signals_demo.web.pages`, imported when the page is first asked for."""
    label: LazyText = ""
    """What the navigation calls it; nothing for a page that others lead to."""
    is_recorded: bool = True
    """Whether signals that fire for it become events."""


def full_name(name: str) -> str:
    """Return the name of the URL pattern of a page."""
    return f"signals_demo_signalevent_{name}"


class LogAdmin(EventModelAdmin):
    """The model admin of the log, with pages beside its list."""

    pages: ClassVar[tuple[Page, ...]] = ()

    def get_urls(self) -> list[URLPattern]:
        """Return the addresses of the pages, then those that the admin knows."""
        return [*map(self._url_pattern, self.pages), *super().get_urls()]

    def _url_pattern(self, page: Page) -> URLPattern:
        view = self.admin_site.admin_view(self.page_view(page))
        if not page.is_recorded:
            view = suppress()(view)
        return path(page.route, view, name=full_name(page.name))

    def page_view(self, page: Page) -> Callable[..., Any]:
        """Return the view of a page, which takes the request and the captures of its route."""

        def guarded(request: HttpRequest, **captures: Any) -> HttpResponseBase:
            if request.method not in ("GET", "HEAD"):
                return HttpResponseNotAllowed(["GET", "HEAD"])
            if not self.has_view_permission(request):
                raise PermissionDenied
            request.current_app = self.admin_site.name
            view: View = import_string(f"signals_demo.web.pages.{page.view}")
            return view(self, request, **captures)

        return guarded

    def url_of(self, name: str, *args: Any) -> str:
        """Return the address of a page, of the list (`LIST`) or of an event (`EVENT`)."""
        return reverse(f"{self.admin_site.name}:{full_name(name)}", args=args)

    @property
    def links(self) -> Links:
        """Return the addresses of what events name."""
        return Links(self.admin_site.name)

    def name_objects(self, request: HttpRequest, events: Iterable[SignalEvent]) -> None:
        """Give the events of a page the names of what they refer to."""
        name_objects(events, Reader(request, self.admin_site))

    def frame(self, request: HttpRequest) -> dict[str, Any]:
        """Return what each page of the log, its list included, shows around its content."""
        return {
            "navigation": self.navigation(request),
            "is_switched_off": not config().enabled,
            "is_themed": not is_djangos(BASE),
            "lacks_files": not are_collected(),
        }

    def navigation(self, request: HttpRequest) -> list[dict[str, Any]]:
        """Return the pages that the navigation offers, `current` the one that is asked for."""
        match = request.resolver_match
        asked_for = match.url_name if match else None
        offered = [(LIST, _("Events")), *((page.name, page.label) for page in self.pages)]
        return [
            {"label": label, "url": self.url_of(name), "current": full_name(name) == asked_for}
            for name, label in offered
            if label
        ]

    def object_url(self, request: HttpRequest, model: type[Model] | None, key: str) -> str:
        """Return the address of an object's page, empty unless this user would see it there."""
        if not key or model is None or not self.admin_site.is_registered(model):
            return ""
        rows = Reader(request, self.admin_site).rows(model)
        if rows is None:
            return ""
        opts = model._meta
        name = f"{self.admin_site.name}:{opts.app_label}_{opts.model_name}_change"
        try:
            url = reverse(name, args=[quote(key)])
            pk = opts.pk.to_python(key)
        except (NoReverseMatch, ValidationError):
            return ""
        return url if _exists(rows.filter(pk=pk)) else ""


def _exists(rows: QuerySet[Any]) -> bool:
    """Return whether there are rows; a table that is not there (yet) has none."""
    try:
        with isolated(rows.db):
            return rows.exists()
    except DatabaseError:
        return False


def refused(error: Exception | str) -> HttpResponse:
    """Return the answer to what asks for something that means nothing."""
    return HttpResponseBadRequest(str(error), content_type="text/plain; charset=utf-8")


def render(
    log: LogAdmin, request: HttpRequest, template: str, title: LazyText, **context: Any
) -> HttpResponse:
    """Return a page of the log; `template` extends `admin/signals_demo/page.html`."""
    frame = {
        **log.admin_site.each_context(request),
        **_of_any_admin(log, request),
        **log.frame(request),
        "title": title,
        "list_url": log.url_of(LIST),
        # Django 6.1 styles nothing else, and a theme perhaps neither.
        "crumbs_are_a_list": django.VERSION >= (6, 1) and is_djangos(BASE),
    }
    return TemplateResponse(request, template, frame | context)


def _of_any_admin(log: LogAdmin, request: HttpRequest) -> dict[str, Any]:
    """Return what each page of a `ModelAdmin` has in its context: a theme may read any of it."""
    return {
        "subtitle": None,
        "opts": log.opts,
        "app_label": log.opts.app_label,
        "media": log.media,
        "preserved_filters": log.get_preserved_filters(request),
        "has_view_permission": True,
        **dict.fromkeys(("adminform", "original", "object_id", "to_field", "absolute_url")),
        **dict.fromkeys(_NOT_HERE, False),
        "inline_admin_formsets": [],
        "errors": [],
        "form_url": "",
        "content_type_id": None,
        "is_popup_var": IS_POPUP_VAR,
        "to_field_var": TO_FIELD_VAR,
    }


_NOT_HERE = (
    *("add", "change", "is_popup", "save_as", "save_on_top", "show_save", "show_close"),
    *("show_save_and_continue", "show_save_and_add_another", "show_delete"),
    *("has_add_permission", "has_change_permission", "has_delete_permission"),
    *("has_absolute_url", "has_file_field", "has_editable_inline_admin_formsets"),
)
"""What a form would have or offer: nothing in the log can be changed."""
