"""Where in a trace this code runs: the pairs of signals that are open around it."""

from contextvars import ContextVar
from threading import get_ident
from time import perf_counter_ns
from typing import Any

from signals_demo.serialize.source import Site
from signals_demo.tracing.outcomes import SaveOutcome
from signals_demo.tracing.trace import Trace


class Scope:
    """A point in a trace: outside all pairs (depth 0), or inside a pair that is open in it.

    The pair's closing signal finds it by `key`. Where that is a frame, the one of the Django
    function that sends both signals, the pair is over when the function is.
    """

    __slots__ = (
        "__weakref__",
        "connection",
        "depth",
        "key",
        "knows_row",
        "outcome",
        "parent",
        "site",
        "started",
        "starts",
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
    ) -> None:
        self.trace = trace
        self.parent = parent
        self.depth = depth
        self.key = key
        self.site = site
        self.outcome: SaveOutcome | None = None
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


REQUEST = "request"
"""The key of the pair that a request is."""

# Where a request keeps its scope, for code that context variables do not reach.
SCOPE_KEY = "signals_demo.scope"

current: ContextVar[Scope | None] = ContextVar("signals_demo_scope", default=None)
# How many `suppress()` blocks this code is in.
silent: ContextVar[int] = ContextVar("signals_demo_silent", default=0)


def current_trace() -> Trace | None:
    """Return the unit of work that is going on, or None if none was opened here."""
    scope = current.get()
    return None if scope is None else scope.trace
