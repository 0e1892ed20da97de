"""The clocks, also while a test has frozen, moved or replaced those of the module `time`.

A test counts each reading as its own, and the worker's thread relies on time that goes on.
"""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import BuiltinFunctionType
from typing import Any

_modules = sys.modules


def _original(name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(time, name)
    if type(function) is not BuiltinFunctionType:  # freezegun is at work during this import
        function = getattr(_modules.get("freezegun.api"), f"real_{name}", function)
    return function


class Clock:
    """The functions of `time` as they were. freezegun replaces what a module holds, not this."""

    __slots__ = ("_time_ns", "monotonic", "perf_counter_ns", "sleep")

    def __init__(self) -> None:
        self.monotonic: Callable[[], float] = _original("monotonic")
        self.perf_counter_ns: Callable[[], int] = _original("perf_counter_ns")
        self.sleep: Callable[[float], None] = _original("sleep")
        self._time_ns: Callable[[], int] = _original("time_ns")

    def time_ns(self) -> int:
        """Return the time, in nanoseconds since the epoch."""
        if "time_machine" in _modules:  # it changes the function itself
            return _time_ns_outside_of_travels(self._time_ns)
        return self._time_ns()


def _time_ns_outside_of_travels(read: Callable[[], int]) -> int:
    # Another thread may be importing the module, or end the travel, at this moment.
    hatch = getattr(_modules["time_machine"], "escape_hatch", None)
    if hatch is not None and hatch.is_travelling():
        with suppress(ValueError):
            return int(hatch.time.time_ns())
    return read()


clock = Clock()
