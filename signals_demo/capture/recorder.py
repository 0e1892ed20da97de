"""Makes events of firings: which trace, in which order, how deep; folds, and hands over."""

import atexit
import sys
from collections.abc import Callable
from threading import get_ident
from time import perf_counter_ns, time_ns
from types import FrameType
from typing import Any

from signals_demo.catalog.outcomes import ROLLED_BACK
from signals_demo.conf import config
from signals_demo.delivery.taps import taps
from signals_demo.delivery.writer import writer
from signals_demo.events import Event, Run
from signals_demo.serialize.arguments import Description
from signals_demo.serialize.source import Site
from signals_demo.serialize.text import Text
from signals_demo.tracing.origins import process_trace
from signals_demo.tracing.outcomes import TransactionOutcome
from signals_demo.tracing.scope import Scope, current, opened
from signals_demo.tracing.trace import Trace


def here(frame: FrameType | None = None) -> Scope:
    """Return where in which trace this code runs, leaving the pairs that can no longer close.

    `frame` is the function that sends the signal, if it is known: its own pair is open for sure.
    """
    scope = current.get()
    if scope is None:
        scope = Scope(process_trace(), None)
        current.set(scope)
    while type(scope.key) is FrameType and scope.key is not frame and _is_over(scope):
        scope = leave(scope)
    return scope


def _is_over(scope: Scope) -> bool:
    """Return whether the function that opened this pair has ended: it is not on the stack.

    Of which thread, tells the scope: its context may have been copied into this one, or, under
    asyncio, have come back from there.
    """
    frame: FrameType | None
    if scope.thread == get_ident():
        frame = sys._getframe(2)
    else:
        frame = sys._current_frames().get(scope.thread)
    while frame is not None:
        if frame is scope.key:
            return False
        frame = frame.f_back
    return True


def leave(scope: Scope) -> Scope:
    """Close a pair whose closing signal did not come: what it was about did not happen."""
    # A thread that has gone may be a greenlet that is still there: its outcome is set when the
    # scope is collected.
    if scope.outcome is not None and (
        scope.thread == get_ident() or scope.thread in sys._current_frames()
    ):
        scope.outcome.set(ROLLED_BACK)
    parent = scope.parent or Scope(scope.trace, None)
    current.set(parent)
    return parent


def tidy() -> None:
    """Leave the pairs of this context that can no longer close."""
    if current.get() is not None:
        here()


# After the last event of a process no other comes to do this. Runs before the writer's call.
atexit.register(tidy)


def enter(scope: Scope, key: object, site: Site | None = None) -> Scope:
    """Open a pair inside `scope`; `key` is how its closing signal will find it."""
    inner = Scope(scope.trace, scope, scope.depth + 1, key, site)
    current.set(inner)
    return inner


def close(pair: Scope) -> int:
    """Close a pair, and the ones left open inside it. Return how long it was open, in ns."""
    inner = current.get()
    if inner is pair or opened(inner, pair.key) is pair:
        while inner is not None and inner is not pair:
            if inner.outcome is not None:
                inner.outcome.set(ROLLED_BACK)
            inner = inner.parent
        current.set(pair.parent)
    pair.key = None  # a frame must not outlive its call through us
    return perf_counter_ns() - pair.started


def _event(
    name: str,
    trace: Trace,
    about: Description,
    depth: int,
    site: Site | None,
    duration: int | None,
    outcome: TransactionOutcome | None,
    changes: Text,
) -> Event:
    return _new(Event, (
        next(writer.numbers), time_ns(), name, *about, trace, next(trace.positions), depth,
        duration, outcome, site, changes, trace.actor, 1,
    ))  # fmt: skip


# What `Event(…)` does as well, by way of one more function.
_new: Callable[[type[Event], tuple[Any, ...]], Event] = tuple.__new__


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
    if trace.runs:
        trace.runs.clear()
        trace.making = trace.latest = None
    writer.put(_event(name, trace, about, depth, site, duration, outcome, changes))


# Folding. A streak counts the pre_init and the post_init signals of one model from one line that
# follow each other in a trace; past FOLD_AFTER of them, a `Run` takes the rest of each.

PRE_INIT, POST_INIT = 0, 1
Streak = list[int | Run]


def streak_of(trace: Trace, label: str, site: Site | None) -> Streak:
    """Return the streak that an init signal is part of."""
    # By identity: a code object hashes all that it holds.
    key = (label, id(site[0]), site[1]) if site else label
    streak = trace.runs.get(key)
    if streak is None:
        streak = trace.runs[key] = [0, 0]
    return streak


def folded(streak: Streak, side: int) -> bool:
    """Count an init firing; return whether a run took it in, so that it needs no event."""
    if taps:  # each firing is an event of its own
        return False
    state = streak[side]
    if type(state) is Run:
        return state.add()
    streak[side] = state + 1  # type: ignore[operator]
    return False


def record_init(
    streak: Streak,
    side: int,
    trace: Trace,
    about: Description,
    depth: int,
    site: Site | None,
    duration: int | None,
) -> None:
    """Hand over the event of an init firing that was not folded."""
    name = "post_init" if side else "pre_init"
    event = _event(name, trace, about, depth, site, duration, None, "{}")
    state = streak[side]
    limit = config().fold_after
    if taps or limit is None or (type(state) is int and state <= limit):
        writer.put(event)
        return
    run = Run(event)
    writer.put_run(run)
    streak[side] = run  # only now: the journal counts from its first line on
