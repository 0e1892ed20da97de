"""Which closing event belongs to which opening one."""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import NamedTuple

from signals_demo import catalog
from signals_demo.models import SignalEvent
from signals_demo.query.tree import N, Tree

_OPENING_OF = {closing: opening for opening, closing in catalog.PAIRS.items()}

Key = tuple[str, str, int]
"""What both events of a pair have in common: opening signal, sender and depth."""


class Half(NamedTuple):
    """An event's part in a pair."""

    key: Key
    opens: bool


def half(event: SignalEvent) -> Half | None:
    """Return what an event opens or closes, or None for one that stands alone."""
    signal = event.signal
    if signal == catalog.LINKS:
        when, _underscore, action = str(event.arguments.get("action")).partition("_")
        if when not in ("pre", "post"):
            return None
        return Half((f"{signal} {action}", event.sender, event.depth), when == "pre")
    opening = _OPENING_OF.get(signal, signal)
    if opening not in catalog.PAIRS:
        return None
    # What sends request_finished need not be what has sent request_started.
    sender = "" if opening == "request_started" else event.sender
    return Half((opening, sender, event.depth), opening == signal)


def closing_signal(event: SignalEvent) -> str:
    """Return the name of the signal that closes what `event` opened."""
    return catalog.PAIRS.get(event.signal, event.signal)


class OpenPairs:
    """The opening events whose closing one has not come yet, of a trace that is read in order.

    Holds at most `limit` of them, and forgets the oldest ones first.
    """

    def __init__(self, limit: int = 1000) -> None:
        self.limit = limit
        self._open: dict[int, tuple[Key, SignalEvent]] = {}
        self._by_key: dict[Key, dict[int, SignalEvent]] = {}

    def __iter__(self) -> Iterator[SignalEvent]:
        return iter([event for _key, event in self._open.values()])

    def opened(self, event: SignalEvent) -> bool:
        """Take in an event, and return whether it opens a pair."""
        part = half(event)
        if part is None or not part.opens:
            return False
        self._open[event.pk] = part.key, event
        self._by_key.setdefault(part.key, {})[event.pk] = event
        return True

    def forgotten(self) -> Iterator[SignalEvent]:
        """Let go of the oldest events above the limit, and return them."""
        while len(self._open) > self.limit:
            yield self._remove(next(iter(self._open)))

    def closed_by(self, event: SignalEvent) -> SignalEvent | None:
        """Take out and return the opening event of the pair that `event` closes, if it is here.

        A save that failed leaves one open, and pairs of concurrent code cross: so the one that
        began when the closing event says it did is taken, the latest if it does not say.
        """
        part = half(event)
        if part is None or part.opens:
            return None
        fitting = [
            each
            for each in self._by_key.get(part.key, {}).values()
            if each.object_pk in ("", event.object_pk)
        ]
        if not fitting:
            return None
        began = event.occurred_at - (event.duration or timedelta())
        nearest = min(reversed(fitting), key=lambda each: abs(each.occurred_at - began))
        return self._remove(nearest.pk)

    def _remove(self, pk: int) -> SignalEvent:
        key, event = self._open.pop(pk)
        del self._by_key[key][pk]
        if not self._by_key[key]:
            del self._by_key[key]
        return event


def paired(events: Iterable[SignalEvent], tree: Tree[N]) -> list[N]:
    """Return the events of one trace as the nodes of a tree, a pair as one node."""
    waiting = OpenPairs()
    closings: dict[int, SignalEvent] = {}
    others = []
    for event in events:
        opening = waiting.closed_by(event)
        if opening is None:
            waiting.opened(event)
            others.append(event)
        else:
            closings[opening.pk] = event
    return _closed(tree.extended(others), closings, tree.make)


def _closed(
    nodes: list[N], closings: dict[int, SignalEvent], make: Callable[[SignalEvent], N]
) -> list[N]:
    for node in nodes:
        closing = closings.get(node.event.pk)
        node.closing = make(closing) if closing else None
        _closed(node.children, closings, make)
    return nodes
