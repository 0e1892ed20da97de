"""The ASGI request that code works for, where the context variables do not say.

Before Django 6.1, what a receiver of `request_started` sets does not reach the view. But each
request has an object of asgiref's that all threads and tasks which work for it can see.
"""

from weakref import WeakKeyDictionary

from asgiref.sync import SyncToAsync, ThreadSensitiveContext

from signals_demo.tracing.scope import REQUEST, Scope, opened

is_used = False
"""Whether this process has served an ASGI request: elsewhere nothing is searched."""

_requests: WeakKeyDictionary[ThreadSensitiveContext, Scope] = WeakKeyDictionary()


def _context() -> ThreadSensitiveContext | None:
    return SyncToAsync.thread_sensitive_context.get(None)


def remember(pair: Scope) -> None:
    """Let the code that works for a request find it."""
    global is_used
    context = _context()
    if context is not None:
        is_used = True
        _requests[context] = pair


def find() -> Scope | None:
    """Return the request that this code works for, or None outside of one."""
    context = _context()
    return None if context is None else _requests.get(context)


def forget(pair: Scope) -> None:
    """Let the code that follows find the request around this one, or none."""
    context = _context()
    if context is not None and _requests.get(context) is pair:
        around = opened(pair.parent, REQUEST)
        if around is None:
            del _requests[context]
        else:
            _requests[context] = around
