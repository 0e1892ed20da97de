"""Sends the events to the database of their own."""

from typing import Any

from signals_demo.routers import SignalEventRouter


class Router(SignalEventRouter):
    """Keeps Django's makemigrations, which looks at all databases, off the one of the events.

    Its tests forbid every database but their own two.
    """

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        if db == "events" and "model" not in hints:
            return False
        return super().allow_migrate(db, app_label, **hints)
