"""The pairs of signals that are open: which contain this code, which will never close."""

import sys
from threading import get_ident
from types import FrameType

from signals_demo.capture import celery
from signals_demo.catalog.outcomes import ROLLED_BACK
from signals_demo.clock import clock
from signals_demo.exits import at_end
from signals_demo.serialize.source import Site
from signals_demo.tracing import asgi, ignored
from signals_demo.tracing.origins import process_trace
from signals_demo.tracing.scope import Scope, current, opened

LONGEST = 3600 * 10**9  # nanoseconds that a unit of work lasts which has no end
_PROCESSES = frozenset({"process", "command", "shell"})


def current_scope(frame: FrameType | None = None, *, opens: bool = False) -> Scope:
    """Return where in which trace this code runs; leave the pairs that can no longer close.

    `frame` is that of the function that sends the signal, if it is known. Its pair is certainly
    open, unless the signal `opens` one.
    """
    scope = current.get()
    if scope is None or (
        scope.key is None and scope.parent is None and (asgi.is_used or _is_old(scope))
    ):
        scope = _outermost(scope)
    if scope.code is not None and (opens or scope.key != id(frame)):
        scope = _leave_ended(scope, id(frame), opens)
    return scope


def _is_old(scope: Scope) -> bool:
    """Return whether a daemon, a shell or a websocket server should begin a new unit of work."""
    is_long_ago = clock.perf_counter_ns() - scope.started > LONGEST
    return is_long_ago and scope.trace.origin in _PROCESSES


def _outermost(scope: Scope | None) -> Scope:
    """Return the scope of code that no pair is open around: that of its request, if it has one."""
    celery.follow()
    if scope is not None and _is_old(scope):
        scope = None
    found = asgi.find() or scope or Scope(process_trace(), None)
    if found is not scope:
        ignored.begin(found.trace)
        current.set(found)
    return found


# Each call of these opens one pair, or one group. Others pass on what the project sends by hand.
_OPEN_ONCE = frozenset({"__init__", "save_base", "delete", "_add_items", "_remove_items", "clear"})


def _leave_ended(scope: Scope, sender: int, opens: bool) -> Scope:
    """Leave the pairs whose call has ended; `sender` is the address of a frame that runs."""
    while scope.code is not None:
        if scope.key != sender:
            ended = _is_over(scope)
        else:  # of another call, which has failed: its frame had the same address
            ended = opens and scope.code.co_name in _OPEN_ONCE
        if not ended:
            break
        scope = leave_pair(scope)
    return scope


def _is_over(scope: Scope) -> bool:
    """Return whether the call that sends this pair has ended: it has left the stack.

    The scope knows the thread of that stack. Its context may have been copied into this thread,
    or, under asyncio, have come back from there.
    """
    if scope.key is None:  # closed, where this context was copied from
        return True
    frame: FrameType | None
    if scope.thread == get_ident():
        frame = sys._getframe()
    else:
        frame = sys._current_frames().get(scope.thread)
    while frame is not None:
        if id(frame) == scope.key and frame.f_code is scope.code:
            return False
        frame = frame.f_back
    return True


def leave_pair(scope: Scope) -> Scope:
    """Close a pair whose closing signal did not come: the save or delete has failed."""
    # A thread that has gone may be a greenlet that is still there: its outcome is set when the
    # scope is collected.
    is_here = scope.thread == get_ident() or scope.thread in sys._current_frames()
    if scope.outcome is not None and scope.key is not None and is_here:
        scope.outcome.set(ROLLED_BACK)
    parent = scope.parent or Scope(scope.trace, None)
    current.set(parent)
    return parent


def leave_ended_pairs() -> None:
    """Leave the pairs of this context that can no longer close."""
    if current.get() is not None:
        current_scope()


# The next event does this, but the last one of a process has none. Runs before the writer's.
at_end(leave_ended_pairs)


def open_pair(scope: Scope, key: object) -> Scope:
    """Open a pair inside `scope`; `key` is how its closing signal will find it."""
    inner = Scope(scope.trace, scope, scope.depth + 1, key)
    current.set(inner)
    return inner


def open_call(scope: Scope, frame: FrameType, site: Site | None = None) -> Scope:
    """Open a pair inside `scope`, both signals of which the call in this frame sends."""
    inner = Scope(scope.trace, scope, scope.depth + 1, id(frame), site, frame.f_code)
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
    pair.key = None  # its frame's address becomes that of another
    return clock.perf_counter_ns() - pair.started


def goes_on(group: Scope, frame: FrameType, member: object, subject: object = None) -> bool:
    """Return whether the call in this frame has opened a group that this member belongs to.

    A call before it, which failed, may have left a group and had its frame at the same address.
    Then that was opened for another subject, or a member of it begins again.
    """
    if group.key != id(frame) or member in (group.starts or ()):
        return False
    return group.subject is None or group.subject() is subject


def start_member(group: Scope, member: object) -> None:
    """Note the start of one member of a group: pairs that all open before the first one closes."""
    group.starts = group.starts or {}
    group.starts[member] = clock.perf_counter_ns()


def end_member(group: Scope, member: object) -> int | None:
    """Note the end of one member, and close the group after its last. Return how long it took."""
    starts = group.starts or {}
    started = starts.pop(member, None)
    if not starts:
        close_pair(group)
    return None if started is None else clock.perf_counter_ns() - started
