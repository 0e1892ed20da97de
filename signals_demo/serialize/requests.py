"""What a WSGI environ and an ASGI scope say of a request, without its secrets."""

from collections.abc import Mapping
from typing import Any

from django.core.handlers.asgi import get_script_prefix

from signals_demo.serialize.limits import cut
from signals_demo.serialize.redaction import MASK, Redactor
from signals_demo.serialize.secret_paths import masked_address, masked_path
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


# What is looked at of each part of a request, in characters, before it is masked and cut.
_MAX_RAW = 4000


def environ_shown(environ: Environ, mask: Redactor) -> dict[str, Any]:
    """Return the harmless parts of a WSGI environ."""

    def part(name: str) -> str:
        return wsgi_text(environ.get(name))[:_MAX_RAW]

    return _shown(
        mask,
        method=environ.get("REQUEST_METHOD", ""),
        prefix=part("SCRIPT_NAME"),
        path=part("PATH_INFO"),
        query=part("QUERY_STRING"),
        scheme=environ.get("wsgi.url_scheme", ""),
        host=part("HTTP_HOST") or part("SERVER_NAME"),
        user_agent=part("HTTP_USER_AGENT"),
        referer=part("HTTP_REFERER"),
        content_type=part("CONTENT_TYPE"),
        content_length=environ.get("CONTENT_LENGTH") or "",
    )


def scope_shown(scope: ASGIScope, mask: Redactor) -> dict[str, Any]:
    """Return the harmless parts of an ASGI scope."""

    def header(name: bytes) -> str:
        return wsgi_text(header_of(scope, name))[:_MAX_RAW]

    query = scope.get("query_string", b"")
    if isinstance(query, bytes):  # Django's test client sends text
        query = query.decode("utf-8", "replace")
    path, prefix = scope.get("path") or "", get_script_prefix(scope)
    inside = path.removeprefix(prefix) if type(path) is str else ""
    return _shown(
        mask,
        method=scope.get("method", ""),
        prefix=prefix if inside != path else "",
        path=inside[:_MAX_RAW],
        query=query[:_MAX_RAW],
        scheme=scope.get("scheme", ""),
        host=header(b"host"),
        user_agent=header(b"user-agent"),
        referer=header(b"referer"),
        content_type=header(b"content-type"),
        content_length=header(b"content-length"),
    )


def _shown(
    mask: Redactor,
    *,
    method: Any,
    prefix: str,
    path: str,
    query: str,
    scheme: Any,
    referer: str,
    **others: Any,
) -> dict[str, Any]:
    return {
        "method": jsonable(method, mask),
        "path": cut(prefix + masked_path(path, mask)),
        "query_string": cut(mask.query_string(query)),
        "scheme": jsonable(scheme, mask),
        "host": cut(others["host"]),
        "user_agent": cut(others["user_agent"]),
        "referer": cut(masked_address(referer, mask)),
        "content_type": cut(others["content_type"]),
        "content_length": jsonable(others["content_length"], mask),
    }


def credentials_shown(credentials: Any, request: Any, mask: Redactor) -> Any:
    """Return what a login was tried with, without what `sensitive_post_parameters` names."""
    shown = jsonable(credentials, mask)
    if type(shown) is not dict:
        return shown
    sensitive = getattr(request, "__dict__", {}).get("sensitive_post_parameters", ())
    is_secret = mask.names.is_secret_when_sent
    return {
        name: MASK if sensitive == "__ALL__" or name in sensitive or is_secret(name) else value
        for name, value in shown.items()
    }
