"""What the recorder's own transactions make of locks and missing tables."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing

import pytest
from django.db import connection, connections

from signals_demo.events import Row
from signals_demo.models import SignalEvent
from signals_demo.sinks.base import Busy
from signals_demo.sinks.database import DatabaseSink
from tests.recording import recorded, row_maker

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.applies(connection.vendor == "sqlite"),
]

make_row = pytest.fixture(row_maker)


@pytest.fixture
def other() -> Iterator[sqlite3.Connection]:
    """Return a connection of another process, as far as SQLite can tell."""
    name = connection.settings_dict["NAME"]
    with closing(sqlite3.connect(name, isolation_level=None)) as opened:
        yield opened


@pytest.fixture
def thread() -> Iterator[Executor]:
    """Return a thread that has no connection yet, as the worker has none when it starts."""
    with ThreadPoolExecutor(1) as executor:
        yield executor
        executor.submit(connections.close_all).result()


def test_a_database_that_another_one_has_locked_is_busy(
    thread: Executor,
    other: sqlite3.Connection,
    make_row: Callable[..., Row],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = connection.settings_dict["OPTIONS"] | {"timeout": 0.1}
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    sink = DatabaseSink("default", {})
    with recorded(RECORD_TESTS=False):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy, match="locked"):
            thread.submit(sink.store, [make_row()]).result()
        other.execute("ROLLBACK")
        thread.submit(sink.store, [make_row()]).result()
    assert SignalEvent.objects.count() == 1


def test_a_transaction_waits_for_a_lock_and_is_not_refused_after_it_has_read(
    thread: Executor,
    other: sqlite3.Connection,
    make_row: Callable[..., Row],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = dict(connection.settings_dict["OPTIONS"], timeout=20)
    options.pop("transaction_mode", None)  # as in a new project
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    sink = DatabaseSink("default", {})
    with recorded(RECORD_TESTS=False):
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO auth_group (name) VALUES ('other')")
        storing = thread.submit(sink.store, [make_row()])
        with pytest.raises(TimeoutError):
            storing.result(0.5)
        other.execute("COMMIT")
        storing.result(20)
    assert SignalEvent.objects.count() == 1
