"""Files that are sent while they are made, under WSGI and ASGI."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

from signals_demo.models import SignalEvent
from signals_demo.query.export import FORMATS, rows

_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


def event_file(
    request: HttpRequest, events: QuerySet[SignalEvent], wanted: str, now: datetime
) -> HttpResponseBase:
    """Return events as a file of one of the `FORMATS`, sent as they are read."""
    name = f"events-{now:%Y-%m-%d-%H%M%S}.{wanted}"
    return attachment(request, FORMATS[wanted](rows(events)), name, _TYPES[wanted])


def attachment(
    request: HttpRequest, pieces: Iterator[str], name: str, content_type: str
) -> HttpResponseBase:
    """Return a file of this name, in pieces of text of which none is empty."""
    if request.method == "HEAD":
        pieces = iter(())
    return StreamingHttpResponse(
        _awaited(pieces) if isinstance(request, ASGIRequest) else pieces,
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _awaited(pieces: Iterator[str]) -> AsyncIterator[str]:
    # Under ASGI Django would collect all that an ordinary iterator yields before it sends any.
    while piece := await sync_to_async(lambda: next(pieces, ""))():
        yield piece
