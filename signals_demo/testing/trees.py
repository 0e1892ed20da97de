"""Captured events as text that is the same in each run."""

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from signals_demo.query.tree import Node, Tree

if TYPE_CHECKING:
    from signals_demo.testing.events import CapturedEvent

_KEY = re.compile(r"(?<=/)(\d+|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(?=/|$)")


# Their senders mean nothing, or differ between environments.
_SENDERLESS = frozenset({"setting_changed", "template_rendered", "connection_created"})


def tree(events: Iterable["CapturedEvent"], test_trace: str, **shown: bool) -> str:
    """Return events as text, one per line; `test_trace` is the trace of the test itself."""
    lines: list[str] = []
    trees: dict[str, Tree[Node[CapturedEvent]]] = {}
    for event in _in_order(list(events), test_trace):
        level = trees.setdefault(event.span_id, Tree(Node)).add(event)
        lines.append("  " * level + line(event, **shown))
    return "\n".join(lines)


def _in_order(events: list["CapturedEvent"], test_trace: str) -> Iterator["CapturedEvent"]:
    """Yield events in firing order, but each other trace as a whole at its start.

    A request or a thread may end before or after the next step of the test.
    """
    begun: set[str] = set()
    for event in events:
        if event.trace_id == test_trace:
            yield event
        elif event.span_id not in begun:
            begun.add(event.span_id)
            whole = [other for other in events if other.span_id == event.span_id]
            yield from sorted(whole, key=lambda event: event.position)


def line(
    event: "CapturedEvent",
    *,
    ids: bool = False,
    times: bool = False,
    addresses: bool = False,
    changes: bool = False,
    sites: bool = False,
) -> str:
    """Return one event as a line of text."""
    parts = [event.signal, "" if event.signal in _SENDERLESS else _short(event.sender)]
    parts.append(event.object_pk if ids else "")
    note = ", ".join(_notes(event, ids=ids, changes=changes))
    parts.append(f"({note})" if note else "")
    parts.append(f"[{event.outcome.replace('_', ' ')}]" if _is_worth_saying(event) else "")
    if times and event.duration is not None:
        parts.append(f"{event.duration / timedelta(milliseconds=1):.1f} ms")
    parts.append(event.remote_address if addresses else "")
    parts.append(f" at {event.call_site}" if sites and event.call_site else "")
    return " ".join(filter(None, parts))


def _is_worth_saying(event: "CapturedEvent") -> bool:
    return event.outcome in ("rolled_back", "open")


def _short(sender: str) -> str:
    """Return a class without its module; the label of a model stays whole."""
    module, _dot, name = sender.rpartition(".")
    return name if "." in module and name[:1].isupper() else sender


def _notes(event: "CapturedEvent", *, ids: bool, changes: bool) -> list[str]:
    """Return what distinguishes this firing from others of its signal and sender."""
    if event.signal == "request_started":
        name = event.origin_name
        return [name if ids else _KEY.sub("…", name)]
    if event.signal == "connection_created":
        return [event.database]
    given = event.arguments
    notes = ["created"] if given.get("created") is True else []
    notes += [str(given[name]) for name in ("action", "setting", "template") if name in given]
    if event.changes and (changes or (event.signal == "post_save" and not notes)):
        notes += _changed(event.changes, values=changes)
    if event.exception:
        notes.append(event.exception if ids else event.exception.partition(":")[0])
    return notes


def _changed(found: dict[str, list[Any]], *, values: bool) -> list[str]:
    if values:
        return [f"{name}: {old!r} → {new!r}" for name, (old, new) in found.items()]
    return list(found)
