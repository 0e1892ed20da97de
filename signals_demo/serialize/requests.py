"""What a WSGI environ and an ASGI scope say of a request, without its secrets."""

from collections.abc import Mapping
from typing import Any

from signals_demo.serialize.limits import cut
from signals_demo.serialize.model_info import redactor
from signals_demo.serialize.values import jsonable

Environ = Mapping[str, Any]
ASGIScope = Mapping[str, Any]


def header_of(scope: ASGIScope, name: bytes) -> str:
    """Return a header of an ASGI scope, or ""."""
    found = [value for key, value in scope.get("headers", ()) if key == name]
    return b",".join(found).decode("latin-1")


def wsgi_text(value: object) -> str:
    """Return a WSGI string, which carries bytes as latin-1, as the text that was sent."""
    text = value if isinstance(value, str) else ""
    try:
        return text.encode("latin-1").decode("utf-8", "replace")
    except UnicodeEncodeError:  # a server that had decoded it already
        return text


def environ_shown(environ: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a WSGI environ that give nothing away."""
    mask = redactor()
    return {
        "method": jsonable(environ.get("REQUEST_METHOD", ""), mask),
        "path": cut(wsgi_text(environ.get("SCRIPT_NAME")) + wsgi_text(environ.get("PATH_INFO"))),
        "query_string": cut(mask.query_string(wsgi_text(environ.get("QUERY_STRING")))),
        "scheme": jsonable(environ.get("wsgi.url_scheme", ""), mask),
        "host": cut(wsgi_text(environ.get("HTTP_HOST") or environ.get("SERVER_NAME"))),
        "user_agent": cut(wsgi_text(environ.get("HTTP_USER_AGENT"))),
        "referer": cut(mask.urls(wsgi_text(environ.get("HTTP_REFERER")))),
        "content_type": cut(wsgi_text(environ.get("CONTENT_TYPE"))),
        "content_length": jsonable(environ.get("CONTENT_LENGTH") or "", mask),
    }


def scope_shown(scope: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of an ASGI scope that give nothing away."""
    mask = redactor()

    def header(name: bytes) -> str:
        return wsgi_text(header_of(scope, name))

    query = scope.get("query_string", b"")
    if isinstance(query, bytes):  # Django's test client sends text
        query = query.decode("utf-8", "replace")
    return {
        "method": jsonable(scope.get("method", ""), mask),
        "path": jsonable(scope.get("path", ""), mask),
        "query_string": cut(mask.query_string(query)),
        "scheme": jsonable(scope.get("scheme", ""), mask),
        "host": cut(header(b"host")),
        "user_agent": cut(header(b"user-agent")),
        "referer": cut(mask.urls(header(b"referer"))),
        "content_type": cut(header(b"content-type")),
        "content_length": cut(header(b"content-length")),
    }
