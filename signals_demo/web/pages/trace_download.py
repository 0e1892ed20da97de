"""A trace as a file for Perfetto, chrome://tracing and speedscope."""

from itertools import chain

from django.http import HttpRequest, HttpResponseBase

from signals_demo.query import trace_parts
from signals_demo.query.parsing import trace_id_in
from signals_demo.web.base_page import LogAdmin
from signals_demo.web.pages import trace
from signals_demo.web.streaming import attachment
from signals_demo.web.trace_event_format import as_json

AT_A_TIME = 500


def view(log: LogAdmin, request: HttpRequest, trace_id: str) -> HttpResponseBase:
    """Send a trace as a file, so many events at a time."""
    known = trace_id_in(trace_id)
    chunks = iter(trace_parts.chunks(trace_parts.Whole(known), AT_A_TIME))
    first = next(chunks) if known else []
    if not first:
        return trace.unknown(log, request, trace_id)

    events = chain(first, chain.from_iterable(chunks))
    pieces = as_json(first[0], events)
    return attachment(request, pieces, f"trace-{known}.json", "application/json")
