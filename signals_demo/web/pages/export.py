"""The events that the list shows, as a file to keep."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext

from signals_demo.query.export import FORMATS, Row, rows
from signals_demo.query.parsing import NotUnderstood
from signals_demo.query.selection import in_address
from signals_demo.web.page import LogAdmin, refused

_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


def show(log: LogAdmin, request: HttpRequest) -> HttpResponseBase:
    """Send the events that the address of the list selects, as they are read."""
    wanted = request.GET.get("format", "csv")
    try:
        if wanted not in FORMATS:
            raise NotUnderstood(gettext("There is no such format. Use csv or jsonl."))
        now = timezone.now()
        events = in_address(request.GET).until(now).events()
    except NotUnderstood as error:
        return refused(error)
    found = iter(()) if request.method == "HEAD" else rows(events)
    return as_file(request, found, wanted, now)


def as_file(
    request: HttpRequest, found: Iterator[Row], wanted: str, now: datetime
) -> HttpResponseBase:
    """Return rows as a file of one of the `FORMATS`, sent as they are read."""
    pieces = FORMATS[wanted](found)
    return StreamingHttpResponse(
        _one_by_one(pieces) if isinstance(request, ASGIRequest) else pieces,
        content_type=_TYPES[wanted],
        headers={
            "Content-Disposition": f'attachment; filename="events-{now:%Y-%m-%d-%H%M%S}.{wanted}"'
        },
    )


async def _one_by_one(pieces: Iterator[str]) -> AsyncIterator[str]:
    # Under ASGI Django would collect all that an ordinary iterator yields before it sends any.
    while piece := await sync_to_async(_next)(pieces):
        yield piece


def _next(pieces: Iterator[str]) -> str:
    return next(pieces, "")
