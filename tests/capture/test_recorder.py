"""From a firing to its event: counted exactly, in order, as deep as it was nested."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.db import IntegrityError, connections, transaction
from django.db.models import Model
from django.db.models.signals import pre_save
from django.test.utils import isolate_apps

from project.playground.models import Author, Tag
from signals_demo import flush, trace
from signals_demo.capture.pairs import current_scope
from signals_demo.faults import faults
from signals_demo.models import SignalEvent
from signals_demo.serialize.text import storable
from signals_demo.tracing.scope import current
from signals_demo.tracing.trace import Trace
from tests.capture.firings import connected, shape
from tests.recording import kept, recorded, saves, stored


@pytest.mark.django_db(transaction=True)
def test_sequences_have_no_gap_with_eight_threads() -> None:
    def work(number: int) -> None:
        for step in range(10):
            Group.objects.create(name=f"{number} {step}")
        connections.close_all()

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    with trace("start") as start:
        Author()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with trace("end") as end:
        Author()
    first, last = stored(start)[0], stored(end)[-1]
    numbers = SignalEvent.objects.filter(
        recorder=first.recorder, sequence__gte=first.sequence, sequence__lte=last.sequence
    ).values_list("sequence", flat=True)
    assert sorted(numbers) == list(range(first.sequence, last.sequence + 1))
    told = SignalEvent.objects.filter(signal="post_save", sender="auth.Group").firings()
    assert told == 80


@pytest.mark.django_db(transaction=True)
def test_ten_thousand_saves_end_and_none_is_missing() -> None:
    with trace("many") as unit:
        one = Author.objects.create(name="0")
        with transaction.atomic():
            for number in range(1, 10_000):
                one.name = str(number)
                one.save()
    assert flush(60)
    saved = SignalEvent.objects.in_trace(unit.trace_id).filter(signal="post_save")
    assert Counter(saved.values_list("outcome", flat=True)) == {"committed": 10_000}


# Contexts that wander between threads and tasks


@pytest.mark.django_db(transaction=True)
def test_async_saves_at_once_keep_their_own_depth() -> None:
    async def work(number: int) -> Trace:
        with trace(f"task {number}") as unit:
            one = await Author.objects.acreate(name=str(number))
            await one.asave()
        return unit

    async def main() -> list[Trace]:
        return await asyncio.gather(*(work(number) for number in range(10)))

    for unit in asyncio.run(main()):
        rows = shape(stored(unit), "connection_created")
        assert rows == [(0, "pre_save Author"), (0, "post_save Author")] * 2


@pytest.mark.django_db(transaction=True)
def test_a_failed_async_save_leaves_nothing_open_for_the_event_loop() -> None:
    Group.objects.create(name="taken")

    async def main() -> Trace:
        with trace("async") as unit:
            with pytest.raises(IntegrityError):
                await Group.objects.acreate(name="taken")
            Author()  # in the thread of the event loop
            await sync_to_async(Tag, thread_sensitive=False)()  # in a third one
            await Author.objects.acreate(name="Ada")
        return unit

    rows = stored(asyncio.run(main()))
    assert {row.depth for row in rows if row.signal != "connection_created"} == {0}
    assert saves(rows)[0] == ("pre_save", "rolled_back")


@pytest.mark.django_db(transaction=True)
def test_what_another_thread_does_during_a_save_is_nested_in_it_if_it_has_the_context() -> None:
    def note(**kwargs: Any) -> None:
        for target in (Tag, copy_context().run):
            thread = threading.Thread(
                target=target, args=() if target is Tag else (Group,), name="helper"
            )
            thread.start()
            thread.join(10)

    with connected(pre_save, note, Author), trace("unit") as unit:
        Author.objects.create(name="Ada")
    rows = [(row.depth, row.signal, row.sender) for row in stored(unit)]
    assert (1, "pre_init", "auth.Group") in rows
    assert "playground.Tag" not in {sender for _, _, sender in rows}
    assert rows[-1] == (0, "post_save", "playground.Author")


@pytest.mark.django_db(transaction=True)
def test_a_generator_that_rests_between_saves_leaves_nothing_open() -> None:
    def numbered() -> Iterator[Author]:
        for number in range(3):
            yield Author.objects.create(name=str(number))

    with trace("generator") as unit:
        for one in numbered():
            Tag.objects.create(name=one.name)
    rows = stored(unit)
    assert {row.depth for row in rows} == {0}
    assert {outcome for _, outcome in saves(rows)} == {"committed"}


# Memory


@pytest.mark.django_db(transaction=True)
def test_scopes_do_not_pile_up() -> None:
    Author.objects.create(name="taken")

    def deep() -> int:
        scope = current.get()
        depth = 0
        while scope is not None:
            depth += 1
            scope = scope.parent
        return depth

    current_scope()
    before = deep()
    for number in range(50):
        with pytest.raises(IntegrityError):
            Author.objects.create(name="taken")
        Author.objects.create(name=str(number)).delete()
        with trace("block"):
            Author()
    current_scope()
    assert deep() == before


@isolate_apps("tests")
def test_a_fault_with_a_new_model_is_kept_from_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(model: type[Model]) -> bool:
        raise ArithmeticError("no words for it")

    faults.clear()
    with recorded(STRICT=False, EXCLUDE_MODELS=["auth.User"]):
        monkeypatch.setattr("signals_demo.capture.connect.wants_model", refuse)

        class Made(Model):  # noqa: DJ008
            class Meta:
                app_label = "tests"

    assert faults == {"class_prepared: ArithmeticError": 1}
    faults.clear()


@pytest.mark.usefixtures("memory")
def test_a_value_that_cannot_be_rendered_keeps_no_other_event_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(value: Any) -> str:
        if "Boom" in str(value):
            raise ArithmeticError
        return storable(value)

    monkeypatch.setattr("signals_demo.delivery.rows.storable", refuse)
    with trace("unit") as unit:
        Author(name="one")
        Author(name="Boom")
        Author(name="two")
    rows = kept(unit)
    assert [row.signal for row in rows] == ["pre_init", "post_init"] * 3
    assert rows[2].arguments == '{"...":"not rendered"}'
    faults.clear()
