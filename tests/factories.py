"""Events as the recorder stores them, one by one and as whole traces."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import factory
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from factory.django import DjangoModelFactory

from signals_demo.models import Origin, Outcome, SignalEvent

Step = tuple[int, str, dict[str, Any]]
"""Depth, signal, and the fields in which an event differs from the others of its trace."""


class UserFactory(DjangoModelFactory[AbstractUser]):
    class Meta:
        model = get_user_model()

    username = factory.Sequence(lambda n: f"user{n}")


class SignalEventFactory(DjangoModelFactory[SignalEvent]):
    class Meta:
        model = SignalEvent

    recorder = uuid.UUID(int=1)
    sequence = factory.Sequence(lambda n: n + 1)
    occurred_at = factory.LazyFunction(lambda: datetime.now(UTC))
    signal = "post_save"
    sender = "auth.User"
    trace_id = factory.LazyFunction(lambda: uuid.uuid4().hex)
    position = 1
    origin = Origin.REQUEST
    origin_name = "POST /cart/"
    object_pk = "5"
    database = "default"
    outcome = Outcome.COMMITTED
    call_site = "shop/views.py:42 in checkout"
    arguments = factory.LazyAttribute(
        lambda event: {
            "instance": {"model": event.sender, "pk": event.object_pk},
            "raw": False,
            "using": "default",
            "update_fields": None,
            "created": False,
        }
    )


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
    sent = {"raw": False, "using": "default", "update_fields": None}
    before = {"instance": {"model": model, "pk": None if created else pk}} | sent
    after = {"instance": {"model": model, "pk": pk}, "created": created} | sent
    shared = {"sender": model} | fields
    key = "" if created else str(pk)
    return [
        (depth, "pre_save", shared | {"object_pk": key, "arguments": before}),
        (
            depth,
            "post_save",
            shared
            | {
                "object_pk": str(pk),
                "arguments": after,
                "changes": changes,
                "duration": timedelta(microseconds=740),
            },
        ),
    ]


def _actor(user: AbstractUser | None) -> dict[str, str]:
    known = {"remote_address": "203.0.113.7"}
    return known | {"actor_pk": str(user.pk), "actor": user.get_username()} if user else known


def login_trace(user: AbstractUser, **shared: Any) -> list[SignalEvent]:
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
    return trace_of(*steps, origin_name="POST /login/", **_actor(user), **shared)


def checkout_trace(user: AbstractUser | None = None, **shared: Any) -> list[SignalEvent]:
    """Store the trace of a purchase: folded inits, nested saves, a link and a delete."""
    loaded = {"sender": "shop.Product", "object_pk": "", "outcome": "", "database": ""}
    linked = {
        "sender": "shop.Order_tags",
        "object_pk": "3",
        "arguments": {
            "instance": {"model": "shop.Order", "pk": 3},
            "action": "post_add",
            "reverse": False,
            "model": "shop.models.Tag",
            "pk_set": [1, 4, 9],
            "using": "default",
        },
    }
    basket = {"model": "shop.Basket", "pk": 12}
    gone = {"sender": "shop.Basket", "object_pk": "12"}
    order = {
        "id": [None, 3],
        "status": [None, "new"],
        "total": [None, "59.90"],
        "address": [None, {"street": "12 Rue des Lilas", "city": "Lyon", "floor": None}],
        "note": [None, None],
        "placed_at": [None, "2026-11-21T14:03:22.417000+00:00"],
    }
    pre_order, post_order = _save_steps(1, "shop.Order", 3, order)
    steps = _request_steps(
        "POST",
        "/checkout/",
        (
            1,
            "pre_init",
            loaded | {"arguments": {"args": [1, "Teapot"], "kwargs": {}}, "count": 312},
        ),
        (1, "post_init", loaded | {"arguments": {"instance": None}, "count": 312}),
        pre_order,
        *_save_steps(2, "shop.Product", 8, {"stock": [4, 3], "badge": ["last ones", None]}),
        post_order,
        (1, "m2m_changed", linked),
        (1, "pre_delete", gone | {"arguments": {"instance": basket, "origin": basket}}),
        (
            1,
            "post_delete",
            gone
            | {
                "arguments": {"instance": basket, "using": "default", "origin": basket},
                "changes": {"id": [12, None], "session": ["********************", None]},
                "duration": timedelta(microseconds=1850),
            },
        ),
    )
    return trace_of(*steps, origin_name="POST /checkout/", **_actor(user), **shared)


def failed_trace(user: AbstractUser | None = None, **shared: Any) -> list[SignalEvent]:
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
    return trace_of(*steps, origin_name="POST /refund/3/", **_actor(user), **shared)


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
