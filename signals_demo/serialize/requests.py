"""What a WSGI environ and an ASGI scope say of a request, without its secrets."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.handlers.asgi import get_script_prefix

from signals_demo.serialize.introspection import ids_of
from signals_demo.serialize.limits import cut
from signals_demo.serialize.redaction import MASK, Redactor
from signals_demo.serialize.secret_paths import masked_address, masked_path
from signals_demo.serialize.text import Text, encode
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
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8", "replace")
    except UnicodeEncodeError:  # a server that had decoded it already
        return text


_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

# What is looked at of each part of a request, in characters, before it is masked and cut.
_MAX_RAW = 4000


_PARTS = (
    "REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "wsgi.url_scheme", "HTTP_HOST",
    "SERVER_NAME", "HTTP_USER_AGENT", "HTTP_REFERER", "HTTP_TRACEPARENT", "CONTENT_TYPE",
    "CONTENT_LENGTH",
)  # fmt: skip
_TEXT_OR_NONE = ids_of(str, type(None))


def environ_text(environ: Environ, mask: Redactor) -> Text:
    """Return the arguments of a request that has begun, with the harmless parts of its environ."""
    parts = tuple(map(environ.get, _PARTS))
    is_text = _TEXT_OR_NONE.issuperset(map(id, map(type, parts)))
    if is_text and max(map(len, filter(None, parts)), default=0) <= _MAX_RAW:
        return _environ_text, parts, mask
    return _environ_text(parts, mask)


def _environ_text(parts: Iterable[Any], mask: Redactor) -> str:
    known = zip(_PARTS, parts, strict=True)
    environ = {name: part for name, part in known if part is not None}
    return encode({"environ": _environ_shown(environ, mask)})


def _environ_shown(environ: Environ, mask: Redactor) -> dict[str, Any]:

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
        traceparent=part("HTTP_TRACEPARENT"),
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
        traceparent=header(b"traceparent"),
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
    shown = {
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
    if _TRACEPARENT.fullmatch(others["traceparent"]):  # few requests bring one
        shown["traceparent"] = others["traceparent"]
    return shown


USER_NAMES = frozenset({"username", "email", "login", "user_name"})
"""What credentials call the user by: an audit has to show who was tried."""


def credentials_shown(credentials: Any, request: Any, mask: Redactor) -> Any:
    """Return what a login was tried with, without what `sensitive_post_parameters` names.

    Django's own login declares all of its form sensitive, and names nothing.
    """
    shown = jsonable(credentials, mask)
    if type(shown) is not dict:
        return shown
    sensitive = getattr(request, "__dict__", {}).get("sensitive_post_parameters", ())
    is_secret = mask.names.is_secret_when_sent
    return {
        name: MASK if _is_declared(name, sensitive) or is_secret(name) else value
        for name, value in shown.items()
    }


def _is_declared(name: str, sensitive: Any) -> bool:
    return name not in USER_NAMES if sensitive == "__ALL__" else name in sensitive
