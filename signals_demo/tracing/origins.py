"""What started a unit of work: a request, or the process itself."""

import ipaddress
import os
import sys
import threading
from functools import lru_cache
from types import FrameType
from typing import Any

from django.core.handlers.asgi import get_script_prefix
from django.core.management import ManagementUtility

from signals_demo.conf import config
from signals_demo.serialize.limits import cut
from signals_demo.serialize.requests import ASGIScope, Environ, header_of, wsgi_text
from signals_demo.tracing import test_runs
from signals_demo.tracing.identity import Identity
from signals_demo.tracing.ignored import is_ignored
from signals_demo.tracing.project_functions import address_by_project
from signals_demo.tracing.trace import Trace
from signals_demo.tracing.traceparent import trace_id_of

_EXECUTE = ManagementUtility.execute.__code__


_LONGEST = 100  # characters of an address, with a port, a zone and what stands around it


def _address(text: str) -> str:
    """Return a bare IP address out of a header's entry, or "" if there is none."""
    text = text.strip()
    return _parsed(text) if len(text) <= _LONGEST else ""


@lru_cache(maxsize=1000)
def _parsed(text: str) -> str:
    host, colon, _port = text.rpartition(":")
    candidates = (text, text.strip("[]"), host.strip("[]") if colon else "")
    for candidate in candidates:
        try:
            address = ipaddress.ip_address(candidate)
        except ValueError:
            continue
        # A server that listens on [::] reports IPv4 clients as ::ffff:192.0.2.1.
        return str(getattr(address, "ipv4_mapped", None) or address)
    return ""


def client_address(
    peer: str,
    forwarded_for: str,
    environ: Environ | None = None,
    scope: ASGIScope | None = None,
) -> str:
    """Return the client's address, or "" if addresses are not recorded.

    Each of the `TRUSTED_PROXIES` nearest to us appended one entry to X-Forwarded-For, so the
    client is the entry that the farthest of them wrote. What stands before it anyone may have
    made up, and with fewer entries than proxies the request did not come through them.
    """
    now = config()
    if not now.remote_address:
        return ""
    if now.client_address is not None:
        return _address(address_by_project(environ, scope))
    trusted = now.trusted_proxies
    if trusted:
        entries = forwarded_for.split(",")
        if len(entries) >= trusted and (address := _address(entries[-trusted])):
            return address
    return _address(peer)


@lru_cache(maxsize=8)
def _networks(peers: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(ipaddress.ip_network(peer, strict=False) for peer in peers if peer != "unix")


def _believed(traceparent: str, peer: str) -> str:
    """Return the trace id of a `traceparent` header, "" if its sender is not trusted."""
    trusted = traceparent and config().trust_traceparent
    if not trusted:
        return ""
    if not isinstance(trusted, bool):
        address = _address(peer)
        if not address:
            return trace_id_of(traceparent) if "unix" in trusted and not peer else ""
        known = ipaddress.ip_address(address)
        if not any(known in network for network in _networks(trusted)):
            return ""
    return trace_id_of(traceparent)


def _identity(source: object, frame: FrameType | None = None) -> Identity:
    return Identity.of_request(source, frame, waits_for_end=config().actor is not None)


def wsgi_trace(environ: Environ, frame: FrameType | None = None) -> Trace:
    """Return the trace of a WSGI request; `frame` is the call that serves it, if known."""
    peer = str(environ.get("REMOTE_ADDR", ""))
    inside = wsgi_text(environ.get("PATH_INFO", ""))
    path = wsgi_text(environ.get("SCRIPT_NAME", "")) + inside
    method = environ.get("REQUEST_METHOD", "")
    if is_ignored(method, path, inside):
        return Trace("request", "", is_ignored=True)
    return Trace(
        "request",
        f"{method} {path or '/'}",
        path_info=inside,
        who=_identity(environ, frame),
        trace_id=_believed(str(environ.get("HTTP_TRACEPARENT", "")), peer),
        remote_address=client_address(
            peer, str(environ.get("HTTP_X_FORWARDED_FOR", "")), environ=environ
        ),
    )


def asgi_trace(scope: ASGIScope) -> Trace:
    """Return the trace of an ASGI request."""
    peer = str((scope.get("client") or ("",))[0] or "")
    method, path = scope.get("method", ""), scope.get("path") or ""
    inside = path.removeprefix(get_script_prefix(scope))
    if is_ignored(method, path, inside):
        return Trace("request", "", is_ignored=True)
    return Trace(
        "request",
        f"{method} {path or '/'}",
        path_info=inside,
        who=_identity(scope),
        trace_id=_believed(header_of(scope, b"traceparent"), peer),
        remote_address=client_address(peer, header_of(scope, b"x-forwarded-for"), scope=scope),
    )


def _command() -> str:
    """Return the management command that this process runs, or "" if it runs none."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code is _EXECUTE:
            return str(frame.f_locals.get("subcommand", ""))
    return ""


def _process() -> tuple[str, str]:
    command = _command()
    if command:
        origin = {"shell": "shell", "shell_plus": "shell", "test": "test"}.get(command, "command")
        return origin, cut(command, 200)
    if test_runs.IS_TEST_RUN:  # the command line of pytest's worker processes does not show it
        return "test", "pytest"
    path = sys.argv[0] if sys.argv else ""
    name = os.path.basename(path)
    if name == "__main__.py":  # python -m name
        name = os.path.basename(os.path.dirname(path))
    return ("test", name) if name in ("pytest", "py.test") else ("process", name or "python")


def task_trace(name: str, around: Trace | None) -> Trace:
    """Return the trace of a task. In a request, it is another unit of work of the same trace."""
    name = cut(name, 250)
    if around is None or around.origin != "request":
        return Trace("task", name)
    trace = Trace("task", name, trace_id=around.trace_id)
    trace.positions = around.positions
    return trace


_main: tuple[str, str] | None = None


def is_makemigrations() -> bool:
    """Return whether this process runs `makemigrations`, often before there are any tables."""
    return _main == ("command", "makemigrations")


def process_trace() -> Trace:
    """Return a new trace for what happens outside any other unit of work in this thread."""
    global _main
    thread = threading.current_thread()
    if thread is not threading.main_thread():
        return Trace("process", cut(f"thread {thread.name}", 200))
    if _main is None:
        _main = _process()
    return Trace(*_main)
