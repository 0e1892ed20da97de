"""The project's own functions of a request: `ACTOR` and `CLIENT_ADDRESS`.

They are the one part of the project that the recorder calls, because a setting asks for it. What
they raise is logged once, and counts as unknown.
"""

import io
import logging
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest
from django.utils.module_loading import import_string

from signals_demo.conf import SETTING, config
from signals_demo.serialize.limits import cut
from signals_demo.tracing.actors import Actor, actor_of

logger = logging.getLogger("signals_demo")

_reported: set[tuple[str, str]] = set()


def actor_by_project(request: HttpRequest) -> Actor | None:
    """Return whom `ACTOR` names for a request, None if that is nobody, or not set."""
    path = config().actor
    return None if path is None else _called("ACTOR", path, lambda: request, _actor)


def address_by_project(environ: Mapping[str, Any] | None, scope: Mapping[str, Any] | None) -> str:
    """Return the client's address as `CLIENT_ADDRESS` gives it, "" if it gives none."""

    def request() -> HttpRequest:
        # One of its own, without the body: that is the view's to read.
        if environ is not None:
            return WSGIRequest({**environ, "wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0"})
        return ASGIRequest(dict(scope or {}), io.BytesIO())

    path = config().client_address
    return "" if path is None else _called("CLIENT_ADDRESS", path, request, _address) or ""


def _called(
    key: str, path: str, argument: Callable[[], HttpRequest], read: Callable[[object], Any]
) -> Any:
    try:
        return read(import_string(path)(argument()))
    except Exception as error:
        if (key, path) not in _reported:
            _reported.add((key, path))
            logger.exception(
                "%s[%r]: %r failed, so the answer is unknown. This is logged once. %s",
                SETTING, key, path, error,
            )  # fmt: skip
        return None


def _actor(found: object) -> Actor | None:
    if found is None:
        return None
    if type(found) is tuple:
        key, name = found
        actor = Actor(_text(key), _text(name))
    elif type(found) in (int, float, bool, bytes, list, dict):
        raise TypeError(
            f"return a user, a name, a tuple of key and name, or None, not {type(found).__name__}"
        )
    else:
        actor = actor_of(found) or Actor("", "")
    return actor if actor.pk or actor.name else None


def _text(value: object) -> str:
    if value is None:
        return ""
    if type(value) not in (str, int, UUID):
        raise TypeError(f"return key and name as text, not as {type(value).__name__}")
    return cut(str(value), 200)


def _address(found: object) -> str:
    if found is not None and not isinstance(found, str):
        raise TypeError(f"return an address as text, or None, not {type(found).__name__}")
    return found or ""
