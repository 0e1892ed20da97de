"""What happens when a signal fires: find its place in the trace, describe it, record it.

A function for each signal that is half of a pair, and one for those that stand alone. They run
two calls below `Signal.send`: the receiver and themselves.
"""

import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from asgiref.sync import SyncToAsync, ThreadSensitiveContext
from django.contrib.auth import get_user
from django.core.handlers.base import BaseHandler
from django.core.management.sql import emit_pre_migrate_signal
from django.http.response import HttpResponseBase

from signals_demo.capture.call_sites import (
    call_site,
    find_frame,
    making_site,
    refreshing,
    sending_frame,
)
from signals_demo.capture.recorder import (
    POST_INIT,
    PRE_INIT,
    Streak,
    close,
    enter,
    folded,
    here,
    record,
    record_init,
    streak_of,
)
from signals_demo.catalog.outcomes import COMMITTED, OPEN
from signals_demo.conf import config
from signals_demo.delivery.throttle import throttle
from signals_demo.delivery.writer import writer
from signals_demo.events import Attribution
from signals_demo.serialize import arguments, diff
from signals_demo.serialize.arguments import Describer, Description, Named
from signals_demo.serialize.model_info import ModelInfo
from signals_demo.serialize.source import Site
from signals_demo.serialize.tasks import task_name
from signals_demo.serialize.text import Text
from signals_demo.tracing import origins
from signals_demo.tracing.outcomes import SaveOutcome, TransactionOutcome
from signals_demo.tracing.scope import SCOPE_KEY, Scope, current, opened, silent
from signals_demo.tracing.trace import Trace, actor_of
from signals_demo.tracing.transactions import connection_to, outcome_on

_GET_USER = get_user.__code__
_CLOSE = HttpResponseBase.close.__code__
_GET_RESPONSE = BaseHandler.get_response.__code__
_EMIT_PRE_MIGRATE = emit_pre_migrate_signal.__code__

_DONE = TransactionOutcome()
_DONE.set(COMMITTED)
_UNKNOWN = TransactionOutcome()
_UNKNOWN.set(OPEN)


def _site(frame: FrameType | None) -> Site | None:
    return call_site(frame) if config().call_sites else None


def _end(
    pair: Scope | None, scope: Scope, frame: FrameType | None
) -> tuple[int, Site | None, int | None]:
    """Close a pair, if there is one. Return depth, call site and duration of its last event."""
    if pair is None:
        return scope.depth, _site(frame), None
    return pair.depth - 1, pair.site, close(pair)


# Model signals. Each pair is sent by one function of the ORM, whose frame is the pair's key.


class Making(NamedTuple):
    """An instance that is being made: what its pre_init found, for its post_init."""

    frame: FrameType | None
    scope: Scope | None
    """Where it was before its own pair, if that is known."""
    streak: Streak
    site: Site | None
    refresh: FrameType | None
    """The `refresh_from_db()` of another instance that loads this one."""


class Latest(NamedTuple):
    """The call site of the latest instance, for the next row of the same loop."""

    info: ModelInfo
    site: Site
    distance: int
    streak: Streak

    def is_here(self) -> bool:
        """Return whether the same instruction of the host's is at work, as far away as before."""
        try:
            frame = sys._getframe(self.distance)
        except ValueError:  # so far away there is nothing
            return False
        code, offset = self.site
        return frame.f_code is code and frame.f_lasti == offset


def on_pre_init(info: ModelInfo, named: Named) -> None:
    frame = sending_frame(sys._getframe(3))
    scope = here(frame)
    trace = scope.trace
    site: Site | None
    refresh = None
    latest: Latest | None = trace.latest
    if latest is not None and latest.info is info and latest.is_here():
        streak, site = latest.streak, latest.site
    else:
        site, distance, refresh = making_site(frame)
        if not info.config.call_sites:
            site = None
        streak = streak_of(trace, info.label, site)
        # From `is_here`, which is called from where this is.
        trace.latest = Latest(info, site, distance + 4, streak) if site and distance else None
    if frame is not None:
        trace.making = _new_making(Making, (frame, scope, streak, site, refresh))
    if folded(streak, PRE_INIT):
        return
    about = arguments.pre_init(info, named)
    record_init(streak, PRE_INIT, trace, about, scope.depth, site, None)
    if frame is not None:
        enter(scope, frame, site)


# What `Making(…)` does as well, by way of one more function.
_new_making: Callable[[type[Making], tuple[Any, ...]], Making] = tuple.__new__


def on_post_init(info: ModelInfo, named: Named) -> None:
    frame = sending_frame(sys._getframe(3))
    instance = named["instance"]
    scope = current.get()
    making: Making | None = None if scope is None else scope.trace.making
    if scope is None or making is None or making.frame is not frame:
        scope = here(frame)
        making = _unseen(info, scope, frame)
    else:
        scope.trace.making = None  # a frame must not outlive its call through us
    trace = scope.trace
    if info.config.changes:
        diff.remember(info, instance)
        if making.refresh is not None:
            diff.adopt(info, making.refresh.f_locals["self"], instance)
    if info.is_user and trace.origin == "request" and trace.request is None:
        _find_request(trace)
    depth, duration = scope.depth, None
    if scope is not making.scope and (pair := opened(scope, frame)) is not None:
        depth, duration = pair.depth - 1, close(pair)
    if not folded(making.streak, POST_INIT):
        about = arguments.post_init(info, instance)
        record_init(making.streak, POST_INIT, trace, about, depth, making.site, duration)


def on_idle_init(info: ModelInfo, named: Named) -> None:
    """Know the values that an instance was loaded with, though its signals are not wanted."""
    instance = named["instance"]
    diff.remember(info, instance)
    refresh = refreshing(sending_frame(sys._getframe(3)))
    if refresh is not None:
        diff.adopt(info, refresh.f_locals["self"], instance)


def _unseen(info: ModelInfo, scope: Scope, frame: FrameType | None) -> Making:
    """Find out what a pre_init would have: it was not seen, or other signals came after it."""
    site, _distance, refresh = making_site(frame)
    pair = opened(scope, frame)
    site = pair.site if pair else site if info.config.call_sites else None
    return Making(frame, None, streak_of(scope.trace, info.label, site), site, refresh)


def _find_request(trace: Trace) -> None:
    """Learn of the request from Django, which is loading its user just now."""
    caller = find_frame(sys._getframe(2), _GET_USER)
    if caller is not None:
        trace.learn_of(caller.f_locals.get("request"))


def on_pre_save(info: ModelInfo, named: Named) -> None:
    frame = sending_frame(sys._getframe(3))
    scope = here(frame)
    about = arguments.save(info, named)
    connection = connection_to(about.database)
    outcome = outcome_on(connection)
    site = call_site(frame) if info.config.call_sites else None
    if frame is None:  # sent by hand: no save begins
        record("pre_save", scope.trace, about, scope.depth, site=site, outcome=outcome)
        return
    pair = enter(scope, frame, site)
    pair.connection = connection
    # Only made, not loaded: if it overwrites a row, what that held is unknown.
    pair.knows_row = not named["instance"]._state.adding
    if info.config.wants("post_save"):
        # An outcome of its own: one save may fail while its transaction goes on.
        outcome = pair.outcome = SaveOutcome(outcome, pair)
    record("pre_save", scope.trace, about, scope.depth, site=site, outcome=outcome or _UNKNOWN)


def on_post_save(info: ModelInfo, named: Named) -> None:
    frame = sending_frame(sys._getframe(3))
    scope = here(frame)
    pair = opened(scope, frame)
    about = arguments.save(info, named)
    outcome = outcome_on(connection_to(about.database) if pair is None else pair.connection)
    if pair is not None and pair.outcome is not None:
        pair.outcome.release() if outcome else pair.outcome.set(COMMITTED)
    changed: Text = "{}"
    if info.config.changes:
        instance = named["instance"]
        changed = diff.of_save(
            info,
            instance,
            diff.loaded(instance) if pair is None or pair.knows_row else None,
            created=bool(named.get("created")),
            update_fields=named.get("update_fields"),
        )
    depth, site, duration = _end(pair, scope, frame)
    record(
        "post_save", scope.trace, about, depth,
        site=site, duration=duration, outcome=outcome or _done(about), changes=changed,
    )  # fmt: skip


def on_idle_save(info: ModelInfo, named: Named) -> None:
    """Know the values that an instance was saved with, though its signals are not wanted."""
    diff.remember_save(info, named["instance"], named.get("update_fields"))


def _done(about: Description) -> TransactionOutcome | None:
    """Return the outcome of a change made in autocommit mode; none without a database."""
    return _DONE if about.database else None


def on_pre_delete(info: ModelInfo, named: Named) -> None:
    frame = sending_frame(sys._getframe(3))
    scope = here(frame)
    about = arguments.delete(info, named)
    # One delete() sends all its pre_delete before its first post_delete: they are siblings.
    group = scope if frame and scope.key is frame else _enter_deletion(scope, frame, about)
    outcome = outcome_on(group.connection) or _done(about)
    record("pre_delete", scope.trace, about, group.depth - 1, site=group.site, outcome=outcome)
    group.starts = group.starts or {}
    group.starts[id(named["instance"])] = time.perf_counter_ns()


def _enter_deletion(scope: Scope, frame: FrameType | None, about: Description) -> Scope:
    group = enter(scope, frame, _site(frame))
    group.connection = connection_to(about.database)
    return group


def on_post_delete(info: ModelInfo, named: Named) -> None:
    frame = sending_frame(sys._getframe(3))
    scope = here(frame)
    about = arguments.delete(info, named)
    changed = diff.of_delete(info, named["instance"]) if info.config.changes else "{}"
    group = opened(scope, frame)
    depth, site, duration = scope.depth, None, None
    if group is None:
        site = _site(frame)
        outcome = outcome_on(connection_to(about.database))
    else:
        depth, site = group.depth - 1, group.site
        outcome = outcome_on(group.connection)
        duration = _end_member(group, id(named["instance"]))
    record(
        "post_delete", scope.trace, about, depth,
        site=site, duration=duration, outcome=outcome or _done(about), changes=changed,
    )  # fmt: skip


def _end_member(group: Scope, member: object) -> int | None:
    """Note the end of one member of a group, and close the group after its last one."""
    starts = group.starts or {}
    started = starts.pop(member, None)
    if not starts:
        close(group)
    return None if started is None else time.perf_counter_ns() - started


def on_m2m_changed(info: ModelInfo, named: Named) -> None:
    frame = sending_frame(sys._getframe(3))
    scope = here(frame)
    about = arguments.m2m_changed(info, named)
    outcome = outcome_on(connection_to(about.database)) or _done(about)
    if str(named.get("action")).startswith("pre_"):
        site = _site(frame)
        record("m2m_changed", scope.trace, about, scope.depth, site=site, outcome=outcome)
        if frame is not None:
            enter(scope, frame, site)
        return
    depth, site, duration = _end(opened(scope, frame), scope, frame)
    record(
        "m2m_changed", scope.trace, about, depth, site=site, duration=duration, outcome=outcome
    )  # fmt: skip


MODEL_SIGNALS: dict[str, Callable[[ModelInfo, Named], None]] = {
    "pre_init": on_pre_init,
    "post_init": on_post_init,
    "pre_save": on_pre_save,
    "post_save": on_post_save,
    "pre_delete": on_pre_delete,
    "post_delete": on_post_delete,
    "m2m_changed": on_m2m_changed,
}


# What is done while tests run that do not capture anything at the time.
IDLE_SIGNALS: dict[str, Callable[[ModelInfo, Named], None]] = {
    "post_init": on_idle_init,
    "post_save": on_idle_save,
}


# The other signals. They fire seldom: one function for those that stand alone, and one for each
# pair that opens a trace or spans many functions.


def on_single(name: str, describer: Describer, sender: Any, named: Named) -> None:
    about = describer(sender, named)
    scope = here()
    record(name, scope.trace, about, scope.depth, site=_site(sys._getframe(3)))


def on_auth(name: str, describer: Describer, sender: Any, named: Named) -> None:
    trace = here().trace
    trace.learn_of(named.get("request"))
    if name != "user_login_failed":
        trace.actor = actor_of(named.get("user")) or trace.actor
    on_single(name, describer, sender, named)


_REQUEST = "request"
_NO_THREAD = 0

# Under ASGI each request has a context object of asgiref's, which every thread and task that
# works for it can see.
_requests: WeakKeyDictionary[ThreadSensitiveContext, Scope] = WeakKeyDictionary()


def _asgi_context() -> ThreadSensitiveContext | None:
    return SyncToAsync.thread_sensitive_context.get(None)


def on_request_started(name: str, describer: Describer, sender: Any, named: Named) -> None:
    scope = named.get("scope")
    trace = origins.wsgi_trace(named["environ"]) if scope is None else origins.asgi_trace(scope)
    around = current.get()
    unfinished = opened(around, _REQUEST) if scope is None else None
    if (
        unfinished is not None
        and unfinished.thread == threading.get_ident()
        and find_frame(sys._getframe(3), _GET_RESPONSE, sys.getrecursionlimit()) is None
    ):
        # Its server never closed the response, and this thread has gone on to the next one.
        _leave_poll(unfinished)
        throttle.end(unfinished)
        close(unfinished)
        around = current.get()
    if trace.is_poll:
        silent.set(silent.get() + 1)
    else:
        record(name, trace, describer(sender, named), 0)
    pair = Scope(trace, around, 1, _REQUEST)
    current.set(pair)
    throttle.begin(pair)
    if scope is not None:
        # A context variable set in a receiver may not reach the view.
        scope[SCOPE_KEY] = pair
        pair.thread = _NO_THREAD
        context = _asgi_context()
        if context is not None:
            _requests[context] = pair


def on_request_finished(name: str, describer: Describer, sender: Any, named: Named) -> None:
    pair = opened(current.get(), _REQUEST)
    if pair is not None:
        _leave_poll(pair)
    pair = pair or _of_response() or _of_context()
    if pair is None:
        on_single(name, describer, sender, named)
        return
    trace = pair.trace
    throttle.end(pair)
    if trace.is_poll:
        close(pair)
        return
    trace.let_go()
    duration = close(pair)
    record(name, trace, describer(sender, named), 0, duration=duration)
    if trace.stored_without_actor and trace.actor is not None:
        writer.put_actor(Attribution(writer.recorder, trace.trace_id, *trace.actor))
    writer.notify()


def in_poll() -> bool:
    """Return whether the live page asks for news here, of which only the end is to be heard."""
    pair = opened(current.get(), _REQUEST)
    return pair is not None and pair.trace.is_poll


def _leave_poll(pair: Scope) -> None:
    """Record again in this context, if it was this request that kept it from it."""
    if pair.trace.is_poll:
        silent.set(max(silent.get() - 1, 0))


def _of_response() -> Scope | None:
    """Return the request of the response that is being closed: the middleware noted it there."""
    frame = find_frame(sys._getframe(4), _CLOSE)
    response = frame.f_locals.get("self") if frame else None
    return getattr(response, "__dict__", {}).get(SCOPE_KEY)


def _of_context() -> Scope | None:
    """Return the ASGI request that ends without a response, because its client has gone."""
    context = _asgi_context()
    return None if context is None else _requests.pop(context, None)


def on_request_exception(name: str, describer: Describer, sender: Any, named: Named) -> None:
    request = named.get("request")
    scope = here()
    if scope.trace.origin != "request":
        # Under ASGI the exception may arrive in a thread that knows nothing of the request.
        scope = getattr(request, "__dict__", {}).get("scope", {}).get(SCOPE_KEY, scope)
    scope.trace.learn_of(request)
    record(name, scope.trace, describer(sender, named), scope.depth)


def on_task_started(name: str, describer: Describer, sender: Any, named: Named) -> None:
    result = named.get("task_result")
    scope = here()
    key = ("task", getattr(result, "id", ""))
    if scope.trace.origin in ("request", "block", "task", "test"):
        record(name, scope.trace, describer(sender, named), scope.depth)
        enter(scope, key)
        return
    trace = Trace("task", task_name(result))
    record(name, trace, describer(sender, named), 0)
    current.set(Scope(trace, scope, 1, key))


def on_task_finished(name: str, describer: Describer, sender: Any, named: Named) -> None:
    pair = opened(here(), ("task", getattr(named.get("task_result"), "id", "")))
    if pair is None:
        on_single(name, describer, sender, named)
        return
    duration = close(pair)
    record(name, pair.trace, describer(sender, named), pair.depth - 1, duration=duration)
    if pair.trace.origin == "task":
        writer.notify()


def on_pre_migrate(name: str, describer: Describer, sender: Any, named: Named) -> None:
    scope = here()
    frame = find_frame(sys._getframe(3), _EMIT_PRE_MIGRATE, 6)
    if frame is None or not config().wants("post_migrate"):
        on_single(name, describer, sender, named)
        return
    # All pre_migrate come before the first post_migrate: they are siblings, as deletes are.
    command = frame.f_back
    group = scope if scope.key is command else enter(scope, command)
    record(name, scope.trace, describer(sender, named), group.depth - 1)
    group.starts = group.starts or {}
    group.starts[sender] = time.perf_counter_ns()
    writer.pause()


def on_post_migrate(name: str, describer: Describer, sender: Any, named: Named) -> None:
    group: Scope | None = here()
    while group is not None and not (group.starts and sender in group.starts):
        group = group.parent
    writer.resume()
    if group is None:
        on_single(name, describer, sender, named)
        return
    duration = _end_member(group, sender)
    record(name, group.trace, describer(sender, named), group.depth - 1, duration=duration)


SPECIAL: dict[str, Callable[[str, Describer, Any, Named], None]] = {
    "user_logged_in": on_auth,
    "user_logged_out": on_auth,
    "user_login_failed": on_auth,
    "request_started": on_request_started,
    "request_finished": on_request_finished,
    "got_request_exception": on_request_exception,
    "task_started": on_task_started,
    "task_finished": on_task_finished,
    "pre_migrate": on_pre_migrate,
    "post_migrate": on_post_migrate,
}
