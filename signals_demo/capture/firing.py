"""A firing of a signal that is not about a known model, and the way to record one by itself."""

from types import FrameType
from typing import Any, NamedTuple

from signals_demo.capture.call_sites import call_site
from signals_demo.capture.pairs import current_scope
from signals_demo.capture.recorder import record
from signals_demo.conf import Config
from signals_demo.serialize.arguments import Describer, Description, Named


class Firing(NamedTuple):
    """One `send` of a signal, as its receiver sees it."""

    name: str
    sender: Any
    named: Named
    describer: Describer
    config: Config
    frame: FrameType
    """The code that called the receiver: `Signal.send`."""

    def description(self) -> Description:
        """Return what it was about."""
        return self.describer(self.sender, self.named, self.config)


def record_alone(firing: Firing) -> None:
    """Record a firing that is no part of a pair."""
    about = firing.description()
    scope = current_scope()
    site = call_site(firing.frame) if firing.config.call_sites else None
    record(firing.name, scope.trace, about, scope.depth, site=site)
