"""The events that the list shows, as a file to keep."""

from collections.abc import Iterator
from datetime import datetime

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext

from signals_demo.query.export import FORMATS, Row, rows
from signals_demo.query.parsing import NotUnderstood
from signals_demo.query.selection import from_address
from signals_demo.web.page import LogAdmin, refused
from signals_demo.web.streaming import attachment

_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


def show(log: LogAdmin, request: HttpRequest) -> HttpResponseBase:
    """Send the events that the address of the list selects, as they are read."""
    wanted = request.GET.get("format", "csv")
    try:
        if wanted not in FORMATS:
            raise NotUnderstood(gettext("There is no such format. Use csv or jsonl."))
        now = timezone.now()
        events = from_address(request.GET).until(now).events()
    except NotUnderstood as error:
        return refused(error)
    return as_file(request, rows(events), wanted, now)


def as_file(
    request: HttpRequest, found: Iterator[Row], wanted: str, now: datetime
) -> HttpResponseBase:
    """Return rows as a file of one of the `FORMATS`, sent as they are read."""
    name = f"events-{now:%Y-%m-%d-%H%M%S}.{wanted}"
    return attachment(request, FORMATS[wanted](found), name, _TYPES[wanted])
