"""The schema in which a connection finds a table: that of a tenant, or of none.

Two tenants have rows of one key, and each its own history. So an event names the schema after the
alias: `default/tenant`.
"""

from typing import Any

from signals_demo.conf.tenants import is_shared, public_schema
from signals_demo.tracing import levels
from signals_demo.tracing.levels import SCHEMA, SCHEMA_UNTIL_END

SEPARATOR = "/"


def has_schemas(connection: Any) -> bool:
    """Return whether this connection has ever been told of a schema."""
    if not levels.uses_schemas:
        return False
    known = connection.__dict__
    return "schema_name" in known or SCHEMA in known or SCHEMA_UNTIL_END in known


def schema_of(connection: Any, app_label: str) -> str:
    """Return the schema of a tenant in which the tables of an app are found now, or ""."""
    known = connection.__dict__
    name = known.get("schema_name")  # as django-tenants keeps it
    if name is None:
        name = known.get(SCHEMA_UNTIL_END) or known.get(SCHEMA)
    if type(name) is not str or name == public_schema() or is_shared(app_label):
        return ""
    return name


def place_of(alias: str, schema: str) -> str:
    """Return the alias of a database, with the schema of a tenant if there is one."""
    return f"{alias}{SEPARATOR}{schema}" if schema else alias


def alias_in(place: str) -> str:
    """Return the alias that a place begins with."""
    return place.partition(SEPARATOR)[0]
