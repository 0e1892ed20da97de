"""The fields of our models that Django does not have, and how to look for a key."""

from typing import Any
from uuid import UUID

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

NO_TRACE = "0" * 32
"""How the empty trace id is stored. W3C has no such id."""


class SpanIdField(models.Field):  # type: ignore[type-arg]
    """A W3C span id, 16 hexadecimal digits; stored as a number, which takes half the room.

    Ours leave the highest bit out, so that any database takes them. None is the empty text.
    """

    def from_db_value(self, value: int | None, *args: object) -> str:
        return f"{value:016x}" if value else ""

    def to_python(self, value: Any) -> str:
        return f"{value:016x}" if isinstance(value, int) else str(value or "")

    def get_prep_value(self, value: Any) -> int:
        return value if isinstance(value, int) else int(value or "0", 16)

    def get_internal_type(self) -> str:
        return "BigIntegerField"


class TraceIdField(models.Field):  # type: ignore[type-arg]
    """A W3C trace id, 32 hexadecimal digits; on PostgreSQL a UUID, which takes half the room.

    MariaDB refuses UUIDs that are of no known version, as most trace ids are.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "uuid" if connection.vendor == "postgresql" else "char(32)"

    def from_db_value(self, value: Any, *args: object) -> str:
        found = self.to_python(value)
        return "" if found == NO_TRACE else found

    def to_python(self, value: Any) -> str:
        return value.hex if isinstance(value, UUID) else str(value or "")

    def get_prep_value(self, value: Any) -> str:
        # PostgreSQL takes the digits as well.
        return UUID(hex=self.to_python(value) or NO_TRACE).hex


def of_key(field: str, key: str) -> dict[str, str]:
    """Return the lookups for a key in a field whose index leaves out the rows without one.

    The second lookup says nothing new. Without it SQLite would not use that index.
    """
    return {field: key, f"{field}__gt": ""}
