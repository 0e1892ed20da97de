"""The events that the list shows, as a file to keep."""

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext

from signals_demo.query.export import FORMATS
from signals_demo.query.parsing import NotUnderstood
from signals_demo.query.selection import from_address
from signals_demo.web.base_page import LogAdmin, refused
from signals_demo.web.streaming import event_file


def view(log: LogAdmin, request: HttpRequest) -> HttpResponseBase:
    """Send the events that the address of the list selects, as they are read."""
    wanted = request.GET.get("format", "csv")
    try:
        if wanted not in FORMATS:
            raise NotUnderstood(gettext("There is no such format. Use csv or jsonl."))
        now = timezone.now()
        events = from_address(request.GET).until(now).events()
    except NotUnderstood as error:
        return refused(error)
    return event_file(request, events, wanted, now)
