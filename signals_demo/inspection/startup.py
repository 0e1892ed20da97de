"""When the apps of this process were ready, and which modules were imported by then."""

import sys
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.apps import apps

from signals_demo.clock import clock


class Startup(NamedTuple):
    """The moment when the last `AppConfig.ready()` had returned."""

    at: datetime
    modules: frozenset[str]


_found: list[Startup] = []


def startup() -> Startup | None:
    """Return the moment, or None if it is unknown."""
    return _found[0] if _found else None


def watch() -> None:
    """Arrange to note the moment. Calling it again changes nothing."""
    # Django calls this event's `set` once, right after the last `ready()`, and offers no hook.
    event: Any = getattr(apps, "ready_event", None)
    # gevent replaces it with an event that cannot be wrapped: then the moment is unknown.
    if not hasattr(event, "__dict__") or event.is_set() or "set" in vars(event):
        return
    ready = event.set

    def set_and_note() -> None:
        del event.set
        now = datetime.fromtimestamp(clock.time_ns() / 1e9, UTC)
        _found.append(Startup(now, frozenset(sys.modules)))
        ready()

    event.set = set_and_note
