"""The contract of a destination for events."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.checks import CheckMessage

from signals_demo.events import Attribution, Resolution, Row


class NotReady(Exception):  # noqa: N818
    """The destination cannot take events for now, and that is no fault: they are kept."""


class BaseSink(ABC):
    """A destination, made once per process from its entry in `SINKS`.

    Its methods may run on any thread, in inline mode on several at once; signals that they fire
    are not recorded. Raises TypeError for options it does not know.
    """

    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        self.alias = alias
        self.options = options

    @abstractmethod
    def store(self, rows: Sequence[Row]) -> None:
        """Store rows, in the order in which they were captured.

        Must be idempotent: after an error the same rows come again, some of them stored.
        Raises `NotReady`, or any other exception, to get them later.
        """

    def resolve(self, resolutions: Sequence[Resolution]) -> None:  # noqa: B027
        """Note outcomes that were open when their rows were stored. Must be idempotent."""

    def attribute(self, attributions: Sequence[Attribution]) -> None:  # noqa: B027
        """Note actors that were not known when their rows were stored. Must be idempotent."""

    def finish(self) -> None:  # noqa: B027
        """Store what is kept in memory so far, if anything is: the process ends."""

    def rest(self) -> None:  # noqa: B027
        """Give back what need not be held while nothing happens, such as a connection."""

    def check(self) -> list[CheckMessage]:
        """Return what `manage.py check` should say about the sink's options."""
        return []
