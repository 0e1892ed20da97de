"""Tasks of Celery: each is a trace of its own, with its name, and nobody's."""

import contextvars
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from project.playground.models import Author, Tag
from signals_demo import flush, suppress, trace
from signals_demo.capture import celery
from signals_demo.events import Row
from signals_demo.sinks.memory import MemorySink
from signals_demo.tracing.scope import Scope, current
from signals_demo.tracing.trace import Trace
from tests.recording import MEMORY, recorded

pytestmark = [
    pytest.mark.one_database,
    pytest.mark.usefixtures("memory"),
    pytest.mark.django_db(transaction=True),
]


def _again(task: Any) -> None:
    Author.objects.create(name=f"try {task.request.retries}")
    if task.request.retries < 2:
        raise task.retry(countdown=0)


class Tasks:
    """An app of Celery's, and its tasks."""

    def __init__(self) -> None:
        self.app = import_module("celery").Celery(
            "shop", broker="memory://", backend="cache+memory://", set_as_current=False
        )
        task: Any = self.app.task(name="shop.tasks.save")
        self.save = task(self._save)
        self.nested = self.app.task(name="shop.tasks.nested")(self._nested)
        self.fail = self.app.task(name="shop.tasks.fail")(self._fail)
        self.again = self.app.task(name="shop.tasks.again", bind=True, max_retries=2)(_again)
        self.traced = self.app.task(name="shop.tasks.traced")(self._traced)
        # Celery does this with the first use, where threads come into each other's way.
        self.save.bind(self.app)

    def _save(self, name: str) -> None:
        Author.objects.create(name=name)

    def _nested(self) -> None:
        Tag.objects.create(name="before")
        self.save.apply(args=["inner"]).get(disable_sync_subtasks=False)
        Tag.objects.create(name="after")

    def _fail(self, name: str) -> None:
        Author.objects.create(name=name)
        raise ArithmeticError

    def _traced(self, name: str) -> None:
        with trace("by hand", actor="ann"):
            Author.objects.create(name=name)


@pytest.fixture
def tasks() -> Iterator[Tasks]:
    MemorySink.rows.clear()
    made = Tasks()
    celery.follow()
    yield made
    celery.leave()


def in_a_process(work: Callable[[], object]) -> None:
    """Do some work as a process does, outside of the test."""

    def outside() -> None:
        current.set(Scope(Trace("process", "celery"), None))
        work()

    contextvars.copy_context().run(outside)


def saved() -> list[Row]:
    assert flush(60)
    return [row for row in list(MemorySink.rows) if row.signal == "post_save"]


def units(rows: list[Row]) -> list[tuple[str, str, str]]:
    return [(row.origin, row.origin_name, row.actor) for row in rows]


def test_each_task_is_a_trace_of_its_own(tasks: Tasks) -> None:
    def work() -> None:
        for name in "abc":
            tasks.save.apply(args=[name])
        Author.objects.create(name="outside")

    in_a_process(work)
    *inside, outside = saved()
    assert units(inside) == [("task", "shop.tasks.save", "")] * 3
    assert len({row.trace_id for row in inside}) == 3
    assert {row.depth for row in inside} == {0}
    assert (outside.origin, outside.origin_name) == ("process", "celery")


def test_a_task_inside_a_task_is_a_trace_of_its_own(tasks: Tasks) -> None:
    in_a_process(lambda: tasks.nested.apply())
    before, inner, after = saved()
    assert before.origin_name == after.origin_name == "shop.tasks.nested"
    assert inner.origin_name == "shop.tasks.save"
    assert before.trace_id == after.trace_id != inner.trace_id


def test_a_task_that_fails_ends_its_trace(tasks: Tasks) -> None:
    def work() -> None:
        tasks.fail.apply(args=["a"])
        Author.objects.create(name="outside")

    in_a_process(work)
    assert [row.origin_name for row in saved()] == ["shop.tasks.fail", "celery"]


def test_each_try_is_a_trace_of_its_own(tasks: Tasks) -> None:
    in_a_process(lambda: tasks.again.apply())
    rows = saved()
    assert {row.origin_name for row in rows} == {"shop.tasks.again"}
    assert len(rows) == len({row.trace_id for row in rows}) == 3


def test_a_chain_and_a_group_are_as_many_traces_as_they_have_tasks(tasks: Tasks) -> None:
    celery_module = import_module("celery")
    tasks.app.conf.task_always_eager = True

    def work() -> None:
        celery_module.chain(tasks.save.si("a"), tasks.save.si("b")).apply()
        celery_module.group(tasks.save.si("c"), tasks.save.si("d")).apply()

    in_a_process(work)
    rows = saved()
    assert len({row.trace_id for row in rows}) == len(rows) == 4


def test_a_task_names_who_asked_for_it_by_a_block(tasks: Tasks) -> None:
    in_a_process(lambda: tasks.traced.apply(args=["a"]))
    assert units(saved()) == [("block", "by hand", "ann")]


def test_nothing_of_a_task_is_recorded_in_a_silent_block(tasks: Tasks) -> None:
    def work() -> None:
        with suppress():
            tasks.save.apply(args=["a"])

    in_a_process(work)
    assert saved() == []


def test_a_task_that_was_killed_is_not_around_those_that_follow(tasks: Tasks) -> None:
    signals = import_module("celery.signals")

    def work() -> None:
        Author.objects.create(name="before")
        for name in ("killed", "next"):
            # As a worker sends it: an eager task is part of the one that runs it.
            tasks.save.push_request(id=name, is_eager=False)
            signals.task_prerun.send(tasks.save, task_id=name, task=tasks.save)
            Author.objects.create(name=name)
        signals.task_postrun.send(tasks.save, task_id="next", task=tasks.save)
        Author.objects.create(name="after")

    in_a_process(work)
    assert [row.origin_name for row in saved()] == ["celery", *["shop.tasks.save"] * 2, "celery"]


def test_tasks_in_threads_do_not_mix(tasks: Tasks) -> None:
    def work(number: int) -> None:
        for step in range(3):
            tasks.save.apply(args=[f"{number} {step}"])
        connection.close()

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    rows = saved()
    assert {row.origin for row in rows} == {"task"}
    assert len({row.trace_id for row in rows}) == len(rows) == 12


def view(request: HttpRequest) -> HttpResponse:
    Author.objects.create(name="of the view")
    request.META["tasks"].save.apply(args=["of the task"])
    Author.objects.create(name="of the view again")
    return HttpResponse()


urlpatterns = [path("order/", view)]


def test_an_eager_task_in_a_request_is_another_unit_of_the_same_trace(tasks: Tasks) -> None:
    with override_settings(ROOT_URLCONF=__name__):
        Client().get("/order/", tasks=tasks)
    first, task, last = saved()
    assert units([first, task, last]) == [
        ("request", "GET /order/", ""),
        ("task", "shop.tasks.save", ""),
        ("request", "GET /order/", ""),
    ]
    assert first.trace_id == task.trace_id == last.trace_id
    assert first.span_id == last.span_id != task.span_id


def test_celery_may_be_imported_at_any_time(tasks: Tasks) -> None:
    celery.leave()
    in_a_process(lambda: tasks.save.apply(args=["a"]))
    assert units(saved())[0][0] == "process"
    MemorySink.rows.clear()
    Client().get("/no/such/page/")
    in_a_process(lambda: tasks.save.apply(args=["b"]))
    assert units(saved()) == [("task", "shop.tasks.save", "")]


def test_tasks_are_followed_no_longer_where_nothing_is_recorded(tasks: Tasks) -> None:
    signals = import_module("celery.signals")
    with recorded(SINKS=MEMORY, ENABLED=False):
        assert not [key for key, *_ in signals.task_prerun.receivers if "signals_demo" in str(key)]
    assert [key for key, *_ in signals.task_prerun.receivers if "signals_demo" in str(key)]
