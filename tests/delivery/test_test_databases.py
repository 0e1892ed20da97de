"""Test databases: the worker is off them while they are made, cloned, flushed and destroyed."""

import shutil
import threading
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection

from signals_demo import flush, trace
from signals_demo.clock import clock
from signals_demo.delivery import test_databases
from signals_demo.delivery.writer import writer
from signals_demo.models import SignalEvent
from signals_demo.tracing import test_runs
from tests.recording import Project, recorded, stored

TESTS = """
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import SimpleTestCase, TestCase, TransactionTestCase


def work():
    for number in range(6):
        one = Group.objects.create(name=str(number))
        one.name = f"{number} again"
        one.save()
    list(Group.objects.all())
    Group.objects.all().delete()


def cases(base, number):
    class Case(base):
        def test_autocommit(self):
            work()

        def test_transaction(self):
            with transaction.atomic():
                work()
            self.client.get("/no/such/page/")

    Case.__name__ = Case.__qualname__ = f"{base.__name__}{number}"
    return Case


for number in range(2):
    for base in (TestCase, TransactionTestCase):
        case = cases(base, number)
        globals()[case.__name__] = case
del case, base


class LastTest(SimpleTestCase):
    def test_without_a_database(self):
        Group(name="of nobody")
"""

SETTING = {"RECORD_TESTS": True, "STRICT": True, "FLUSH_INTERVAL": 0.01}


@pytest.fixture(scope="session")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.migrated(tmp_path_factory.mktemp("tested") / "project")
    (project.folder / "tests.py").write_text(TESTS)
    with (project.folder / "settings.py").open("a") as settings:
        settings.write(
            'if "TEST_FILE" in os.environ:\n'
            '    DATABASES["default"]["TEST"] = {"NAME": os.environ["TEST_FILE"]}\n'
        )
    return project


@pytest.mark.processes
@pytest.mark.parametrize(
    ("options", "setting"),
    [([], {}), (["--parallel=2"], {}), ([], {"MODE": "inline"})],
    ids=["alone", "parallel", "inline"],
)
def test_a_whole_run_is_recorded_and_the_real_database_stays_as_it_was(
    tested: Project, tmp_path: Path, options: list[str], setting: dict[str, str]
) -> None:
    before = len(tested.events())
    done = tested.manage("test", *options, setting=SETTING | setting)
    assert "OK" in done.stderr
    assert "signals_demo" not in done.stderr
    assert "signal events" not in done.stderr
    assert len(tested.events()) == before


@pytest.mark.processes
def test_events_are_in_the_test_database_that_is_kept(tested: Project, tmp_path: Path) -> None:
    kept = tmp_path / "test.sqlite3"
    before = len(tested.events())
    for _ in range(2):
        tested.manage("test", "--keepdb", "tests.TestCase0", setting=SETTING, TEST_FILE=str(kept))
    shutil.copy(kept, tested.folder / "kept.sqlite3")
    rows = tested.query("SELECT * FROM signals_demo_signalevent", name="kept.sqlite3")
    assert {row["origin"] for row in rows if row["signal"] == "post_delete"} == {"test"}
    assert len([row for row in rows if row["signal"] == "post_save"]) >= 2 * 24
    assert len(tested.events()) == before


UNDER_PYTEST = """
import time

import pytest
from django.contrib.auth.models import Group


@pytest.mark.django_db(transaction=True)
def test_with_a_database():
    Group.objects.create(name="one")


def test_without_a_database():
    Group(name="of nobody")
    time.sleep(0.5)
"""


@pytest.mark.processes
def test_a_test_that_forbids_databases_does_not_forbid_them_to_the_worker(tested: Project) -> None:
    (tested.folder / "test_both.py").write_text(UNDER_PYTEST)
    options = ["-p", "no:randomly", "-o", "log_cli=true", "-o", "log_cli_level=WARNING"]
    own = {"setting": SETTING, "DJANGO_SETTINGS_MODULE": "settings"}
    done = tested.call("-m", "pytest", *options, "test_both.py", **own)
    assert "2 passed" in done.stdout
    assert "store events" not in done.stdout


@pytest.mark.processes  # on SQLite alone: PostgreSQL's refuses if another test left a connection
@pytest.mark.django_db(transaction=True)
def test_a_database_can_be_cloned_and_destroyed_while_events_wait() -> None:
    with recorded(FLUSH_INTERVAL=0.01):
        Group.objects.create(name="before")
        assert flush(60)
        with trace("unit") as unit:
            Group.objects.create(name="stored afterwards")
            connection.close()
            connection.creation.clone_test_db("rest", verbosity=0)
            connection.creation.destroy_test_db(suffix="rest", verbosity=0)
        assert "post_save" in [row.signal for row in stored(unit)]


@pytest.mark.django_db(transaction=True)
def test_a_flush_meets_no_transaction_of_the_worker() -> None:
    with recorded(FLUSH_INTERVAL=0.001):
        for number in range(5):
            for step in range(20):
                Group.objects.create(name=f"{number} {step}")
            call_command("flush", verbosity=0, interactive=False, inhibit_post_migrate=True)
        with trace("unit") as unit:
            Group.objects.create(name="after")
        assert [row.signal for row in stored(unit)][-1] == "post_save"


@pytest.mark.django_db(transaction=True)
def test_the_worker_has_no_connection_while_it_rests() -> None:
    with recorded(FLUSH_INTERVAL=0.001), trace("unit") as unit:
        Group.objects.create(name="before")
        assert flush(60)
        test_databases.rest()
        try:
            Group.objects.create(name="meanwhile")
            clock.sleep(0.1)
            assert writer.worker.thread is None
            names = {thread.name for thread in threading.enumerate()}
            assert "signals_demo" not in names
        finally:
            test_databases.end_rest()
        keys = {row.object_pk for row in stored(unit) if row.signal == "post_save"}
    assert len(keys) == 2


def test_the_real_database_is_known_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    name = connection.settings_dict["NAME"]
    monkeypatch.setitem(test_runs._real_names, "default", "another")
    assert test_runs.has_test_database("default")
    monkeypatch.setitem(test_runs._real_names, "default", name)
    assert not test_runs.has_test_database("default")
    monkeypatch.setattr(test_runs, "IS_TEST_RUN", False)
    monkeypatch.setattr(test_runs, "_in_test_environment", lambda: False)
    assert test_runs.has_test_database("default")


@pytest.mark.django_db(transaction=True)
def test_nothing_is_stored_where_there_is_no_test_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = connection.settings_dict["NAME"]
    with recorded(FLUSH_INTERVAL=0.01), trace("unit") as unit:
        with monkeypatch.context() as patch:
            patch.setitem(test_runs._real_names, "default", name)
            Group.objects.create(name="waits")
            assert not flush(0.5)
            assert not SignalEvent.objects.in_trace(unit.trace_id).exists()
        assert flush(60)
        assert SignalEvent.objects.in_trace(unit.trace_id).exists()
