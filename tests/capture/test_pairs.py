"""Pairs whose closing signal never comes: they keep nothing alive, and nothing nests in them."""

import asyncio
import contextvars
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group
from django.db import IntegrityError, models, transaction
from django.db.models.signals import (
    m2m_changed,
    post_delete,
    post_save,
    pre_delete,
    pre_init,
    pre_save,
)

from project.playground.models import Author, Book, Tag
from signals_demo import trace
from tests.capture.firings import connected, shape
from tests.recording import Boom, kept, saves

pytestmark = [pytest.mark.usefixtures("memory"), pytest.mark.django_db(transaction=True)]


class Thing:
    """What a caller of the ORM has at hand."""


def refuse(**kwargs: Any) -> None:
    raise Boom


# What fails in each of these, after its opening signal.


def failing_save(local: object) -> None:
    Author(name="taken").save()


def failing_create(local: object) -> None:
    Author.objects.create(name="taken")


def failing_constructor(local: object) -> None:
    Author(name="x", no_such_field=local)  # type: ignore[misc]


def failing_delete(local: object) -> None:
    with connected(pre_delete, refuse, Tag):
        Tag.objects.get().delete()


def failing_queryset_delete(local: object) -> None:
    with connected(post_delete, refuse, Tag):
        Tag.objects.all().delete()


def failing_link(local: object) -> None:
    with connected(m2m_changed, refuse, Book.tags.through):
        Book.objects.get().tags.add(Tag.objects.get())


def failing_refresh(local: object) -> None:
    author = Author.objects.get()
    with connected(pre_init, refuse, Author):
        author.refresh_from_db()


FAILING: list[Callable[[object], None]] = [
    failing_save,
    failing_create,
    failing_constructor,
    failing_delete,
    failing_queryset_delete,
    failing_link,
    failing_refresh,
]


@pytest.fixture
def _rows() -> None:
    book = Book.objects.create(title="Notes", author=Author.objects.create(name="taken"))
    Tag.objects.create(name="tag")
    book.save()


@pytest.mark.usefixtures("_rows")
@pytest.mark.parametrize("fail", FAILING)
def test_a_failure_keeps_nothing_of_its_callers_alive(fail: Callable[[object], None]) -> None:
    def caller() -> "weakref.ref[Thing]":
        local = Thing()
        with pytest.raises((IntegrityError, TypeError, Boom)):
            fail(local)
        return weakref.ref(local)

    died = caller()
    gc.collect()
    assert died() is None


@pytest.mark.usefixtures("_rows")
@pytest.mark.parametrize("fail", FAILING)
def test_what_comes_after_failures_is_not_inside_them(fail: Callable[[object], None]) -> None:
    # The frames of the calls that follow are at the addresses of those that have failed.
    with trace("unit") as unit:
        for _ in range(5):
            with pytest.raises((IntegrityError, TypeError, Boom)):
                fail(None)
        Tag.objects.create(name="after")
    rows = [row for row in kept(unit) if row.signal != "connection_created"]
    assert {row.depth for row in rows} == {0}
    assert [row[1] for row in saves(rows)[-2:]] == ["committed"] * 2
    assert "committed" not in [row[1] for row in saves(rows)[:-2]]


def test_deletes_that_are_tried_again_have_groups_and_lines_of_their_own() -> None:
    tags = [Tag.objects.create(name=str(number)) for number in range(3)]

    def delete_here(tag: Tag) -> None:
        with pytest.raises(Boom), transaction.atomic():
            tag.delete()

    def delete_there(tag: Tag) -> None:
        with pytest.raises(Boom), transaction.atomic():
            tag.delete()

    with connected(post_delete, refuse, Tag), trace("unit") as unit:
        for _ in range(2):
            for tag in tags:
                delete_here(tag)
                delete_there(tag)
    rows = kept(unit)
    sites = [row.call_site.rpartition(".")[2] for row in rows if row.signal == "pre_delete"]
    assert sites == ["delete_here", "delete_there"] * 6
    assert {row.outcome for row in rows} == {"rolled_back"}
    assert len([row for row in rows if row.duration is not None]) == 12


def test_a_save_that_is_tried_again_in_a_receiver_of_another_stays_inside_that_one() -> None:
    Author.objects.create(name="taken")

    def try_again(**kwargs: Any) -> None:
        for name in ("taken", "taken", "free"):
            try:
                with transaction.atomic():
                    Author.objects.create(name=name)
            except IntegrityError:
                continue

    with connected(pre_save, try_again, Tag), trace("unit") as unit:
        Tag.objects.create(name="outer")
    rows = kept(unit)
    assert shape(rows) == [
        (0, "pre_save Tag"),
        *[(1, "pre_save Author")] * 3,
        (1, "post_save Author"),
        (0, "post_save Tag"),
    ]
    outcomes = [outcome for _, outcome in saves(rows)]
    assert outcomes == ["committed", *["rolled_back"] * 2, *["committed"] * 3]


def test_an_instance_that_is_saved_again_in_its_own_receiver_has_two_pairs() -> None:
    def save_again(instance: Author, **kwargs: Any) -> None:
        if instance.name == "first":
            instance.name = "second"
            instance.save()

    with connected(post_save, save_again, Author), trace("unit") as unit:
        Author.objects.create(name="first")
    assert [depth for depth, _ in shape(kept(unit))] == [0, 0, 0, 0]  # ours was called first
    Author.objects.all().delete()
    with connected(pre_save, save_again, Author), trace("unit") as unit:
        Author(name="first", pk=5).save()
    assert [depth for depth, _ in shape(kept(unit))] == [0, 1, 1, 0]


def test_signals_that_a_manager_sends_by_hand_find_each_other() -> None:
    class Bulk(models.QuerySet[Author]):
        def create_all(self, authors: list[Author]) -> None:
            for author in authors:
                pre_save.send(
                    Author, instance=author, raw=False, using="default", update_fields=None
                )
            for author in authors:
                post_save.send(
                    Author, instance=author, created=True, raw=False, using="default",
                    update_fields=None,
                )  # fmt: skip

    manager = models.Manager.from_queryset(Bulk)()
    manager.model = Author
    with trace("unit") as unit:
        manager.create_all([Author(name=str(number)) for number in range(3)])
        Tag.objects.create(name="after")
    rows = kept(unit)
    assert {outcome for _, outcome in saves(rows)} == {"committed"}
    assert [depth for depth, _ in shape(rows)][-2:] == [0, 0]


@pytest.mark.parametrize("signal", [pre_save, pre_delete, pre_init])
def test_opening_signals_that_are_sent_by_hand_open_nothing(signal: Any) -> None:
    with trace("unit") as unit:
        for _ in range(2):
            signal.send(Group, instance=Group(name="x"), using="default", args=(), kwargs={})
        Author()
    assert {row.depth for row in kept(unit)} == {0}


# Contexts that were copied while a pair was open


async def _slow_save_that_times_out(seconds: float) -> None:
    def wait(**kwargs: Any) -> None:
        time.sleep(seconds)

    with connected(pre_save, wait, Author), pytest.raises(asyncio.TimeoutError):
        async with asyncio.timeout(seconds / 4):
            await Author.objects.acreate(name="slow")


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_inside_an_async_save_that_timed_out(fails: bool) -> None:
    if fails:
        Author.objects.create(name="slow")

    async def main() -> list[Any]:
        with trace("unit") as unit:
            await _slow_save_that_times_out(0.2)
            await asyncio.sleep(0.4)
            Tag()
            await Tag.objects.acreate(name="after")
        gc.collect()  # a traceback may hold the failed save's context
        return kept(unit)

    rows = asyncio.run(main())
    assert {row.depth for row in rows if row.sender == "playground.Tag"} == {0}
    assert saves(rows)[0][1] == ("rolled_back" if fails else "committed")


def test_a_thread_that_outlives_the_save_it_began_in_is_not_inside_it_any_more() -> None:
    is_saved, threads = threading.Event(), []

    def later() -> None:
        Tag(name="during")
        is_saved.wait(10)
        Tag(name="after")

    def begin(**kwargs: Any) -> None:
        threads.append(threading.Thread(target=contextvars.copy_context().run, args=[later]))
        threads[0].start()
        time.sleep(0.1)

    with connected(pre_save, begin, Author), trace("unit") as unit:
        Author.objects.create(name="Ada")
    is_saved.set()
    threads[0].join(10)
    depths = [row.depth for row in kept(unit) if row.sender == "playground.Tag"]
    assert depths == [1, 1, 0, 0]


def test_a_task_that_outlives_the_save_it_began_in_is_not_inside_it_any_more() -> None:
    async def later() -> None:
        await asyncio.sleep(0.05)
        Tag(name="after")

    async def main() -> list[Any]:
        tasks = []

        def begin(**kwargs: Any) -> None:
            async_to_sync(start)()

        async def start() -> None:
            tasks.append(asyncio.get_running_loop().create_task(later()))

        with connected(pre_save, begin, Author), trace("unit") as unit:
            await Author.objects.acreate(name="Ada")
            await asyncio.gather(*tasks)
        return kept(unit)

    depths = [row.depth for row in asyncio.run(main()) if row.sender == "playground.Tag"]
    assert depths == [0, 0]


def test_a_generator_that_is_dropped_inside_a_save_leaves_nothing_open() -> None:
    def rows() -> Iterator[Author]:
        for number in range(2):
            yield Author.objects.create(name=str(number))

    with trace("unit") as unit:
        halfway = rows()
        next(halfway)
        halfway.close()
        Tag.objects.create(name="after")
    assert {row.depth for row in kept(unit)} == {0}
