"""The rows of `SignalTrace` say what the stored events of their traces add up to."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db.models import Max
from django.test import Client

from project.playground.models import Author
from signals_demo import flush, trace
from signals_demo.catalog.outcomes import COMMITTED, OPEN, ROLLED_BACK
from signals_demo.events import Attribution, Resolution, Row
from signals_demo.models import SignalEvent, SignalTrace
from signals_demo.rollups.traces import TraceSum, summed_up
from signals_demo.sinks.database import DatabaseSink
from tests.factories import UserFactory
from tests.recording import Project, recorded, rolled_back, row_maker, stored

pytestmark = pytest.mark.django_db(transaction=True)

make_row = pytest.fixture(row_maker)


def summaries(**which: str) -> set[TraceSum]:
    found = SignalTrace.objects.filter(**which).values_list(*TraceSum._fields)
    return {TraceSum(*row) for row in found}


def expected(**which: str) -> set[TraceSum]:
    events = SignalEvent.objects.filter(**which).exclude(trace_id="")
    one = {name: Max(name) for name in ("actor_pk", "actor")}
    return {TraceSum(*row) for row in summed_up(events, **one)}


@pytest.fixture
def sink() -> Iterator[DatabaseSink]:
    """Return a sink that nothing else stores in, and an empty record."""
    with recorded(RECORD_TESTS=False):
        SignalEvent.objects.all().delete()
        SignalTrace.objects.all().delete()
        yield DatabaseSink("database", {})


def of(unit: Any) -> SignalTrace:
    return SignalTrace.objects.get(trace_id=unit.trace_id)


def test_a_trace_is_summed_up() -> None:
    with recorded(), trace("import", actor="cron") as unit:
        author = Author.objects.create(name="Ada")
        with rolled_back():
            Author.objects.create(name="Bob")
        author.delete()
        assert stored(unit)
        found = of(unit)
        assert (found.origin, found.origin_name, found.actor) == ("block", "import", "cron")
        assert (found.firings, found.changes, found.errors, found.rolled_back) == (10, 3, 0, 2)
        assert summaries() == expected()


def test_it_grows_with_each_batch() -> None:
    with recorded(FLUSH_INTERVAL=0.01), trace("unit") as unit:
        before = timedelta()
        for number in range(1, 4):
            Author.objects.create(name=str(number))
            assert stored(unit)
            assert of(unit).firings == 4 * number
            assert of(unit).duration > before
            before = of(unit).duration
        assert summaries() == expected()


def test_folded_firings_count() -> None:
    with recorded(FOLD_AFTER=3), trace("unit") as unit:
        for number in range(100):
            Author(name=str(number))
        assert stored(unit)
        assert of(unit).firings == 200
        assert summaries() == expected()


def test_changed_relations_count_once() -> None:
    with recorded(), trace("unit") as unit:
        user = UserFactory.create()
        group = Group.objects.create(name="editors")
        before = 2
        user.groups.add(group)
        assert stored(unit)
        assert of(unit).changes == before + 1
        assert summaries() == expected()


def test_what_is_rolled_back_after_it_was_stored_counts() -> None:
    with recorded(FLUSH_INTERVAL=0.01), trace("unit") as unit:
        with rolled_back():
            Author.objects.create(name="Ada")
            # On SQLite the writer waits for this transaction, elsewhere the rows are stored open.
            flush(0.5)
        assert stored(unit)
        assert of(unit).rolled_back == 2
        assert summaries() == expected()


def test_a_request_is_summed_up_with_its_actor(client: Client) -> None:
    user = UserFactory.create(username="zoe", is_staff=True, is_superuser=True)
    client.force_login(user)
    with recorded():
        client.get("/admin/")
        assert flush()
        found = SignalTrace.objects.get(origin="request")
        assert (found.origin_name, found.actor) == ("GET /admin/", "zoe")
        # Not that of the test, in which more than one has logged in.
        assert summaries(origin="request") == expected(origin="request")


def test_an_exception_counts(client: Client) -> None:
    client.raise_request_exception = False
    with recorded():
        client.post("/lessons/request/error/")
        client.get("/crash/")
        assert flush()
        assert summaries() == expected()


@pytest.mark.parametrize("parts", [[5], [3, 5], [5, 3], [2, 4, 5, 5]])
def test_storing_again_sums_up_once(
    sink: DatabaseSink, make_row: Callable[..., Row], parts: list[int]
) -> None:
    rows = [make_row(outcome=OPEN) for _ in range(5)]
    for part in parts:
        sink.store(rows[:part])
    assert len(summaries()) == 1
    assert summaries() == expected()


def test_a_row_that_is_refused_is_not_in_the_sum(
    sink: DatabaseSink, make_row: Callable[..., Row]
) -> None:
    rows = [make_row() for _ in range(9)]
    rows[4] = make_row(count=2**63)
    sink.store(rows)
    assert SignalTrace.objects.get().firings == 8
    assert summaries() == expected()


def test_outcomes_and_actors_that_come_later(
    sink: DatabaseSink, make_row: Callable[..., Row]
) -> None:
    rows = [make_row(outcome=OPEN, actor="", actor_pk="") for _ in range(6)]
    first = rows[0]
    place = first.trace_id, first.span_id, first.database
    sink.store(rows)
    done = [
        Resolution(first.recorder, rows[1].sequence, rows[2].sequence, *place, ROLLED_BACK),
        Resolution(first.recorder, first.sequence, rows[-1].sequence, *place, COMMITTED),
    ]
    named = Attribution(first.recorder, 1, 99, first.trace_id, first.span_id, "7", "zoe")
    for _ in range(2):  # after an error they come again
        sink.resolve(done)
        sink.attribute([named])
    assert (SignalTrace.objects.get().rolled_back, SignalTrace.objects.get().actor) == (2, "zoe")
    assert summaries() == expected()


def test_each_process_has_a_row_of_its_own(
    sink: DatabaseSink, make_row: Callable[..., Row]
) -> None:
    other = uuid.uuid4()
    sink.store([make_row(), make_row(recorder=other), make_row()])
    assert {found.firings for found in summaries()} == {1, 2}
    assert summaries() == expected()


# Inline


def test_inline_a_request_is_summed_up_when_it_is_over(client: Client) -> None:
    with recorded(MODE="inline", FOLD_AFTER=None):
        client.get("/admin/login/")
        assert SignalTrace.objects.get(origin="request").origin_name == "GET /admin/login/"
        assert summaries(origin="request") == expected(origin="request")


def test_inline_what_is_folded_is_added_to_the_sum_later(client: Client) -> None:
    with recorded(MODE="inline"):
        for _ in range(5):
            client.get("/admin/login/")
        assert flush(60)
        assert SignalEvent.objects.filter(origin="request", count__gt=1).exists()
        assert summaries(origin="request") == expected(origin="request")


INLINE = """
with trace("unit"):
    Group.objects.create(name="Ada")
    try:
        with transaction.atomic():
            Group.objects.create(name="Bob")
            raise KeyError
    except KeyError:
        pass
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.migrated(tmp_path / "project")


def sums(project: Project) -> list[tuple[Any, ...]]:
    return [
        tuple(row)
        for row in project.query(
            "SELECT trace_id, SUM(firings) FROM signals_demo_signaltrace GROUP BY 1 ORDER BY 1"
        )
    ]


def counts(project: Project) -> list[tuple[Any, ...]]:
    return [
        tuple(row)
        for row in project.query(
            "SELECT trace_id, SUM(count) FROM signals_demo_signalevent GROUP BY 1 ORDER BY 1"
        )
    ]


@pytest.mark.processes
def test_inline_the_rest_is_summed_up_when_the_process_ends(project: Project) -> None:
    project.run(INLINE, setting={"MODE": "inline"})
    assert project.query("SELECT 1 FROM signals_demo_signaltrace WHERE origin_name = 'unit'")
    assert sums(project) == counts(project)


@pytest.mark.processes
def test_what_a_killed_process_left_is_summed_up(project: Project) -> None:
    setting = {"JOURNAL_DIR": str(project.folder / "journal"), "FLUSH_INTERVAL": 0.05}
    code = """
    import os, signal
    for number in range(50):
        with trace(f"unit {number}"):
            Group.objects.create(name=str(number))
        if number == 25:
            flush()
    os.kill(os.getpid(), signal.SIGKILL)
    """
    project.attempt(code, setting=setting)
    shutil.copytree(project.folder / "journal", project.folder / "kept")
    for _ in range(2):
        project.manage("signals_recover", setting=setting | {"SIGNALS": []})
        assert len(project.query("SELECT 1 FROM signals_demo_signaltrace")) >= 50
        assert sums(project) == counts(project)
        shutil.rmtree(project.folder / "journal")
        shutil.copytree(project.folder / "kept", project.folder / "journal")


@pytest.mark.processes
def test_the_migration_sums_up_what_is_there(project: Project) -> None:
    project.run('with trace("unit"):\n    Group.objects.create(name="Ada")\nflush()')
    before = project.query("SELECT * FROM signals_demo_signaltrace ORDER BY trace_id")
    project.manage("migrate", "signals_demo", "0001", "--verbosity=0", setting={"ENABLED": False})
    project.manage("migrate", "signals_demo", "--verbosity=0", setting={"ENABLED": False})
    after = project.query("SELECT * FROM signals_demo_signaltrace ORDER BY trace_id")
    assert [tuple(row)[1:] for row in after] == [tuple(row)[1:] for row in before]
    assert before
