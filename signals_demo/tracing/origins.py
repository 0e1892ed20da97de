"""What started a unit of work: a request, or the process itself."""

import ipaddress
import os
import sys
import threading

from django.core.handlers.asgi import get_script_prefix
from django.core.management import ManagementUtility

from signals_demo.conf import config
from signals_demo.serialize.limits import cut
from signals_demo.serialize.requests import ASGIScope, Environ, header_of, wsgi_text
from signals_demo.tracing import test_runs
from signals_demo.tracing.ignored import is_ignored
from signals_demo.tracing.trace import Trace
from signals_demo.tracing.traceparent import trace_id_of

_EXECUTE = ManagementUtility.execute.__code__


def _address(text: str) -> str:
    """Return a bare IP address out of a header's entry, or "" if there is none."""
    text = text.strip()
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


def client_address(peer: str, forwarded_for: str) -> str:
    """Return the client's address, or "" if addresses are not recorded.

    Each of the `TRUSTED_PROXIES` nearest to us appended one entry to X-Forwarded-For, so the
    client is the entry that the farthest of them wrote. What stands before it anyone may have
    made up, and with fewer entries than proxies the request did not come through them.
    """
    if not config().remote_address:
        return ""
    trusted = config().trusted_proxies
    if trusted:
        entries = forwarded_for.split(",")
        if len(entries) >= trusted and (address := _address(entries[-trusted])):
            return address
    return _address(peer)


def wsgi_trace(environ: Environ) -> Trace:
    """Return the trace of a WSGI request."""
    inside = wsgi_text(environ.get("PATH_INFO", ""))
    path = wsgi_text(environ.get("SCRIPT_NAME", "")) + inside
    method = environ.get("REQUEST_METHOD", "")
    return Trace(
        "request",
        f"{method} {path or '/'}",
        path_info=inside,
        is_ignored=is_ignored(method, path, inside),
        trace_id=trace_id_of(str(environ.get("HTTP_TRACEPARENT", ""))),
        remote_address=client_address(
            str(environ.get("REMOTE_ADDR", "")), str(environ.get("HTTP_X_FORWARDED_FOR", ""))
        ),
    )


def asgi_trace(scope: ASGIScope) -> Trace:
    """Return the trace of an ASGI request."""
    client = scope.get("client") or ("",)
    method, path = scope.get("method", ""), scope.get("path") or ""
    inside = path.removeprefix(get_script_prefix(scope))
    return Trace(
        "request",
        f"{method} {path or '/'}",
        path_info=inside,
        is_ignored=is_ignored(method, path, inside),
        trace_id=trace_id_of(header_of(scope, b"traceparent")),
        remote_address=client_address(str(client[0]), header_of(scope, b"x-forwarded-for")),
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


_main: tuple[str, str] | None = None


def process_trace() -> Trace:
    """Return a new trace for what happens outside any other unit of work in this thread."""
    global _main
    thread = threading.current_thread()
    if thread is not threading.main_thread():
        return Trace("process", cut(f"thread {thread.name}", 200))
    if _main is None:
        _main = _process()
    return Trace(*_main)
