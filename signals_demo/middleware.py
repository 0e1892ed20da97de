"""Optional: gives the recorder the request, for the actor, and under ASGI for the trace."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from signals_demo.tracing.api import suppress
from signals_demo.tracing.scope import SCOPE_KEY, Scope, current

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class SignalTraceMiddleware:
    """Add it to `MIDDLEWARE`: it covers what comes after it, so put it first."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._acall(request)
        scope = self._note(request)
        with _silence(scope):
            return self._tag(self.get_response(request), scope)  # type: ignore[arg-type]

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        scope = self._note(request)
        with _silence(scope):
            return self._tag(await self.get_response(request), scope)  # type: ignore[misc]

    def _note(self, request: HttpRequest) -> Scope | None:
        """Put this code into the request's trace, and give that the request."""
        scope: Scope | None = getattr(request, "scope", {}).get(SCOPE_KEY)
        if scope is None:
            scope = current.get()
        elif current.get() is None or current.get().trace is not scope.trace:  # type: ignore[union-attr]
            current.set(scope)
        if scope is not None:
            scope.trace.who.learn(request)
        return scope

    def _tag(self, response: HttpResponseBase, scope: Scope | None) -> HttpResponseBase:
        if scope is not None:
            scope.trace.who.ask()
            # When the response is closed, in whatever thread, its request is over.
            setattr(response, SCOPE_KEY, scope)
        return response


def _silence(scope: Scope | None) -> AbstractContextManager[None]:
    """Return what a request is served within: nothing is recorded in those that are ignored."""
    return suppress() if scope is not None and scope.trace.is_ignored else nullcontext()
