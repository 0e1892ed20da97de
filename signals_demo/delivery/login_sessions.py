"""Whose session a request had that nobody looked at: the worker reads that, on its connection."""

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.db import DEFAULT_DB_ALIAS
from django.utils import timezone

from signals_demo.clock import clock
from signals_demo.conf import config
from signals_demo.delivery.rows import NoEvent, RowBatch
from signals_demo.delivery.session import session
from signals_demo.tracing.identity import Identity

# Others run code of the project's.
_ENGINES = ("django.contrib.sessions.backends.db", "django.contrib.sessions.backends.cached_db")
_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"

KEPT = 60.0  # seconds; a login or logout gives a session another key
MOST = 1000

_known: dict[str, tuple[float, str]] = {}


class OpenSession(NoEvent):
    """A request that has ended, of which rows were stored before its session was read."""

    is_passive = False

    def __init__(self, who: Identity) -> None:
        self._who = who

    def add_to(self, batch: RowBatch) -> None:
        batch.add_actors(self._who)


def user_of(session_key: str) -> str:
    """Return the key of the user who is logged in with a session, "" for none or if unknown."""
    now = clock.monotonic()
    until, pk = _known.get(session_key, (0.0, ""))
    if until < now:
        if len(_known) >= MOST:
            _known.clear()
        try:
            pk = _read(session_key)
        except Exception:  # noqa: BLE001 - nobody knows is an answer; the sinks report an outage
            pk = ""
        _known[session_key] = now + KEPT, pk
    return pk


def _read(session_key: str) -> str:
    alias = config().database
    # Sessions are in the default database, unless a router of the project's says otherwise. In
    # another than the events' it would take one more connection; the caller's is not ours to ask.
    if alias != DEFAULT_DB_ALIAS or session.is_callers:
        return ""
    if settings.SESSION_ENGINE not in _ENGINES or settings.SESSION_SERIALIZER != _SERIALIZER:
        return ""
    store: Any = import_module(settings.SESSION_ENGINE).SessionStore
    model = store.get_model_class()
    found = model._base_manager.using(alias).filter(
        session_key=session_key, expire_date__gt=timezone.now()
    )
    for data in found.values_list("session_data", flat=True):
        pk = store().decode(data).get(SESSION_KEY, "")
        return pk if type(pk) is str else str(pk) if type(pk) is int else ""
    return ""
