"""Async receivers of one signal run at the same time, and do not see each other's traces."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import django
import pytest
from asgiref.sync import ThreadSensitiveContext, async_to_sync, sync_to_async
from django.dispatch import Signal

from project.playground.models import Author
from signals_demo import suppress, trace
from signals_demo.tracing.scope import current_trace
from signals_demo.tracing.trace import Trace
from tests.recording import MEMORY, kept, recorded

INIT = ["pre_init", "post_init"]

Receiver = Callable[..., Any]


@pytest.fixture(autouse=True)
def memory(recording: None) -> Iterator[None]:
    with recorded(SINKS=MEMORY, FOLD_AFTER=None):
        yield


async def _as_in_a_request(sending: Awaitable[Any]) -> None:
    # Elsewhere two async receivers cannot both use threads: Django 6.1 reports a deadlock.
    async with ThreadSensitiveContext():
        await sending


@pytest.fixture(
    params=[
        lambda signal: asyncio.run(_as_in_a_request(signal.asend(None))),
        lambda signal: asyncio.run(_as_in_a_request(signal.asend_robust(None))),
        lambda signal: signal.send(None),
        lambda signal: signal.send_robust(None),
    ],
    ids=["asend", "asend_robust", "send", "send_robust"],
)
def send(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Return what sends a new signal to some receivers."""

    def send(*receivers: Receiver) -> None:
        signal = Signal()
        for receiver in receivers:
            signal.connect(receiver, weak=False)
        request.param(signal)

    return send


def fired(unit: Trace) -> list[str]:
    return [row.signal for row in kept(unit)]


Send = Callable[..., None]


def test_suppress_in_one_does_not_silence_another(send: Send) -> None:
    entered, fires = asyncio.Event(), asyncio.Event()

    async def quiet(**kwargs: Any) -> None:
        with suppress():
            entered.set()
            await fires.wait()
            Author()

    async def loud(**kwargs: Any) -> None:
        await entered.wait()
        Author()
        await sync_to_async(Author)()
        fires.set()

    with trace("around") as unit:
        send(quiet, loud)
        assert fired(unit) == INIT * 2
        Author()
    assert fired(unit) == INIT * 3


def _meeting(number: int) -> Callable[[], Any]:
    """Return what waits until that many have called it."""
    arrived = 0
    all_here = asyncio.Event()

    async def meet() -> None:
        nonlocal arrived
        arrived += 1
        if arrived % number == 0:
            all_here.set()
        await all_here.wait()

    return meet


def _in_a_block(
    name: str, units: dict[str, Trace], meet: Callable[[], Any], fire: Callable[[], Any]
) -> Receiver:
    async def receive(**kwargs: Any) -> None:
        with trace(name) as unit:
            units[name] = unit
            await meet()
            await fire()
            await asyncio.sleep(0)
            await fire()
        units[f"after {name}"] = current_trace()  # type: ignore[assignment]

    return receive


async def _fire() -> None:
    Author()


async def _fire_in_a_task() -> None:
    await asyncio.create_task(_fire())


async def _fire_after_others() -> None:
    for _ in range(3):
        await asyncio.sleep(0)
        await sync_to_async(Author, thread_sensitive=False)()
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("fire", "times"),
    [
        (_fire, 2),
        (sync_to_async(Author), 2),
        (sync_to_async(Author, thread_sensitive=False), 2),
        (sync_to_async(async_to_sync(_fire)), 2),
        (_fire_in_a_task, 2),
        (_fire_after_others, 6),
    ],
)
def test_each_has_its_own_trace(send: Send, fire: Callable[[], Any], times: int) -> None:
    units: dict[str, Trace] = {}
    names = ["A", "B", "C"]
    meet = _meeting(len(names))
    with trace("around") as around:
        send(*(_in_a_block(name, units, meet, fire) for name in names))
    for name in names:
        assert fired(units[name]) == INIT * times
        assert units[f"after {name}"] is around
    assert fired(around) == []


def test_a_receiver_that_leaves_its_block_does_not_end_those_of_others(send: Send) -> None:
    units: dict[str, Trace] = {}
    is_left = asyncio.Event()

    async def brief(**kwargs: Any) -> None:
        with trace("brief"), suppress():
            await asyncio.sleep(0)
        is_left.set()

    async def long(**kwargs: Any) -> None:
        with trace("long") as units["long"]:
            await is_left.wait()
            Author()
            with suppress():
                await asyncio.sleep(0)
                Author()

    send(brief, long, brief)
    assert fired(units["long"]) == INIT


def test_receivers_of_a_signal_that_a_receiver_sends(send: Send) -> None:
    units: dict[str, Trace] = {}
    meet = _meeting(2)
    inner = Signal()
    inner.connect(_in_a_block("A", units, meet, _fire), weak=False)
    inner.connect(_in_a_block("B", units, meet, _fire), weak=False)

    async def outer(**kwargs: Any) -> None:
        with trace("outer") as units["outer"]:
            await inner.asend(None)
            Author()

    send(outer, _in_a_block("C", units, _meeting(1), sync_to_async(Author)))
    assert fired(units["A"]) == fired(units["B"]) == fired(units["C"]) == INIT * 2
    assert units["after A"] is units["after B"] is units["outer"]
    assert fired(units["outer"]) == INIT


def test_what_an_error_ends_is_left_in_its_own_trace(send: Send) -> None:
    units: dict[str, Trace] = {}

    async def waits(**kwargs: Any) -> None:
        with trace("waits") as units["waits"]:
            try:
                await asyncio.sleep(0.05)
            finally:  # Django 6.1 cancels it
                Author()

    async def fails(**kwargs: Any) -> None:
        await asyncio.sleep(0)
        with trace("fails") as units["fails"], suppress():
            raise ZeroDivisionError

    before = current_trace()
    with contextlib.suppress(ZeroDivisionError):  # the robust ways return it
        send(waits, fails)
    assert fired(units["waits"]) == INIT
    assert current_trace() is before
    with trace("after") as unit:
        Author()
    assert fired(unit) == INIT


def test_their_results_and_errors_are_what_django_makes_of_them() -> None:
    async def answers(**kwargs: Any) -> str:
        await asyncio.sleep(0)
        return "an answer"

    async def fails(**kwargs: Any) -> None:
        raise ZeroDivisionError

    signal = Signal()
    signal.connect(answers)
    assert asyncio.run(signal.asend(None)) == [(answers, "an answer")]
    signal.connect(fails)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(signal.asend(None))
    (_, answer), (_, error) = asyncio.run(signal.asend_robust(None))
    assert answer == "an answer"
    assert isinstance(error, ZeroDivisionError)


def test_the_context_variables_of_the_project_are_as_django_has_them() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    seen: list[str] = []

    async def sets(**kwargs: Any) -> None:
        variable.set("set")

    async def reads(**kwargs: Any) -> None:
        await asyncio.sleep(0)
        seen.append(variable.get())

    async def main() -> None:
        signal = Signal()
        signal.connect(sets)
        signal.connect(reads)
        await signal.asend(None)
        seen.append(variable.get())

    asyncio.run(main())
    shared = django.VERSION >= (6, 1)
    assert seen == (["set", "set"] if shared else ["unset", "unset"])


def test_a_receiver_that_is_cancelled_can_clean_up() -> None:
    caught: list[str] = []

    async def waits(**kwargs: Any) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            caught.append("cancelled")
            raise

    async def main() -> None:
        signal = Signal()
        signal.connect(waits)
        task = asyncio.create_task(signal.asend(None))
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert caught == ["cancelled"]
