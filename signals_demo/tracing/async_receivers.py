"""Keeps the async receivers of one signal apart.

From Django 6.1 on, they all run in one context, so each would see the traces and `suppress()`
blocks that the others open. Up to 6.0, each ran in a copy.
"""

from collections.abc import Awaitable, Generator
from functools import partial
from types import coroutine
from typing import Any, TypeVar

from django.dispatch import dispatcher

from signals_demo.tracing.patches import Function, Patch
from signals_demo.tracing.scope import Scope, current, silent

T = TypeVar("T")
State = tuple[Scope | None, int]


def _swap(state: State) -> State:
    """Set the recorder's context variables, and return what they were."""
    previous = current.get(), silent.get()
    current.set(state[0])
    silent.set(state[1])
    return previous


async def _await(receiver: Awaitable[T]) -> T:
    return await receiver


@coroutine
def _keep_apart(receiver: Awaitable[T]) -> Generator[Any, Any, T]:
    """Await a receiver; whenever it runs, the recorder's context variables are its own."""
    # Not by the task: what the receiver starts, threads and tasks, copies the context as it is.
    running = _await(receiver)
    own = current.get(), silent.get()
    step = partial(running.send, None)
    while True:
        shared = _swap(own)
        try:
            awaited = step()
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        finally:
            own = _swap(shared)
        try:
            step = partial(running.send, (yield awaited))
        except BaseException as error:  # noqa: BLE001 - the receiver handles it, or raises it
            step = partial(running.throw, error)


def _wrap(run_parallel: Function) -> Function:
    return lambda *receivers: run_parallel(*map(_keep_apart, receivers))


_patch = Patch(dispatcher, "_run_parallel", _wrap)
install = _patch.install
uninstall = _patch.uninstall
