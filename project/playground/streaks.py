"""Long streaks of similar events, shortened for the pages."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from signals_demo.models import SignalEvent

SHOWN = 6


def shortened(events: Iterable[SignalEvent]) -> Iterator[SignalEvent]:
    """Yield the events; the rest of a long streak becomes one event per signal, with a `count`."""
    for _, group in groupby(events, key=_kind):
        streak = list(group)
        yield from streak[:SHOWN]
        rest: dict[str, list[SignalEvent]] = {}
        for event in streak[SHOWN:]:
            rest.setdefault(event.signal, []).append(event)
        for signal, similar in rest.items():
            yield similar[0] if len(similar) == 1 else _together(signal, similar)


def _kind(event: SignalEvent) -> tuple[int, str]:
    if event.signal in ("pre_init", "post_init"):
        return event.depth, event.sender
    return event.depth, event.signal


def _together(signal: str, events: list[SignalEvent]) -> SignalEvent:
    senders = {event.sender for event in events}
    return SignalEvent(
        signal=signal,
        sender=senders.pop() if len(senders) == 1 else "",
        depth=events[0].depth,
        count=sum(event.count for event in events),
    )
