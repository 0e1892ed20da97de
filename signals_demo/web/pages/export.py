"""The events that the list shows, as a file to keep."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext

from signals_demo.query.export import COLUMNS, FORMATS
from signals_demo.query.filters import NotUnderstood, Row, in_address
from signals_demo.web.page import LogAdmin, refused

_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


def show(log: LogAdmin, request: HttpRequest) -> HttpResponseBase:
    """Send the events that the address of the list selects, as they are read."""
    wanted = request.GET.get("format", "csv")
    try:
        if wanted not in FORMATS:
            raise NotUnderstood(gettext("There is no such format. Use csv or jsonl."))
        now = timezone.now()
        selection = in_address(request.GET)
        selection = replace(selection, until=min(selection.until or now, now))
        rows = selection.rows(COLUMNS)
    except NotUnderstood as error:
        return refused(error)
    return as_file(request, iter(()) if request.method == "HEAD" else rows, wanted, now)


def as_file(
    request: HttpRequest, rows: Iterator[Row], wanted: str, now: datetime
) -> HttpResponseBase:
    """Return rows that hold `COLUMNS` as a file of one of the `FORMATS`, sent as they are read."""
    pieces = FORMATS[wanted](rows)
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
