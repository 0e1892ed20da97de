"""Makes an event of a firing, with its trace, its position and its depth, and hands it over."""

import atexit
import sys
from collections.abc import Callable
from threading import get_ident
from time import perf_counter_ns, time_ns
from types import FrameType
from typing import Any

from signals_demo.catalog.outcomes import ROLLED_BACK
from signals_demo.delivery.writer import writer
from signals_demo.events import Event
from signals_demo.serialize.arguments import Description
from signals_demo.serialize.source import Site
from signals_demo.serialize.text import Text
from signals_demo.tracing import asgi, ignored
from signals_demo.tracing.origins import process_trace
from signals_demo.tracing.outcomes import TransactionOutcome
from signals_demo.tracing.scope import Scope, current, opened
from signals_demo.tracing.trace import Trace


def current_scope(frame: FrameType | None = None) -> Scope:
    """Return where in which trace this code runs; leave the pairs that can no longer close.

    `frame` is the function that sends the signal, if it is known: its pair is certainly open.
    """
    scope = current.get()
    if scope is None or (asgi.is_used and scope.parent is None and scope.key is None):
        scope = _outermost(scope)
    while type(scope.key) is FrameType and scope.key is not frame and _is_over(scope):
        scope = leave_pair(scope)
    return scope


def _outermost(scope: Scope | None) -> Scope:
    """Return the scope of code that no pair is open around: that of its request, if it has one."""
    found = asgi.find() or scope or Scope(process_trace(), None)
    if found is not scope:
        ignored.begin(found.trace)
        current.set(found)
    return found


def _is_over(scope: Scope) -> bool:
    """Return whether the function that sends this pair has ended: it has left the stack.

    The scope knows the thread of that stack. Its context may have been copied into this thread,
    or, under asyncio, have come back from there.
    """
    frame: FrameType | None
    if scope.thread == get_ident():
        frame = sys._getframe()
    else:
        frame = sys._current_frames().get(scope.thread)
    while frame is not None:
        if frame is scope.key:
            return False
        frame = frame.f_back
    return True


def leave_pair(scope: Scope) -> Scope:
    """Close a pair whose closing signal did not come: the save or delete has failed."""
    # A thread that has gone may be a greenlet that is still there: its outcome is set when the
    # scope is collected.
    if scope.outcome is not None and (
        scope.thread == get_ident() or scope.thread in sys._current_frames()
    ):
        scope.outcome.set(ROLLED_BACK)
    parent = scope.parent or Scope(scope.trace, None)
    current.set(parent)
    return parent


def leave_ended_pairs() -> None:
    """Leave the pairs of this context that can no longer close."""
    if current.get() is not None:
        current_scope()


# The next event does this, but the last one of a process has none. Runs before the writer's.
atexit.register(leave_ended_pairs)


def open_pair(scope: Scope, key: object, site: Site | None = None) -> Scope:
    """Open a pair inside `scope`; `key` is how its closing signal will find it."""
    inner = Scope(scope.trace, scope, scope.depth + 1, key, site)
    current.set(inner)
    return inner


def close_pair(pair: Scope) -> int:
    """Close a pair, and the ones left open inside it. Return how long it was open, in ns."""
    inner = current.get()
    if inner is pair or opened(inner, pair.key) is pair:
        while inner is not None and inner is not pair:
            if inner.outcome is not None:
                inner.outcome.set(ROLLED_BACK)
            inner = inner.parent
        current.set(pair.parent)
    pair.key = None  # a frame that is kept keeps its local variables
    return perf_counter_ns() - pair.started


def start_member(group: Scope, member: object) -> None:
    """Note the start of one member of a group: pairs that all open before the first one closes."""
    group.starts = group.starts or {}
    group.starts[member] = perf_counter_ns()


def end_member(group: Scope, member: object) -> int | None:
    """Note the end of one member, and close the group after its last. Return how long it took."""
    starts = group.starts or {}
    started = starts.pop(member, None)
    if not starts:
        close_pair(group)
    return None if started is None else perf_counter_ns() - started


# `Event(…)` is a function in Python that calls this one: without it a create costs 1 % less.
_new_event: Callable[[type[Event], tuple[Any, ...]], Event] = tuple.__new__


def event_of(
    name: str,
    trace: Trace,
    about: Description,
    depth: int,
    site: Site | None,
    duration: int | None,
    outcome: TransactionOutcome | None,
    changes: Text,
) -> Event:
    """Return the event of a firing, with the next numbers of the recorder and of its trace."""
    return _new_event(Event, (
        next(writer.numbers), time_ns(), name, *about, trace, next(trace.positions), depth,
        duration, outcome, site, changes, trace.actor, 1,
    ))  # fmt: skip


def record(
    name: str,
    trace: Trace,
    about: Description,
    depth: int,
    *,
    site: Site | None = None,
    duration: int | None = None,
    outcome: TransactionOutcome | None = None,
    changes: Text = "{}",
) -> None:
    """Hand over the event of one firing."""
    if trace.is_ignored:  # only now has this context found its request
        return
    if trace.folds:  # another signal ends them
        trace.folds.clear()
        trace.construction = trace.loop = None
    writer.put(event_of(name, trace, about, depth, site, duration, outcome, changes))
