"""Test signals: what fired, in which order, and which receivers ran; mute receivers.

Nothing here stores events or needs a database. docs/testing.md has an example of each.
"""

from signals_demo.testing.assertions import SignalTestMixin
from signals_demo.testing.captures import Capture, capture_signals
from signals_demo.testing.events import CapturedEvent
from signals_demo.testing.filters import Filter, fired
from signals_demo.testing.muting import muted
from signals_demo.testing.receiver_runs import ReceiverRun, ReceiverRuns, receivers_run

__all__ = [
    "Capture",
    "CapturedEvent",
    "Filter",
    "ReceiverRun",
    "ReceiverRuns",
    "SignalTestMixin",
    "capture_signals",
    "fired",
    "muted",
    "receivers_run",
]
