"""How the recorder of this process is. It works where nothing of the recorder is loaded."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from signals_demo.faults import faults

EVENTS_LOST = "signals_demo.events_lost"
"""The signal of the events that stand for lost ones: `count` says how many."""


class Health(NamedTuple):
    """How the recorder of this process is, in events; `journal` is in bytes, None without one."""

    waiting: int = 0
    stored: int = 0
    lost: int = 0
    trouble: str = ""
    """Why what is waiting cannot be stored at present."""
    faults: Mapping[str, int] = faults
    """What could not be recorded at all, by kind."""
    journal: int | None = None


_sources: list[Callable[[], Health]] = []


def set_source(source: Callable[[], Health]) -> None:
    """Have `health` ask this function."""
    _sources[:] = [source]


def health() -> Health:
    """Return how the recorder of this process is; without one, that nothing waits."""
    return _sources[0]() if _sources else Health()
