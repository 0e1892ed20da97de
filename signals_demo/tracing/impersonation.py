"""Who stands behind the user of a request, where someone acts in the name of another."""

from collections.abc import Mapping
from typing import Any

from signals_demo.serialize.introspection import own_dict
from signals_demo.tracing.actors import Actor, actor_of

_ATTRIBUTES = ("impersonator", "real_user", "hijacker", "original_user")
"""Where middlewares that replace `request.user` keep the user who is logged in."""

_SESSION_KEYS = (
    "hijack_history",  # django-hijack: the keys of those who took over, the first one first
    "exit_users_pk",  # django-su: the same, each with a backend
    "loginas_from_user",  # django-loginas: a signed key
    "impersonator_id",
    "impersonator_user_id",
)
"""Where packages that log in as another user keep the key of the one before."""


def session_user(known: Mapping[str, Any]) -> str:
    """Return the key of the user that a session says, "" if it is not loaded or says none."""
    found = session_of(known).get("_auth_user_id")
    return found if type(found) is str else str(found) if type(found) is int else ""


def session_of(known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is in the session of a request, by its attributes; nothing if not loaded."""
    cache = own_dict(known.get("session")).get("_session_cache")
    return cache if type(cache) is dict else {}


def unread_session(known: Mapping[str, Any]) -> str:
    """Return the key of a session that nobody has read, "" if there is none."""
    session = own_dict(known.get("session"))
    key = "" if "_session_cache" in session else session.get("_SessionBase__session_key")
    return key if type(key) is str else ""


def impersonator(known: Mapping[str, Any], actor: Actor) -> Actor | None:
    """Return who acts in the name of `actor`, by the attributes of a request; None if nobody."""
    for name in _ATTRIBUTES:
        found = actor_of(known.get(name))
        if found is not None and found.pk != actor.pk:
            return found
    session = session_of(known)
    for name in _SESSION_KEYS:
        key = _key_in(session.get(name))
        if key and key != actor.pk:
            return Actor(key, "")
    # The session is that of another user: a middleware has replaced the user.
    logged_in = session_user(known)
    for name in ("_cached_user", "_acached_user"):
        found = actor_of(known.get(name))
        if found is not None and found.pk == logged_in != actor.pk:
            return found
    return None


def _key_in(value: Any) -> str:
    """Return the key that such a value of a session begins with."""
    while type(value) in (list, tuple) and value:
        value = value[0]
    if type(value) is int:
        return str(value)
    return value.partition(":")[0] if type(value) is str else ""
