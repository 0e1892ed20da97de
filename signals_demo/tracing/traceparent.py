"""The trace id that a request brings along, in a W3C `traceparent` header."""

import re

_TRACEPARENT = r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?"


def trace_id_of(traceparent: str) -> str:
    """Return the trace id of a W3C `traceparent` header, or "" if it is not a valid one."""
    match = re.fullmatch(_TRACEPARENT, traceparent.strip())
    if match is None:
        return ""
    version, trace_id, parent_id, more = match.groups()
    if version == "ff" or (version == "00" and more):
        return ""
    return trace_id if int(trace_id, 16) and int(parent_id, 16) else ""
