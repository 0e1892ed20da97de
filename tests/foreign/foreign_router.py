"""Sends the events to the database of their own."""

from typing import Any

from signals_demo.routers import SignalEventRouter


class Router(SignalEventRouter):
    """Keeps everything else off the database of the events.

    That is Django's makemigrations, which looks at all databases though its tests forbid all but
    their own two, and the permissions and content types that `migrate` makes.
    """

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        if db == "events" and ("model" not in hints or app_label != "signals_demo"):
            return False
        return super().allow_migrate(db, app_label, **hints)
