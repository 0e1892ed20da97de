"""Units of work, and the pairs of signals that are open in them.

The module is named `traces` because the package exports the function `trace`.
"""

import inspect
import random
import re
from collections.abc import Callable
from contextlib import ContextDecorator
from contextvars import ContextVar
from functools import wraps
from itertools import count
from threading import get_ident
from time import perf_counter_ns
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from django.db.models import Model
from django.http import HttpRequest

from signals_demo.forks import after_fork
from signals_demo.serialize.limits import cut
from signals_demo.serialize.names import key_text
from signals_demo.serialize.raw import primary_key, unwrapped
from signals_demo.serialize.source import Site
from signals_demo.tracing.transactions import SaveFate

F = TypeVar("F", bound=Callable[..., Any])


class Actor(NamedTuple):
    """Who did it, as text: `pk` is empty for a name without a user."""

    pk: str
    name: str


def actor_of(user: object) -> Actor | None:
    """Return a user as an `Actor`, from what is loaded; None for an anonymous or unloaded one."""
    user = unwrapped(user)
    kind = type(user)
    if issubclass(kind, str):
        return Actor("", cut(str.__str__(user), 200))
    if not issubclass(kind, Model):
        return None
    pk = primary_key(user)  # type: ignore[arg-type]
    if pk is None:
        return None
    name = user.__dict__.get(getattr(kind, "USERNAME_FIELD", ""), "")
    return Actor(key_text(pk), cut(name, 200) if type(name) is str else key_text(name))


# Not the module's own generator: tests seed that one, and would see trace ids twice.
_random = random.Random()  # noqa: S311
after_fork(_random.seed)


class Trace:
    """One unit of work: a request, a command, a task, a `trace()` block, a thread."""

    __slots__ = (
        "actor", "is_over", "is_poll", "latest", "making", "origin", "origin_name", "positions",
        "remote_address", "request", "runs", "stored_without_actor", "trace_id",
    )  # fmt: skip

    def __init__(
        self,
        origin: str,
        name: str,
        *,
        trace_id: str = "",
        actor: Actor | None = None,
        remote_address: str = "",
        is_poll: bool = False,
    ) -> None:
        self.origin = origin
        self.origin_name = name
        self.trace_id = trace_id or f"{_random.getrandbits(128):032x}"
        self.actor = actor
        self.remote_address = remote_address
        self.request: Any = None
        self.is_over = False
        self.is_poll = is_poll
        self.stored_without_actor = False
        self.positions = count(1)
        # Kept by the recorder: streaks of init signals, the instance being made, the one before.
        self.runs: dict[Any, Any] = {}
        self.making: Any = None
        self.latest: Any = None

    def find_actor(self) -> Actor | None:
        """Return the actor, looking at a user that the host has loaded by now."""
        if self.actor is None and self.request is not None:
            known = self.request.__dict__
            self.actor = (
                actor_of(known.get("user"))
                or actor_of(known.get("_cached_user"))
                or actor_of(known.get("_acached_user"))
            )
        return self.actor

    def learn_of(self, request: object) -> None:
        """Take note of the request, if this is one and it has not been noted yet."""
        if self.origin == "request" and self.request is None:
            self.request = request if issubclass(type(request), HttpRequest) else None

    def let_go(self) -> None:
        """Note the actor for good and drop the request, when the work is done."""
        self.find_actor()
        self.request = None
        self.is_over = True


class Scope:
    """A point in a trace: its ground (depth 0), or the inside of a pair that is open in it.

    `key` tells the pair's closing signal. Where it is a frame, that of the Django function which
    sends both, the pair is over when the function is, closing signal or not.
    """

    __slots__ = (
        "__weakref__", "connection", "depth", "fate", "key", "knows_row", "parent", "site",
        "started", "starts", "thread", "trace",
    )  # fmt: skip

    def __init__(
        self,
        trace: Trace,
        parent: "Scope | None",
        depth: int = 0,
        key: object = None,
        site: Site | None = None,
    ) -> None:
        self.trace = trace
        self.parent = parent
        self.depth = depth
        self.key = key
        self.site = site
        self.fate: SaveFate | None = None
        self.started = perf_counter_ns()
        self.thread = get_ident()
        self.starts: dict[object, int] | None = None
        # Of a save: where it is written, and whether it is known what the row held.
        self.connection: Any = None
        self.knows_row = True


def opened(scope: Scope | None, key: object) -> Scope | None:
    """Return the open pair with this key, at or around `scope`."""
    if key is None:
        return None
    while scope is not None and scope.key != key:
        scope = scope.parent
    return scope


# Where a request's scope is kept for those whom context variables do not reach.
SCOPE_KEY = "signals_demo.scope"

current: ContextVar[Scope | None] = ContextVar("signals_demo_scope", default=None)
# How many `suppress()` blocks this code is in.
silent: ContextVar[int] = ContextVar("signals_demo_silent", default=0)

_TRACEPARENT = r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?"


def trace_id_of(traceparent: str) -> str:
    """Return the trace id of a W3C `traceparent` header, or "" if it is not a valid one."""
    match = re.fullmatch(_TRACEPARENT, traceparent.strip())
    if match is None:
        return ""
    version, trace_id, parent_id, more = match.groups()
    if version == "ff" or (version == "00" and more):
        return ""
    return trace_id if int(trace_id, 16) and int(parent_id, 16) else ""


def current_trace() -> Trace | None:
    """Return the unit of work that is going on, or None if none was opened here."""
    scope = current.get()
    return None if scope is None else scope.trace


class Block(ContextDecorator):
    """A context manager that decorates coroutine functions as well."""

    def _recreate_cm(self) -> "Block":
        raise NotImplementedError

    def __call__(self, func: F) -> F:
        if not inspect.iscoroutinefunction(func):
            return super().__call__(func)

        @wraps(func)
        async def inner(*args: Any, **kwargs: Any) -> Any:
            with self._recreate_cm():  # type: ignore[attr-defined]
                return await func(*args, **kwargs)

        return inner  # type: ignore[return-value]


class trace(Block):  # noqa: N801
    """Open a unit of work, as a context manager or a decorator (also of async functions).

    `with trace("nightly import", actor=user) as unit:` gives a `Trace` with its `trace_id`.
    `actor` is a user or a name. Raises TypeError for a name that is not a string.
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
        unit = Trace("block", cut(self.name, 250), actor=actor_of(self.actor))
        current.set(Scope(unit, current.get(), key=self))
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


class suppress(Block):  # noqa: N801
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
