"""`trace()` and `suppress()`, for the project to call."""

import inspect
from collections.abc import Callable
from contextlib import ContextDecorator
from functools import wraps
from types import TracebackType
from typing import Any, TypeVar

from signals_demo.serialize.limits import cut
from signals_demo.tracing import asgi
from signals_demo.tracing.actors import actor_of
from signals_demo.tracing.identity import Identity
from signals_demo.tracing.scope import Scope, current, opened, silent
from signals_demo.tracing.trace import Trace

F = TypeVar("F", bound=Callable[..., Any])


class ContextBlock(ContextDecorator):
    """A context manager that decorates coroutine functions as well."""

    def _recreate_cm(self) -> "ContextBlock":
        raise NotImplementedError

    def __call__(self, func: F) -> F:
        if not inspect.iscoroutinefunction(func):
            return super().__call__(func)

        @wraps(func)
        async def inner(*args: Any, **kwargs: Any) -> Any:
            with self._recreate_cm():  # type: ignore[attr-defined]
                return await func(*args, **kwargs)

        return inner  # type: ignore[return-value]


class trace(ContextBlock):  # noqa: N801
    """Open a unit of work, as a context manager or a decorator (also of async functions).

    `with trace("nightly import", actor=user) as unit:` gives a `Trace` with its `trace_id`.
    `actor` is a user or a name; without it, whoever acts around the block acts in it. Raises
    TypeError for a name that is not a string.
    """

    def __init__(self, name: str, *, actor: object = None) -> None:
        if not isinstance(name, str):
            raise TypeError(
                f"trace() takes the name of the unit of work, a string, not {type(name).__name__};"
                " as a decorator, write @trace('name')."
            )
        self.name = name
        self.actor = actor

    def _recreate_cm(self) -> "trace":
        return trace(self.name, actor=self.actor)

    def __enter__(self) -> Trace:
        around = current.get()
        actor = actor_of(self.actor)
        if actor is None and (outer := around or asgi.find()) is not None:
            who = outer.trace.who
        else:
            who = Identity(actor)
        unit = Trace("block", cut(self.name, 250), who=who)
        current.set(Scope(unit, around, key=self))
        return unit

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Not by a token: the block may end in another context than it began in.
        scope = opened(current.get(), self)
        if scope is not None:
            current.set(scope.parent)


class suppress(ContextBlock):  # noqa: N801
    """Record nothing inside: a context manager and a decorator (also of async functions)."""

    def _recreate_cm(self) -> "suppress":
        return suppress()

    def __enter__(self) -> None:
        silent.set(silent.get() + 1)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        silent.set(max(silent.get() - 1, 0))
