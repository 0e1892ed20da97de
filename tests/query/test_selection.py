"""Which events are chosen, by options and by addresses."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from signals_demo.factories import (
    SignalEventFactory,
    checkout_trace,
    failed_trace,
    login_trace,
    migrate_trace,
)
from signals_demo.query import export
from signals_demo.query.export import rows
from signals_demo.query.parsing import NotUnderstood
from signals_demo.query.selection import MOST, Selection, from_address, from_texts
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

LIST = "/admin/signals_demo/signalevent/"


def keys(found: Selection) -> list[int]:
    return [row["id"] for row in rows(found.events(), ["id"])]


def chosen(**given: str | list[str]) -> list[int]:
    lists = {name: [value] if isinstance(value, str) else value for name, value in given.items()}
    return keys(from_texts(lists))


def test_each_filter_chooses() -> None:
    now = datetime.now(UTC)
    old = SignalEventFactory.create(occurred_at=now - timedelta(days=60), actor_pk="7")
    login = SignalEventFactory.create(signal="user_logged_in", origin="test", object_pk="9")
    lost = SignalEventFactory.create(outcome="rolled_back", sender="auth.Group", object_pk="5")
    job = SignalEventFactory.create(actor="cron", database="other", sender="shop.signals.Till")
    assert chosen() == [old.pk, login.pk, lost.pk, job.pk]
    assert chosen(signal="user_logged_in") == [login.pk]
    assert chosen(signal=["user_logged_in", "pre_save"]) == [login.pk]
    assert chosen(signal="django.contrib.auth.signals.user_logged_in") == [login.pk]
    assert chosen(family="auth") == [login.pk]
    assert chosen(family=["auth", "model"]) == chosen()
    assert chosen(family="request") == []
    assert chosen(sender="auth.group") == [lost.pk]
    assert chosen(sender="shop.signals.Till") == [job.pk]
    assert chosen(object="auth.user 9") == [login.pk]
    assert chosen(object=["auth.User 9", "auth.Group 5"]) == [login.pk, lost.pk]
    assert chosen(object="9") == [login.pk]
    assert chosen(actor="7") == [old.pk]
    assert chosen(actor="cron") == [job.pk]
    assert chosen(actor=["7", "cron"]) == [old.pk, job.pk]
    assert chosen(origin="test") == [login.pk]
    assert chosen(outcome="rolled_back") == [lost.pk]
    assert chosen(database="other") == [job.pk]
    assert chosen(trace=lost.trace_id.upper()) == [lost.pk]
    assert chosen(trace=f"00-{lost.trace_id}-{'1' * 16}-01") == [lost.pk]
    assert chosen(q="auth.Group 5") == [lost.pk]
    assert chosen(q=" ") == chosen()
    assert chosen(since="30d") == [login.pk, lost.pk, job.pk]
    assert chosen(until="30d") == [old.pk]
    assert chosen(signal="post_save", sender="auth.Group") == [lost.pk]
    assert chosen(family="model", signal="user_logged_in") == []


def test_a_time_is_in_from_since_and_out_from_until() -> None:
    event = SignalEventFactory.create(occurred_at=datetime(2026, 1, 31, 9, 30, tzinfo=UTC))
    assert chosen(since="2026-01-31T09:30Z") == [event.pk]
    assert chosen(until="2026-01-31T09:30Z") == []
    assert chosen(since="2026-01-31", until="2026-02-01") == [event.pk]


def test_a_time_of_any_offset_can_be_compared_with() -> None:
    assert chosen(since="2026-01-31T09:30-23:59", until="2026-01-31T09:30+23:59") == []


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("signal", "post_sav", "There is no signal “post_sav”. Did you mean post_save"),
        ("family", "models", "family: There is no “models”. Use one of auth, model"),
        ("origin", "web", "There is no “web”. Use one of request, command"),
        ("outcome", "lost", "There is no “lost”. Use one of committed"),
        ("view", "x", "There is no “x”. Use one of changes"),
        ("since", "yesterday", "is not a valid time. Use 24h"),
        ("since", "", "is not a valid time. Use 24h"),
        ("until", "2026-13-01", "is not a valid time. Use 24h"),
        ("since", "999999999w", "is not a valid time. Use 24h"),
        ("since", "0001-01-01T00:00+14:00", "is not a valid time. Use 24h"),
        ("since", "0001-12-31", "is not a valid time. Use 24h"),
        ("until", "9999-01-01T00:00Z", "is not a valid time. Use 24h"),
        ("trace", "zzz", "“zzz” is not a trace id. Use 32 hexadecimal digits"),
        ("sender", "auth.User\0", "a character that no event can contain"),
        ("q", "what is this?", "q: “what is this\\?” is not a valid search. Use a trace id"),
    ],
)
def test_what_means_nothing_is_refused_with_a_hint(name: str, text: str, hint: str) -> None:
    with pytest.raises(NotUnderstood, match=hint):
        chosen(**{name: text})


def test_of_very_many_values_none_are_read() -> None:
    numbers = list(map(str, range(MOST + 1)))
    assert chosen(object=numbers[:-1], actor=numbers[:-1]) == []
    with pytest.raises(NotUnderstood, match=f"object: Use at most {MOST} values"):
        chosen(object=numbers)


def test_a_family_without_a_signal_has_no_events(monkeypatch: pytest.MonkeyPatch) -> None:
    SignalEventFactory.create()
    monkeypatch.setattr("signals_demo.catalog.built_in", dict)
    assert chosen(family="task") == []


def test_until_narrows_a_period_and_never_widens_it() -> None:
    now = datetime.now(UTC)
    for ends in ({}, {"time": ["2026-01-01/2999-01-01"]}, {"until": ["2999-01-01"]}):
        assert from_texts(ends).until(now).period.until == now
    until = datetime(2026, 1, 1, tzinfo=UTC)
    assert from_texts({"until": [until.isoformat()]}).until(now).period.until == until


def test_a_signal_of_bygone_days_can_still_be_asked_for() -> None:
    event = SignalEventFactory.create(signal="shop.signals.paid")
    assert chosen(signal="shop.signals.paid") == [event.pk]
    assert chosen(signal="frobnicated") == []


ADDRESSES = [
    "",
    "view=changes",
    "view=logins&time=24h",
    "time=1h",
    "family=auth",
    "family=model&signal=post_save",
    "signal=post_save&sender=auth.User",
    "sender=shop.Order",
    "sender=",
    "signal=",
    "outcome=rolled_back",
    "origin=command",
    "actor_pk=7",
    "q=auth.User+7",
    "q=auth.User",
    "q=8",
    "q=maria",
    "q=post_save&view=changes",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_of_the_list_chooses_what_the_list_shows(client: Client, address: str) -> None:
    user = UserFactory.create(username="maria", is_staff=True, pk=7)
    user.user_permissions.add(Permission.objects.get(codename="view_signalevent"))
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    login_trace(user)
    checkout_trace(user, occurred_at=long_ago)
    failed_trace(occurred_at=long_ago - timedelta(days=2))
    migrate_trace()
    client.force_login(user)
    shown = [event.pk for event in client.get(f"{LIST}?{address}").context["cl"].result_list]
    assert keys(from_address(QueryDict(address))) == shown[::-1]
    assert keys(from_address(QueryDict(f"{address}&p=2&o=1&format=csv"))) == shown[::-1]


def test_an_address_with_another_filter_chooses_nothing_unasked() -> None:
    with pytest.raises(NotUnderstood, match="no filter “colour”"):
        from_address(QueryDict("colour=red"))


@pytest.mark.applies(connection.vendor == "sqlite")
@pytest.mark.parametrize(
    ("name", "text", "index"),
    [
        ("since", "1h", "signals_demo_time"),
        ("signal", "post_save", "signals_demo_signal"),
        ("sender", "auth.User", "signals_demo_sender"),
        ("object", "auth.User 5", "signals_demo_object"),
        ("actor_pk", "7", "signals_demo_actor"),
        ("outcome", "rolled_back", "signals_demo_outcome"),
    ],
)
def test_each_read_follows_an_index_without_sorting(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, index: str
) -> None:
    monkeypatch.setattr(export, "CHUNK", 2)
    SignalEventFactory.create_batch(5, actor_pk="7", outcome="rolled_back")
    with CaptureQueriesContext(connection) as queries:
        assert len(chosen(**{name: text})) == 5
    for query in queries.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            plan = [row[3] for row in cursor.fetchall()]
        assert any(index in step for step in plan), plan
        assert not any("TEMP B-TREE" in step for step in plan), plan
