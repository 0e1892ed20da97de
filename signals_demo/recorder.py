"""Makes events of firings: which trace, in which order, how deep; folds, and hands over."""

import atexit
import sys
import time
from itertools import count
from threading import get_ident
from types import FrameType

from signals_demo.callsites import Site
from signals_demo.changes import Changes
from signals_demo.conf import config
from signals_demo.describe import Description
from signals_demo.events import Event, Run
from signals_demo.origins import process_trace
from signals_demo.traces import Scope, Trace, current
from signals_demo.transactions import ROLLED_BACK, Fate
from signals_demo.writer import after_fork, writer


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
    # A thread that is not there any more may be a greenlet that is: then its fate is settled when
    # the scope is collected.
    if scope.fate is not None and (
        scope.thread == get_ident() or scope.thread in sys._current_frames()
    ):
        scope.fate.settle(ROLLED_BACK)
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


def opened(scope: Scope | None, key: object) -> Scope | None:
    """Return the open pair with this key, at or around `scope`."""
    if key is None:
        return None
    while scope is not None and scope.key != key:
        scope = scope.parent
    return scope


def close(pair: Scope) -> int:
    """Close a pair, and the ones left open inside it. Return how long it was open, in ns."""
    inner = current.get()
    if inner is pair or opened(inner, pair.key) is pair:
        while inner is not None and inner is not pair:
            if inner.fate is not None:
                inner.fate.settle(ROLLED_BACK)
            inner = inner.parent
        current.set(pair.parent)
    pair.key = None  # a frame must not outlive its call through us
    return time.perf_counter_ns() - pair.started


_sequence = count(1)


def restart() -> None:
    """Number the events of this process from 1, and leave its parent's runs to the parent."""
    global _sequence
    _sequence = count(1)
    Run.generation += 1


after_fork(restart)


def _event(
    name: str,
    trace: Trace,
    about: Description,
    depth: int,
    site: Site | None,
    duration: int | None,
    fate: Fate | None,
    changes: Changes | None,
) -> Event:
    return Event(
        next(_sequence), time.time_ns(), name, about.sender, trace, next(trace.positions), depth,
        duration, about.object_pk, about.database, fate, site, about.arguments, changes,
        about.exception, trace.actor, 1,
    )  # fmt: skip


def record(
    name: str,
    trace: Trace,
    about: Description,
    depth: int,
    *,
    site: Site | None = None,
    duration: int | None = None,
    fate: Fate | None = None,
    changes: Changes | None = None,
) -> None:
    """Hand over the event of one firing."""
    if trace.runs:
        trace.runs.clear()
    writer.put(_event(name, trace, about, depth, site, duration, fate, changes))


# Folding. `trace.runs` counts like init firings since the last other event of the trace; past
# FOLD_AFTER of them, the count becomes the `Run` that takes the rest.

RunKey = tuple[str, str, Site | None]


def folded(trace: Trace, key: RunKey) -> bool:
    """Count an init firing; return whether a run took it in, so that it needs no event."""
    streak = trace.runs.get(key, 0)
    if type(streak) is Run:
        return streak.add()
    trace.runs[key] = streak + 1
    return False


def record_init(
    trace: Trace, key: RunKey, about: Description, depth: int, duration: int | None
) -> None:
    """Hand over the event of an init firing that was not folded."""
    event = _event(key[0], trace, about, depth, key[2], duration, None, None)
    streak = trace.runs.get(key, 0)
    limit = config().fold_after
    if limit is None or (type(streak) is int and streak <= limit):
        writer.put(event)
        return
    run = trace.runs[key] = Run(event)
    writer.put(run)
