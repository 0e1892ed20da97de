"""Route `SignalEvent` to the database of the `DATABASE` setting."""

from typing import Any

from django.db.models import Model

from signals_demo.conf import config

APP = "signals_demo"


class SignalEventRouter:
    """Add it to `DATABASE_ROUTERS` if `DATABASE` is not the default database."""

    def db_for_read(self, model: type[Model] | None, **hints: Any) -> str | None:
        """Return the alias for reading events, None for other models."""
        if model is None:  # a RawQuerySet need not have one
            return None
        return config().database if model._meta.app_label == APP else None

    def db_for_write(self, model: type[Model] | None, **hints: Any) -> str | None:
        """Return the alias for writing events, None for other models."""
        return self.db_for_read(model)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """Return whether the table belongs on `db`; None for other apps."""
        return db == config().database if app_label == APP else None
