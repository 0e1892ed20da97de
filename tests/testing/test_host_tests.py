"""What the tests of hosts do to the recorder while it records them (RECORD_TESTS)."""

import uuid
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest
from django.contrib.auth.models import Group
from django.core.checks import run_checks
from django.db import OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import SimpleTestCase, modify_settings

from signals_demo import trace
from signals_demo.catalog.outcomes import COMMITTED
from signals_demo.events import Resolution
from signals_demo.models import SignalEvent
from signals_demo.sinks import NotReady
from signals_demo.sinks.database import DatabaseSink
from tests.recording import outcomes, row_maker, stored

pytestmark = pytest.mark.django_db(transaction=True)

NOTHING = [Resolution(uuid.uuid4(), 1, 1, "ab" * 16, "1a" * 8, "default", COMMITTED)]
sink = DatabaseSink("default", {})


@pytest.fixture
def thread() -> Iterator[Executor]:
    """Give a thread that has no connection yet, as the writer's has none when it starts."""
    with ThreadPoolExecutor(1) as executor:
        yield executor
        executor.submit(sink.close).result()


def test_what_fires_while_the_app_is_not_among_the_installed_ones_is_stored() -> None:
    with modify_settings(INSTALLED_APPS={"remove": "signals_demo"}), trace("unit") as unit:
        Group.objects.create(name="Editors")
        assert outcomes(stored(unit), "post_save") == [("post_save", "committed")]


def test_the_checks_say_nothing_while_the_app_is_not_among_the_installed_ones() -> None:
    with modify_settings(INSTALLED_APPS={"remove": "signals_demo"}):
        assert not run_checks()


def test_the_writer_opens_its_connection_in_a_test_that_may_use_no_database(
    thread: Executor,
) -> None:
    class NoDatabase(SimpleTestCase):
        pass

    NoDatabase.setUpClass()
    try:
        thread.submit(sink.resolve, NOTHING).result()
    finally:
        NoDatabase.doClassCleanups()


def test_no_row_is_taken_for_refused_where_there_is_no_connection(
    thread: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parameters(_self: BaseDatabaseWrapper) -> dict[str, object]:
        raise TypeError("no such path")

    rows = [row_maker()()]
    monkeypatch.setattr(type(connections["default"]), "get_connection_params", parameters)
    with pytest.raises(OperationalError, match="no such path"):
        thread.submit(sink.store, rows).result()
    monkeypatch.undo()
    thread.submit(sink.store, rows).result()
    assert SignalEvent.objects.filter(recorder=rows[0].recorder).exists()


def test_the_writer_follows_when_a_test_database_takes_the_place_of_the_other(
    thread: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread.submit(sink.resolve, NOTHING).result()
    # As Django's test runner does it, for the connections of all threads.
    monkeypatch.setitem(connection.settings_dict, "NAME", ":memory:")
    with pytest.raises((NotReady, OperationalError)):  # there is no table, or no such database
        thread.submit(sink.resolve, NOTHING).result()
    monkeypatch.undo()
    thread.submit(sink.resolve, NOTHING).result()
