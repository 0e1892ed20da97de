"""A sink that stores nothing: what is left is what capturing costs."""

from collections.abc import Sequence
from typing import Any

from signals_demo.sinks import BaseSink


class Nowhere(BaseSink):
    def store(self, rows: Sequence[Any]) -> None:
        pass

    def resolve(self, resolutions: Sequence[Any]) -> None:
        pass

    def attribute(self, attributions: Sequence[Any]) -> None:
        pass
