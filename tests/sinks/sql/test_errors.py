"""Rows that the database refuses, and connections that its server kills."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections

from project.playground.models import Author, Tag
from signals_demo import flush, trace
from signals_demo.catalog import EVENTS_LOST
from signals_demo.delivery.health import health
from signals_demo.models import SignalEvent
from tests.recording import recorded, saves, stored

pytestmark = pytest.mark.django_db(transaction=True)

TABLE = SignalEvent._meta.db_table
CONSTRAINT = (
    f"ALTER TABLE {TABLE} ADD CONSTRAINT no_tags CHECK (sender <> 'playground.Tag')",
    f"ALTER TABLE {TABLE} DROP CONSTRAINT no_tags",
)
TRIGGER = {
    "sqlite": (
        f"CREATE TRIGGER no_tags BEFORE INSERT ON {TABLE} WHEN NEW.sender = 'playground.Tag'"
        " BEGIN SELECT RAISE(ABORT, 'no tags'); END",
        "DROP TRIGGER no_tags",
    ),
    "postgresql": (
        "CREATE FUNCTION no_tags() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no tags'; END $$;"
        f" CREATE TRIGGER no_tags BEFORE INSERT ON {TABLE} FOR EACH ROW"
        " WHEN (NEW.sender = 'playground.Tag') EXECUTE FUNCTION no_tags()",
        "DROP FUNCTION no_tags() CASCADE",
    ),
    "mysql": (
        f"CREATE TRIGGER no_tags BEFORE INSERT ON {TABLE} FOR EACH ROW"
        " BEGIN IF NEW.sender = 'playground.Tag' THEN"
        " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no tags'; END IF; END",
        "DROP TRIGGER no_tags",
    ),
}


@contextmanager
def refusing_tags(refuse: str, allow: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(refuse)
        try:
            yield
        finally:
            flush()
            cursor.execute(allow)


def losses(reason: str) -> int:
    """Return how many firings are recorded as lost."""
    rows = SignalEvent.objects.filter(signal=EVENTS_LOST)
    return sum(row.count for row in rows if row.arguments["reason"] == reason)


HOW = [
    pytest.param(CONSTRAINT, marks=pytest.mark.applies(connection.vendor != "sqlite"), id="check"),
    pytest.param(TRIGGER[connection.vendor], id="trigger"),
]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("mode", ["background", "inline"])
def test_a_refused_row_is_said_and_counted_and_the_others_are_stored(
    how: tuple[str, str], mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = health()
    with recorded(MODE=mode), refusing_tags(*how), trace("unit") as unit:
        for number in range(10):
            Author.objects.create(name=f"before {number}")
        Tag.objects.create(name="refused")
        for number in range(10):
            Author.objects.create(name=f"after {number}")
        rows = stored(unit)
    assert saves(rows) == [("pre_save", "committed"), ("post_save", "committed")] * 20
    assert {row.sender for row in rows} == {"playground.Author"}
    assert "which are lost: " in caplog.text
    assert health().lost == before.lost + 4
    assert health().faults == before.faults
    assert losses("refused") == 4


KILL = {
    "postgresql": """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
    """,
    "mysql": """
        SELECT id FROM information_schema.processlist
        WHERE db = database() AND id <> connection_id()
    """,
}


def kill_the_other_connections() -> int:
    with connection.cursor() as cursor:
        cursor.execute(KILL[connection.vendor])
        found = cursor.fetchall()
        if connection.vendor == "mysql":
            for (number,) in found:
                cursor.execute(f"KILL {number}")
    # The thread in which asgiref runs what an async test calls keeps its own for the next one.
    asyncio.run(sync_to_async(connections.close_all)())
    return len(found)


@pytest.mark.applies(connection.vendor != "sqlite")
@pytest.mark.parametrize("number", range(5))
def test_a_killed_connection_is_made_anew_and_nothing_is_missing(number: int) -> None:
    with recorded(FLUSH_INTERVAL=0.01), trace("unit") as unit:
        Author.objects.create(name="0")
        assert flush()
        assert kill_the_other_connections() >= 1
        for step in range(1, 50):
            Author.objects.create(name=str(step))
        rows = stored(unit)
    assert saves(rows) == [("pre_save", "committed"), ("post_save", "committed")] * 50
