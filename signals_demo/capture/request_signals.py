"""What happens when a request begins, ends or fails, and when a user logs in or out.

All of it is followed whatever is recorded, so that what is recorded has its request and its actor.
"""

import sys
import threading
from types import FrameType, MethodType
from typing import Any

from django.core.handlers.base import BaseHandler
from django.http.response import HttpResponseBase

from signals_demo.capture import celery
from signals_demo.capture.call_sites import find_frame
from signals_demo.capture.firing import Firing, record_alone
from signals_demo.capture.pairs import close_pair, current_scope
from signals_demo.capture.raise_sites import raise_site
from signals_demo.capture.recorder import event_of, record
from signals_demo.conf import Config
from signals_demo.delivery.throttle import throttle
from signals_demo.delivery.writer import writer
from signals_demo.events import Event
from signals_demo.serialize.introspection import own_dict
from signals_demo.tracing import asgi, ignored, origins
from signals_demo.tracing.scope import REQUEST, SCOPE_KEY, Scope, current, opened, silent
from signals_demo.tracing.trace import Trace

_CLOSE = HttpResponseBase.close.__code__
_GET_RESPONSE = BaseHandler.get_response.__code__

EDGES = ("request_started", "request_finished")
_LOGINS = ("user_logged_in", "user_logged_out")

_NO_THREAD = 0
_NEAR = 8


def followed(config: Config) -> frozenset[str]:
    """Return the signals that have to be followed for requests and actors to be known."""
    is_needed = config.signals is None or config.signals or config.extra_signals
    return frozenset(EDGES + _LOGINS) if is_needed else frozenset()


def _is_recorded(firing: Firing) -> bool:
    return firing.config.wants(firing.name) and not silent.get()


def on_request_started(firing: Firing) -> None:
    celery.follow()  # a view may have imported it
    scope = firing.named.get("scope")
    if scope is None:
        _leave_unfinished(firing)
        trace = origins.wsgi_trace(firing.named["environ"], _server(firing.frame))
    else:
        trace = origins.asgi_trace(scope)
    is_recorded = _is_recorded(firing) and not trace.is_ignored
    if is_recorded:
        record(firing.name, trace, firing.description(), 0)
    ignored.begin(trace)
    around = current.get()
    if opened(around, REQUEST) is None:
        around = asgi.find() or around
    pair = Scope(trace, around, int(is_recorded), REQUEST)
    current.set(pair)
    throttle.begin(pair)
    if scope is not None:
        # A context variable set in a receiver may not reach the view.
        scope[SCOPE_KEY] = pair
        pair.thread = _NO_THREAD
        asgi.remember(pair)


def _server(frame: FrameType | None) -> FrameType | None:
    """Return the call that makes the request of an environ, and has both in its variables."""
    for _ in range(_NEAR):
        if frame is None:
            break
        names = frame.f_code.co_varnames
        if "environ" in names and "request" in names:
            return frame
        frame = frame.f_back
    return None


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
        pair.trace.who.ask()
        _end(pair.trace)


def on_request_finished(firing: Firing) -> None:
    pair = opened(current.get(), REQUEST)
    if pair is not None:
        ignored.end(pair.trace)
    values = {} if pair is not None and pair.trace.who.request else _response_values(firing.frame)
    # The last is an ASGI request that ends without a response, because its client has gone.
    pair = pair or own_dict(values.get("self")).get(SCOPE_KEY) or asgi.find()
    if pair is None:
        if _is_recorded(firing):
            record_alone(firing)
        return
    trace = pair.trace
    throttle.end(pair)
    asgi.forget(pair)
    if trace.is_ignored:
        close_pair(pair)
        return
    closer = values.get("closer")
    if type(closer) is MethodType:  # Django closes the request last
        trace.who.learn(closer.__self__)
    trace.who.ask()
    duration = close_pair(pair)
    event = None
    if _is_recorded(firing):
        about = firing.description()
        event = event_of(firing.name, trace, about, 0, None, duration, None, "{}")
    _end(trace, event)
    writer.notify()


def _response_values(frame: FrameType) -> dict[str, Any]:
    """Return the variables of the call that closes the response."""
    found = find_frame(frame, _CLOSE)
    return {} if found is None else found.f_locals


def _end(trace: Trace, closing: Event | None = None) -> None:
    """End a request: now it is known who has sent it. Hand over its last event."""
    who = trace.who
    trace.end()
    if closing is not None:
        who.return_at(closing.sequence)
        writer.put(closing)
    writer.put_actors(who)


def on_request_exception(firing: Firing) -> None:
    request = firing.named.get("request")
    scope = current_scope()
    if scope.trace.origin != "request":
        # Under ASGI the exception may arrive in a thread that knows nothing of the request.
        scope = own_dict(request).get("scope", {}).get(SCOPE_KEY, scope)
    scope.trace.who.learn(request)
    site = raise_site(sys.exc_info()[2]) if firing.config.call_sites else None
    record(firing.name, scope.trace, firing.description(), scope.depth, site=site)


def on_auth(firing: Firing) -> None:
    """Take note of the request, if it is the one that goes on here: it says who acts."""
    current_scope().trace.who.learn(firing.named.get("request"))
    if _is_recorded(firing):
        record_alone(firing)
