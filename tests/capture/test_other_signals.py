"""Tasks are traces; migrations are one group per command; signals that are sent by hand."""

import contextvars
from collections.abc import Callable
from importlib import import_module
from typing import Any

import django
import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.sql import emit_post_migrate_signal
from django.db.models.signals import post_migrate, pre_migrate

from project.playground.models import Author
from signals_demo import flush, trace
from signals_demo.events import Row
from signals_demo.sinks.memory import MemorySink
from signals_demo.tracing.scope import Scope, current
from signals_demo.tracing.trace import Trace
from tests.capture.firings import shape
from tests.recording import recorded, stored


@pytest.mark.django_db(transaction=True)
def test_migrating_is_one_group_per_command() -> None:
    with trace("migrating") as unit:
        call_command("migrate", verbosity=0)
        Author.objects.create(name="Ada")
    rows = stored(unit)
    signals = [row.signal for row in rows if row.signal.endswith("_migrate")]
    number = signals.count("pre_migrate")
    assert number > 3
    assert signals == ["pre_migrate"] * number + ["post_migrate"] * number
    assert {row.depth for row in rows if row.signal.endswith("_migrate")} == {0}
    assert {row.duration is None for row in rows if row.signal == "post_migrate"} == {False}
    assert shape(rows)[-2:] == [(0, "pre_save Author"), (0, "post_save Author")]


@pytest.mark.django_db(transaction=True)
def test_migration_signals_sent_by_hand_stand_alone() -> None:
    app = apps.get_app_config("playground")
    sent = {"app_config": app, "verbosity": 0, "interactive": False, "using": "default"}
    with trace("by hand") as unit:
        pre_migrate.send(app, **sent, apps=apps, plan=[])
        post_migrate.send(app, **sent, apps=apps, plan=[])
        Author.objects.create(name="Ada")
    rows = stored(unit)
    assert {row.depth for row in rows} == {0}
    assert [row.signal for row in rows if row.signal.endswith("_migrate")] == [
        "pre_migrate",
        "post_migrate",
    ]
    assert shape(rows)[-2:] == [(0, "pre_save Author"), (0, "post_save Author")]


@pytest.mark.django_db(transaction=True)
def test_without_post_migrate_a_migration_does_not_stop_the_writer() -> None:
    with recorded(SIGNALS=["pre_migrate", "post_save"]), trace("migrating") as unit:
        call_command("migrate", verbosity=0)
        Author.objects.create(name="Ada")
        assert [row.signal for row in stored(unit)][-1] == "post_save"


@pytest.mark.django_db(transaction=True)
def test_flushing_the_database_sends_post_migrate_alone() -> None:
    with trace("flush") as unit:
        emit_post_migrate_signal(verbosity=0, interactive=False, db="default")
    rows = [row for row in stored(unit) if row.signal == "post_migrate"]
    assert rows
    assert {(row.depth, row.duration) for row in rows} == {(0, None)}


# Tasks, which Django has from 6.0 on

has_tasks = pytest.mark.applies(django.VERSION >= (6, 0))


def save(name: str) -> None:
    Author.objects.create(name=name)


def save_and_fail(name: str) -> None:
    Author.objects.create(name=name)
    raise ArithmeticError


def save_and_enqueue(name: str) -> None:
    Author.objects.create(name=f"{name} before")
    enqueue(save, name)
    Author.objects.create(name=f"{name} after")


def enqueue(work: Callable[[str], None], name: str) -> Any:
    return import_module("django.tasks").task(work).enqueue(name)


def rows_of(work: Callable[[], object]) -> list[Row]:
    """Return what is recorded of some work that a process does, outside of the test."""
    MemorySink.rows.clear()

    def outside() -> None:
        current.set(Scope(Trace("process", "worker"), None))
        work()

    contextvars.copy_context().run(outside)
    assert flush(60)
    return [row for row in list(MemorySink.rows) if "init" not in row.signal]


@has_tasks
@pytest.mark.usefixtures("memory")
@pytest.mark.django_db(transaction=True)
def test_each_task_is_a_trace_of_its_own() -> None:
    rows = rows_of(lambda: [enqueue(save, name) for name in "abc"])
    asked = [row for row in rows if row.origin == "process"]
    assert [row.signal for row in asked] == ["task_enqueued"] * 3
    tasks = [row for row in rows if row.origin == "task"]
    assert [row.signal for row in tasks] == [
        "task_started",
        "pre_save",
        "post_save",
        "task_finished",
    ] * 3
    assert {row.origin_name for row in tasks} == {f"{__name__}.save"}
    assert len({row.trace_id for row in tasks}) == 3
    assert {row.actor for row in tasks} == {""}


@has_tasks
@pytest.mark.usefixtures("memory")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("around", ["block", "task"])
def test_a_task_in_a_task_or_a_block_is_a_trace_of_its_own(around: str) -> None:
    def in_a_block() -> None:
        with trace("unit", actor="ann"):
            save_and_enqueue("a")

    rows = rows_of(in_a_block if around == "block" else lambda: enqueue(save_and_enqueue, "a"))
    before, inner, after = (row for row in rows if row.signal == "post_save")
    assert before.trace_id == after.trace_id != inner.trace_id
    assert (inner.origin, inner.origin_name, inner.actor) == ("task", f"{__name__}.save", "")
    assert before.depth == after.depth


@has_tasks
@pytest.mark.usefixtures("memory")
@pytest.mark.django_db(transaction=True)
def test_a_task_that_fails_ends_its_trace() -> None:
    def work() -> None:
        enqueue(save_and_fail, "a")
        Author.objects.create(name="outside")

    rows = [row for row in rows_of(work) if row.signal == "post_save"]
    assert [row.origin for row in rows] == ["task", "process"]
