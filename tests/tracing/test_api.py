"""Units of work: which firing belongs to which, by whom, and what is left out."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextvars import copy_context

import pytest
from django.contrib.auth.models import AnonymousUser, User

from project.playground.models import Author
from signals_demo import suppress, trace
from signals_demo.tracing.scope import current_trace
from signals_demo.tracing.trace import Trace
from tests.recording import MEMORY, kept, recorded


@pytest.fixture(autouse=True)
def memory(recording: None) -> Iterator[None]:
    with recorded(SINKS=MEMORY, FOLD_AFTER=None):
        yield


def fired(unit: Trace) -> list[str]:
    return [row.signal for row in kept(unit)]


# The block


def test_a_block_is_a_unit_of_work_with_its_name() -> None:
    with trace("nightly import") as unit:
        Author()
    rows = kept(unit)
    assert [(row.signal, row.position, row.depth) for row in rows] == [
        ("pre_init", 1, 0),
        ("post_init", 2, 0),
    ]
    assert {(row.origin, row.origin_name) for row in rows} == {("block", "nightly import")}
    assert len(unit.trace_id) == 32


def test_a_block_in_another_is_a_unit_of_its_own_and_returns_to_the_outer() -> None:
    with trace("outer") as outer:
        Author()
        with trace("inner") as inner:
            Author()
        Author()
    assert fired(inner) == ["pre_init", "post_init"]
    assert [row.position for row in kept(outer)] == [1, 2, 3, 4]


def test_a_block_that_raises_is_left() -> None:
    before = current_trace()
    with pytest.raises(ZeroDivisionError), trace("fails"):
        _ = 1 / 0
    assert current_trace() is before


def test_blocks_have_different_ids() -> None:
    ids = set()
    for _ in range(100):
        with trace("one") as unit:
            ids.add(unit.trace_id)
    assert len(ids) == 100


def test_seeding_the_random_module_does_not_repeat_ids() -> None:
    import random

    ids = set()
    for _ in range(2):
        random.seed(1)
        with trace("one") as unit:
            ids.add(unit.trace_id)
    assert len(ids) == 2


def test_a_decorated_function_is_a_unit_for_each_call() -> None:
    units: list[Trace | None] = []

    @trace("job")
    def job(depth: int) -> str:
        units.append(current_trace())
        Author()
        return job(depth - 1) if depth else "done"

    assert job(1) == "done"
    first, second = units
    assert first is not None
    assert second is not None
    assert first.trace_id != second.trace_id
    assert fired(first) == fired(second) == ["pre_init", "post_init"]
    assert job.__name__ == "job"


def test_decorated_async_functions_that_overlap_do_not_mix() -> None:
    units: dict[int, Trace | None] = {}

    @trace("job")
    async def job(number: int) -> None:
        units[number] = current_trace()
        for _ in range(3):
            await asyncio.sleep(0)
            Author()

    async def main() -> None:
        await asyncio.gather(*(job(number) for number in range(10)))

    asyncio.run(main())
    for unit in units.values():
        assert unit is not None
        assert fired(unit) == ["pre_init", "post_init"] * 3
    assert len({unit.trace_id for unit in units.values() if unit}) == 10


def test_a_decorator_without_a_name_says_how_to_write_it() -> None:
    with pytest.raises(TypeError, match=r"write @trace\('name'\)"):
        trace(lambda: None)  # type: ignore[arg-type]


def test_one_trace_object_may_be_entered_by_several_threads_at_once() -> None:
    shared = trace("shared")
    both_in = threading.Barrier(2)
    units: list[Trace] = []
    leftovers: list[Trace | None] = []

    def work() -> None:
        with shared as unit:
            units.append(unit)
            both_in.wait(10)
            Author()
            both_in.wait(10)
        leftovers.append(current_trace())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert leftovers == [None, None]
    assert [fired(unit) for unit in units] == [["pre_init", "post_init"]] * 2


def test_a_block_that_ends_in_another_context_raises_nothing() -> None:
    block = trace("begun elsewhere")
    before = current_trace()
    copy_context().run(block.__enter__)
    block.__exit__(None, None, None)
    assert current_trace() is before


def test_a_block_around_an_async_generator_ends_where_it_is_closed() -> None:
    async def numbers() -> AsyncIterator[int]:
        with trace("generator"):
            yield 1
            yield 2

    async def main() -> Trace | None:
        generator = numbers()
        await anext(generator)
        await asyncio.create_task(generator.aclose())  # type: ignore[attr-defined]
        return None

    asyncio.run(main())


def test_a_thread_is_a_unit_named_after_it() -> None:
    units: list[Trace | None] = []

    def work() -> None:
        Author()
        units.append(current_trace())

    thread = threading.Thread(target=work, name="importer")
    thread.start()
    thread.join(10)
    (unit,) = units
    assert unit is not None
    (row, _) = kept(unit)
    assert (row.origin, row.origin_name) == ("process", "thread importer")


def test_work_handed_to_a_thread_with_its_context_stays_in_the_unit() -> None:
    with trace("pool") as unit:
        context = copy_context()
        thread = threading.Thread(target=lambda: context.run(Author))
        thread.start()
        thread.join(10)
        Author()
    assert [row.position for row in kept(unit)] == [1, 2, 3, 4]


# suppress()


def test_nothing_is_recorded_in_a_suppress_block_and_all_after_it() -> None:
    with trace("unit") as unit:
        with suppress():
            Author()
            with suppress():
                Author()
            Author()
        assert fired(unit) == []
        Author()
    assert fired(unit) == ["pre_init", "post_init"]


def test_suppress_decorates_functions_and_coroutines() -> None:
    @suppress()
    def quiet() -> str:
        Author()
        return "sync"

    @suppress()
    async def also_quiet() -> str:
        await asyncio.sleep(0)
        Author()
        return "async"

    with trace("unit") as unit:
        assert quiet() == "sync"
        assert asyncio.run(also_quiet()) == "async"
    assert fired(unit) == []


def test_suppress_in_one_task_does_not_silence_another() -> None:
    async def quiet(turn: asyncio.Event) -> None:
        with suppress():
            turn.set()
            await asyncio.sleep(0.01)
            Author()

    async def loud(turn: asyncio.Event) -> Trace:
        await turn.wait()
        with trace("loud") as unit:
            Author()
        return unit

    async def main() -> Trace:
        turn = asyncio.Event()
        _, unit = await asyncio.gather(quiet(turn), loud(turn))
        return unit

    assert fired(asyncio.run(main())) == ["pre_init", "post_init"]


def test_suppress_that_ends_in_another_context_raises_nothing_and_hides_nothing() -> None:
    block = suppress()
    copy_context().run(block.__enter__)
    block.__exit__(None, None, None)
    with trace("unit") as unit:
        Author()
    assert fired(unit) == ["pre_init", "post_init"]


def test_a_suppress_block_that_raises_is_left() -> None:
    with pytest.raises(ZeroDivisionError), suppress():
        _ = 1 / 0
    with trace("unit") as unit:
        Author()
    assert fired(unit) == ["pre_init", "post_init"]


def test_the_actor_of_a_block_is_a_user_or_a_name() -> None:
    with trace("by a user", actor=User(pk=7, username="ada")) as by_user:
        Author()
    with trace("by a name", actor="cron") as by_name:
        Author()
    with trace("by nobody", actor=AnonymousUser()) as by_nobody:
        Author()
    assert {(row.actor_pk, row.actor) for row in kept(by_user)} == {("7", "ada")}
    assert {(row.actor_pk, row.actor) for row in kept(by_name)} == {("", "cron")}
    assert {(row.actor_pk, row.actor) for row in kept(by_nobody)} == {("", "")}
