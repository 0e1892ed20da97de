"""Receivers for a block, and the shape of what fired."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.dispatch import Signal

from signals_demo.events import Row
from signals_demo.models import SignalEvent

Shape = list[tuple[int, str]]


@contextmanager
def connected(
    signal: Signal, receiver: Callable[..., object], sender: Any = None
) -> Iterator[None]:
    signal.connect(receiver, sender=sender, weak=False)
    try:
        yield
    finally:
        signal.disconnect(receiver, sender=sender)


def shape(rows: list[Row] | list[SignalEvent], *leave_out: str) -> Shape:
    """Return depth and signal of each row, except of init signals."""
    return [
        (row.depth, f"{row.signal} {row.sender.rpartition('.')[2]}".strip())
        for row in rows
        if row.signal not in ("pre_init", "post_init", *leave_out)
    ]
