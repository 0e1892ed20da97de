"""Changes stored rows of `SignalEvent`, once more is known of them."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from signals_demo.events import Row
from signals_demo.rollups.driver_values import adapt_uuid
from signals_demo.rollups.tables import table
from signals_demo.serialize.impersonated import IMPERSONATOR
from signals_demo.sinks.base import Session
from signals_demo.sinks.sql.connection import transaction


@contextmanager
def updating(
    session: Session, connection: BaseDatabaseWrapper, what: str, where: str
) -> Iterator[Callable[..., int]]:
    """Open a transaction, and give a function that updates and returns the number of rows.

    It takes the values of the placeholders in `what`, such as "{actor} = %s", then in `where`.
    """
    quote = connection.ops.quote_name
    columns = {name: quote(name) for name in Row._fields}
    assigned, condition = what.format_map(columns), where.format_map(columns)
    name = quote(table("signalevent"))
    sql = f"UPDATE {name} SET {assigned} WHERE {condition}"  # noqa: S608
    # Asking what the database can do may open a connection: so only once it is open.
    with transaction(session, connection, 1), closing(connection.create_cursor()) as cursor:

        def update(*values: Any) -> int:
            cursor.execute(
                sql,
                [adapt_uuid(connection, item) if type(item) is UUID else item for item in values],
            )
            return int(cursor.rowcount)

        yield update


def naming_impersonator(connection: BaseDatabaseWrapper) -> str:
    """Return how to note in a row who stands behind its actor, given a key and a name."""
    if connection.vendor == "postgresql":
        behind = f"jsonb_build_object('{IMPERSONATOR}', jsonb_build_object({_NAMED}))"
        return f"{{arguments}} = {{arguments}} || {behind}"
    return f"{{arguments}} = JSON_SET({{arguments}}, '$.{IMPERSONATOR}', JSON_OBJECT({_PLAIN}))"


_PLAIN = "'pk', %s, 'name', %s"
_NAMED = "'pk', %s::text, 'name', %s::text"
