"""An object's page "History" in the admin, with all that its signals tell."""

from typing import TYPE_CHECKING, Any

from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import PAGE_VAR
from django.db.models import Model, Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from signals_demo.query.history import of_object
from signals_demo.rollups.traces import IS_CHANGE
from signals_demo.web.history_tabs import Views, chosen, events_shown, tabs
from signals_demo.web.links import may_read

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    AnyModelAdmin = ModelAdmin[Any]
else:
    AnyModelAdmin = object

OWN = "admin"
VIEWS: Views = {
    "": (_("Changes"), IS_CHANGE),
    "all": (_("All firings"), Q()),
    OWN: (_("Admin history"), Q()),
}


class SignalHistoryMixin(AnyModelAdmin):
    """Put it before `ModelAdmin`: the page "History" then shows what signals tell of the object.

    Django's own page stays, in a tab, and is all that users without the permission
    `signals_demo.view_signalevent` see.
    """

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what the object has been through, if Django and the permission allow it."""
        response = super().history_view(request, object_id, extra_context)
        if isinstance(response, TemplateResponse) and may_read(request.user):
            instance = self._instance(request, object_id, response)
            if instance is not None:
                self._add_signals(request, response, instance)
        return response

    def _instance(
        self, request: HttpRequest, object_id: str, response: TemplateResponse
    ) -> Model | None:
        """Return the object of a page, which another package's page may call as it likes."""
        named = (response.context_data or {}).get("object")
        if isinstance(named, Model):
            return named
        found: Model | None = self.get_object(request, unquote(object_id))
        return found

    def _add_signals(
        self, request: HttpRequest, response: TemplateResponse, instance: Model
    ) -> None:
        # The links to the pages of Django's own list do not name the tab that it is in.
        view = OWN if PAGE_VAR in request.GET else chosen(request, VIEWS)
        template: Any = response.resolve_template(response.template_name)
        context = response.context_data or {}
        context |= {"own_template": template.template, "signal_tabs": tabs(VIEWS, view)}
        context["stretch"] = None
        if view != OWN:
            recorded = of_object(instance)
            context |= events_shown(request, recorded, VIEWS, self.admin_site)
        response.context_data = context
        response.template_name = "admin/signals_demo/object_signals.html"
