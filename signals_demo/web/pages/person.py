"""What one person did: changes and logins in place, newest first."""

from urllib.parse import urlencode

from django.contrib.admin.utils import unquote
from django.contrib.auth import get_user_model
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_demo.query.history import of_person
from signals_demo.rollups.traces import IS_CHANGE
from signals_demo.web.base_page import LIST, LogAdmin, render
from signals_demo.web.history_tabs import Views, chosen, events_shown, tabs

_DEEDS = (
    "user_logged_in",
    "user_logged_out",
    "got_request_exception",
    "task_enqueued",
    "post_migrate",
)
VIEWS: Views = {
    "": (_("Actions"), IS_CHANGE | Q(signal__in=_DEEDS)),
    "requests": (_("Requests"), Q(signal__in=("request_started", "got_request_exception"))),
    "all": (_("All firings"), Q()),
}


def view(log: LogAdmin, request: HttpRequest, actor_pk: str) -> HttpResponse:
    """Show what the user with this key did."""
    actor_pk = unquote(actor_pk)
    recorded = of_person(actor_pk)
    view = chosen(request, VIEWS)
    latest, earliest = recorded.ends() if "\0" not in actor_pk else (None, None)
    if latest is None:
        raise Http404(gettext("No events are recorded for this user."))
    return render(
        log,
        request,
        "admin/signals_demo/person.html",
        gettext("Activity of {name}").format(name=latest.actor or actor_pk),
        latest=latest,
        earliest=earliest,
        user_url=log.object_url(request, get_user_model(), actor_pk),
        events_url=f"{log.url_of(LIST)}?{urlencode({'actor_pk': actor_pk})}",
        tabs=tabs(VIEWS, view),
        **events_shown(request, recorded, VIEWS, log.admin_site),
    )
