"""What happens when a request begins, ends or fails, and when a user logs in or out."""

import sys
import threading

from django.core.handlers.base import BaseHandler
from django.http.response import HttpResponseBase

from signals_demo.capture.call_sites import find_frame
from signals_demo.capture.firing import Firing, record_alone
from signals_demo.capture.recorder import close_pair, current_scope, record
from signals_demo.delivery.throttle import throttle
from signals_demo.delivery.writer import writer
from signals_demo.events import Attribution
from signals_demo.tracing import asgi, ignored, origins
from signals_demo.tracing.scope import REQUEST, SCOPE_KEY, Scope, current, opened
from signals_demo.tracing.trace import actor_of

_CLOSE = HttpResponseBase.close.__code__
_GET_RESPONSE = BaseHandler.get_response.__code__

EDGES = ("request_started", "request_finished")
"""What begins and ends a request: of one that is ignored, they are handled nevertheless."""

_NO_THREAD = 0


def on_request_started(firing: Firing) -> None:
    scope = firing.named.get("scope")
    if scope is None:
        trace = origins.wsgi_trace(firing.named["environ"])
        _leave_unfinished(firing)
    else:
        trace = origins.asgi_trace(scope)
    if trace.is_ignored:
        ignored.begin(trace)
    elif firing.config.wants(firing.name):
        record(firing.name, trace, firing.description(), 0)
    else:
        return
    around = current.get()
    if opened(around, REQUEST) is None:
        around = asgi.find() or around
    pair = Scope(trace, around, 1, REQUEST)
    current.set(pair)
    throttle.begin(pair)
    if scope is not None:
        # A context variable set in a receiver may not reach the view.
        scope[SCOPE_KEY] = pair
        pair.thread = _NO_THREAD
        asgi.remember(pair)


def _leave_unfinished(firing: Firing) -> None:
    """Leave the thread's request before, whose response the server never closed."""
    pair = opened(current.get(), REQUEST)
    if pair is None or pair.thread != threading.get_ident():
        return
    # Inside a view, as the test client is there, another request may begin and end.
    if find_frame(firing.frame, _GET_RESPONSE, sys.getrecursionlimit()) is None:
        ignored.end(pair.trace)
        throttle.end(pair)
        close_pair(pair)


def on_request_finished(firing: Firing) -> None:
    pair = opened(current.get(), REQUEST)
    if pair is not None:
        ignored.end(pair.trace)
    # The last is an ASGI request that ends without a response, because its client has gone.
    pair = pair or _of_response(firing) or asgi.find()
    is_ignored = pair is not None and pair.trace.is_ignored
    if not (is_ignored or firing.config.wants(firing.name)):
        return
    if pair is None:
        record_alone(firing)
        return
    trace = pair.trace
    throttle.end(pair)
    asgi.forget(pair)
    if is_ignored:
        close_pair(pair)
        return
    trace.let_go()
    duration = close_pair(pair)
    record(firing.name, trace, firing.description(), 0, duration=duration)
    if trace.stored_without_actor and trace.actor is not None:
        writer.put_actor(Attribution(writer.recorder, trace.trace_id, *trace.actor))
    writer.notify()


def _of_response(firing: Firing) -> Scope | None:
    """Return the request of the response that is being closed: the middleware noted it there."""
    frame = find_frame(firing.frame, _CLOSE)
    response = frame.f_locals.get("self") if frame else None
    return getattr(response, "__dict__", {}).get(SCOPE_KEY)


def on_request_exception(firing: Firing) -> None:
    request = firing.named.get("request")
    scope = current_scope()
    if scope.trace.origin != "request":
        # Under ASGI the exception may arrive in a thread that knows nothing of the request.
        scope = getattr(request, "__dict__", {}).get("scope", {}).get(SCOPE_KEY, scope)
    scope.trace.learn_of(request)
    record(firing.name, scope.trace, firing.description(), scope.depth)


def on_auth(firing: Firing) -> None:
    trace = current_scope().trace
    trace.learn_of(firing.named.get("request"))
    if firing.name != "user_login_failed":
        trace.actor = actor_of(firing.named.get("user")) or trace.actor
    record_alone(firing)
