"""Create events and whole traces, as the recorder stores them.

For tests of code that builds on `SignalEvent`. Install the extra `factories` to get factory-boy.
"""

import uuid
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured

try:
    from factory.declarations import LazyAttribute, LazyFunction, Sequence
    from factory.django import DjangoModelFactory
except ImportError as error:
    raise ImproperlyConfigured(
        "signals_demo.factories needs factory-boy: pip install 'django-signals-demo[factories]'."
    ) from error

from signals_demo import catalog
from signals_demo.catalog.types import Family
from signals_demo.models import Origin, Outcome, SignalEvent
from signals_demo.serialize.redaction import MASK

_RECORDER = uuid.uuid4()

Step = tuple[int, str, dict[str, Any]]
"""Depth, signal, and the fields that differ from those of the other events of the trace."""


_SENDERS: dict[Family | None, str] = {
    Family.MODEL: "auth.User",
    Family.AUTH: "auth.User",
    Family.REQUEST: "django.core.handlers.wsgi.WSGIHandler",
    Family.MANAGEMENT: "shop",
}
_REQUEST = {"method": "POST", "path": "/cart/"}


class SignalEventFactory(DjangoModelFactory[SignalEvent]):
    """Create one event in a new trace: a save, or a firing of the given `signal`."""

    class Meta:
        model = SignalEvent

    recorder = LazyFunction(lambda: _RECORDER)
    sequence = Sequence(lambda n: n + 1)
    occurred_at = LazyFunction(lambda: datetime.now(UTC))
    signal = "post_save"
    sender = LazyAttribute(lambda event: _SENDERS.get(_family(event.signal), ""))
    trace_id = LazyFunction(lambda: uuid.uuid4().hex)
    span_id = LazyAttribute(lambda event: f"{zlib.crc32(event.trace_id.encode()):016x}")
    position = 1
    origin = Origin.REQUEST
    origin_name = "POST /cart/"
    object_pk = LazyAttribute(lambda event: "5" if event.sender == "auth.User" else "")
    database = LazyAttribute(lambda event: "default" if _writes(event.signal) else "")
    outcome = LazyAttribute(lambda event: Outcome.COMMITTED if event.database else "")
    call_site = "shop/views.py:42 in checkout"
    arguments = LazyAttribute(
        lambda event: _arguments(event.signal, event.sender, event.object_pk)
    )


def _family(signal: str) -> Family | None:
    known = catalog.get(signal)
    return known.family if known else None


def _writes(signal: str) -> bool:
    return _family(signal) is Family.MODEL and not signal.endswith(("_init", "_prepared"))


def _arguments(signal: str, model: str, key: str) -> dict[str, Any]:
    instance = {"model": model, "pk": key}
    values: dict[str, Any] = {
        "created": False, "action": "post_add", "reverse": False, "model": "auth.models.Group",
        "pk_set": [1], "user": instance, "request": _REQUEST,
        "credentials": {"username": "ada", "password": MASK}, "environ": _REQUEST, "verbosity": 1,
    }  # fmt: skip
    if signal == "m2m_changed":
        values["instance"] = instance
    known = catalog.get(signal)
    sent = known.argument_names if known else ()
    return {name: values[name] for name in sent if name in values}


# The fields that are empty in an event without a model.
PLAIN = {"sender": "", "object_pk": "", "database": "", "outcome": "", "call_site": ""}


def trace_of(*steps: Step, **shared: Any) -> list[SignalEvent]:
    """Store a trace: one event per step, a millisecond apart, with `shared` fields in common."""
    start = shared.pop("occurred_at", datetime.now(UTC))
    shared.setdefault("trace_id", uuid.uuid4().hex)
    return [
        SignalEventFactory.create(
            **shared
            | {
                "position": position,
                "depth": depth,
                "signal": signal,
                "occurred_at": start + timedelta(milliseconds=position),
            }
            | fields
        )
        for position, (depth, signal, fields) in enumerate(steps, 1)
    ]


def _request_steps(method: str, path: str, *inside: Step) -> list[Step]:
    environ = {
        "method": method,
        "path": path,
        "query_string": "",
        "scheme": "https",
        "host": "shop.example",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "referer": "https://shop.example/",
        "content_type": "application/x-www-form-urlencoded",
        "content_length": "59",
    }
    handler = PLAIN | {"sender": "django.core.handlers.wsgi.WSGIHandler"}
    return [
        (0, "request_started", handler | {"arguments": {"environ": environ}}),
        *inside,
        (
            0,
            "request_finished",
            handler | {"arguments": {}, "duration": timedelta(milliseconds=48, microseconds=310)},
        ),
    ]


def _save_steps(
    depth: int, model: str, pk: int, changes: dict[str, Any], **fields: Any
) -> list[Step]:
    created = all(old is None for old, _new in changes.values())
    shared = {"sender": model} | fields
    key = "" if created else str(pk)
    return [
        (depth, "pre_save", shared | {"object_pk": key, "arguments": {}}),
        (
            depth,
            "post_save",
            shared
            | {
                "object_pk": str(pk),
                "arguments": {"created": created},
                "changes": changes,
                "duration": timedelta(microseconds=740),
            },
        ),
    ]


def _actor(user: AbstractBaseUser | None) -> dict[str, str]:
    known = {"remote_address": "203.0.113.7"}
    return known | {"actor_pk": str(user.pk), "actor": user.get_username()} if user else known


def login_trace(user: AbstractBaseUser, **shared: Any) -> list[SignalEvent]:
    """Store the trace of a login: the signal, and the save of `last_login` nested in it."""
    login = {
        "object_pk": str(user.pk),
        "database": "",
        "outcome": "",
        "arguments": {
            "request": {"method": "POST", "path": "/login/"},
            "user": {"model": "auth.User", "pk": user.pk},
        },
    }
    changes = {"last_login": ["2026-11-20T09:30:00+00:00", "2026-11-21T14:03:22.417000+00:00"]}
    steps = _request_steps(
        "POST",
        "/login/",
        (1, "user_logged_in", login),
        *_save_steps(2, "auth.User", user.pk, changes),
    )
    return trace_of(*steps, **{"origin_name": "POST /login/"} | _actor(user) | shared)


_ORDER = {
    "id": [None, 3],
    "status": [None, "new"],
    "total": [None, "59.90"],
    "address": [None, {"street": "12 Rue des Lilas", "city": "Lyon", "floor": None}],
    "note": [None, None],
    "placed_at": [None, "2026-11-21T14:03:22.417000+00:00"],
}


def _init_steps(depth: int, model: str, count: int) -> list[Step]:
    shared = {"sender": model, "object_pk": "", "outcome": "", "database": "", "count": count}
    told = {"last_at": "2026-11-21T14:03:22.420000+00:00"}
    made = {"args": [1, "Teapot"], "folded": told}
    several = {"folded": told | {"pks": [1, 2, 3, 4, 5]}}
    return [
        (depth, "pre_init", shared | {"arguments": made}),
        (depth, "post_init", shared | {"arguments": several}),
    ]


def _link_step(depth: int) -> Step:
    sent = {
        "instance": {"model": "shop.Order", "pk": 3},
        "action": "post_add",
        "reverse": False,
        "model": "shop.models.Tag",
        "pk_set": [1, 4, 9],
    }
    link = {"sender": "shop.Order_tags", "object_pk": "3", "arguments": sent}
    return depth, "m2m_changed", link | {"duration": timedelta(microseconds=940)}


def _delete_steps(depth: int) -> list[Step]:
    shared = {"sender": "shop.Basket", "object_pk": "12"}
    after = {
        "arguments": {},
        "changes": {"id": [12, None], "session": [MASK, None]},
        "duration": timedelta(microseconds=1850),
    }
    return [
        (depth, "pre_delete", shared | {"arguments": {}}),
        (depth, "post_delete", shared | after),
    ]


def checkout_trace(user: AbstractBaseUser | None = None, **shared: Any) -> list[SignalEvent]:
    """Store the trace of a purchase: folded inits, nested saves, a link and a delete."""
    pre_order, post_order = _save_steps(1, "shop.Order", 3, _ORDER)
    steps = _request_steps(
        "POST",
        "/checkout/",
        *_init_steps(1, "shop.Product", count=312),
        pre_order,
        *_save_steps(2, "shop.Product", 8, {"stock": [4, 3], "badge": ["last ones", None]}),
        post_order,
        _link_step(1),
        *_delete_steps(1),
    )
    return trace_of(*steps, **{"origin_name": "POST /checkout/"} | _actor(user) | shared)


def failed_trace(user: AbstractBaseUser | None = None, **shared: Any) -> list[SignalEvent]:
    """Store the trace of a request that fails: its save is rolled back."""
    failure = PLAIN | {
        "sender": "django.core.handlers.wsgi.WSGIHandler",
        "arguments": {"request": {"method": "POST", "path": "/refund/3/"}},
        "exception": "shop.payments.Refused: the card issuer said no (code 51)",
        "call_site": "shop/views.py:88 in refund",
    }
    refund = {"status": ["paid", "refunded"]}
    steps = _request_steps(
        "POST",
        "/refund/3/",
        *_save_steps(1, "shop.Order", 3, refund, outcome=Outcome.ROLLED_BACK),
        (1, "got_request_exception", failure),
    )
    return trace_of(*steps, **{"origin_name": "POST /refund/3/"} | _actor(user) | shared)


def migrate_trace(**shared: Any) -> list[SignalEvent]:
    """Store the trace of a migration, with the connection that it opens."""
    engine = "django.db.backends.sqlite3.base.DatabaseWrapper"
    sent = {"app_config": "shop.apps.ShopConfig", "verbosity": 1, "interactive": True}
    sent |= {"using": "default", "plan": [["shop.0001_initial", False], ["shop.0002_tags", False]]}
    app = PLAIN | {"sender": "shop", "arguments": sent, "database": "default"}
    return trace_of(
        (
            0,
            "connection_created",
            PLAIN | {"sender": engine, "arguments": {"connection": "default"}},
        ),
        (0, "pre_migrate", app),
        (0, "post_migrate", app | {"duration": timedelta(seconds=1, milliseconds=312)}),
        **{"origin": Origin.COMMAND, "origin_name": "migrate"} | shared,
    )
