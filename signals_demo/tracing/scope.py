"""Where in a trace this code runs: the pairs of signals that are open around it."""

from collections.abc import Callable
from contextvars import ContextVar
from threading import get_ident
from types import CodeType
from typing import Any

from signals_demo.clock import clock
from signals_demo.serialize.source import Site
from signals_demo.tracing.outcomes import SaveOutcome
from signals_demo.tracing.trace import Trace


class Scope:
    """A point in a trace: outside all pairs (depth 0), or inside a pair that is open in it.

    The pair's closing signal finds it by `key`. Where one Django function sends both signals, that
    is the address of its frame, and `code` is what it runs: the pair is over when the call is. The
    frame itself would be kept alive by a call that fails, and with it the locals of its callers.
    """

    __slots__ = (
        "__weakref__",
        "changes",
        "code",
        "connection",
        "depth",
        "key",
        "outcome",
        "parent",
        "site",
        "started",
        "starts",
        "subject",
        "thread",
        "trace",
    )  # fmt: skip

    def __init__(
        self,
        trace: Trace,
        parent: "Scope | None",
        depth: int = 0,
        key: object = None,
        site: Site | None = None,
        code: CodeType | None = None,
    ) -> None:
        self.trace = trace
        self.parent = parent
        self.depth = depth
        self.key = key
        self.site = site
        self.code = code
        self.outcome: SaveOutcome | None = None
        self.started = clock.perf_counter_ns()
        self.thread = get_ident()
        # Of a group: when each of its members began, and what the group was opened for.
        self.starts: dict[object, int] | None = None
        self.subject: Callable[[], object] | None = None
        # Of a save: where it is written, and what has changed, once that is known.
        self.connection: Any = None
        self.changes: Any = None


def opened(scope: Scope | None, key: object) -> Scope | None:
    """Return the open pair with this key, at or around `scope`."""
    if key is None:
        return None
    while scope is not None and scope.key != key:
        scope = scope.parent
    return scope


REQUEST = "request"
"""The key of the pair that a request is."""

# Where a request keeps its scope, for code that context variables do not reach.
SCOPE_KEY = "signals_demo.scope"

current: ContextVar[Scope | None] = ContextVar("signals_demo_scope", default=None)
IGNORED = 1_000_000
"""Added to `silent` in requests and threads of which nothing is recorded, from start to end."""

# How many `suppress()` blocks this code is in.
silent: ContextVar[int] = ContextVar("signals_demo_silent", default=0)


def current_trace() -> Trace | None:
    """Return the unit of work that is going on, or None if none was opened here."""
    scope = current.get()
    return None if scope is None else scope.trace
