"""When this process had its apps ready, and what was imported by then."""

import sys
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.apps import apps


class Startup(NamedTuple):
    """The moment when the last `AppConfig.ready()` had returned."""

    at: datetime
    modules: frozenset[str]


_noted: list[Startup] = []


def noted() -> Startup | None:
    """Return the moment, or None where it is not known."""
    return _noted[0] if _noted else None


def note() -> None:
    """Note the moment when it comes. Calling it again changes nothing."""
    # Django calls this event's `set` right after the last `ready()`, once, and tells nobody else.
    event: Any = getattr(apps, "ready_event", None)
    # gevent has put one of its own there, which nothing can stand in for: then it is not known.
    if not hasattr(event, "__dict__") or event.is_set() or "set" in vars(event):
        return
    ready = event.set

    def set_and_note() -> None:
        del event.set
        _noted.append(Startup(datetime.now(UTC), frozenset(sys.modules)))
        ready()

    event.set = set_and_note
