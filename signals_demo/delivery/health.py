"""How the recorder of this process is. It works where nothing of the recorder is loaded."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from signals_demo.faults import faults


class Health(NamedTuple):
    """How the recorder of this process is, in events; `journal` is in bytes, None without one."""

    waiting: int = 0
    stored: int = 0
    lost: int = 0
    """Firings that were dropped because too much was waiting, or that a sink has refused."""
    trouble: str = ""
    """Why what is waiting cannot be stored at present."""
    faults: Mapping[str, int] = faults
    """What could not be recorded at all, by kind."""
    journal: int | None = None
    held_up: float = 0.0
    """Seconds for which the project's threads were slowed down, because too much was waiting."""


_sources: list[Callable[[], Health]] = []


def set_source(source: Callable[[], Health]) -> None:
    """Have `health` ask this function."""
    _sources[:] = [source]


def health() -> Health:
    """Return how the recorder of this process is; without one, that nothing waits."""
    return _sources[0]() if _sources else Health()
