"""Which events are chosen, by options and by addresses, and in which order they come."""

from datetime import UTC, datetime, timedelta
from typing import Any

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
from signals_demo.query import filters
from signals_demo.query.filters import NotUnderstood, Selection, in_address, moment, selected
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

LIST = "/admin/signals_demo/signalevent/"


def keys(found: Selection) -> list[int]:
    return [row["id"] for row in found.rows(["id"])]


def chosen(**given: str | list[str]) -> list[int]:
    lists = {name: [value] if isinstance(value, str) else value for name, value in given.items()}
    return keys(selected(lists))


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
    assert chosen(search="auth.Group 5") == [lost.pk]
    assert chosen(search=" ") == chosen()
    assert chosen(since="30d") == [login.pk, lost.pk, job.pk]
    assert chosen(until="30d") == [old.pk]
    assert chosen(signal="post_save", sender="auth.Group") == [lost.pk]
    assert chosen(family="model", signal="user_logged_in") == []


def test_a_time_is_in_from_since_and_out_from_until() -> None:
    event = SignalEventFactory.create(occurred_at=datetime(2026, 1, 31, 9, 30, tzinfo=UTC))
    assert chosen(since="2026-01-31T09:30Z") == [event.pk]
    assert chosen(until="2026-01-31T09:30Z") == []
    assert chosen(since="2026-01-31", until="2026-02-01") == [event.pk]


def test_times_are_those_of_the_project(settings: Any) -> None:
    settings.TIME_ZONE = "America/New_York"
    assert moment("2026-01-31 09:30") == datetime(2026, 1, 31, 14, 30, tzinfo=UTC)
    assert moment("2026-01-31T09:30+00:00") == datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    ago = datetime.now(UTC) - moment("90m")
    assert timedelta(minutes=89) < ago < timedelta(minutes=91)


def test_a_time_of_any_offset_can_be_compared_with() -> None:
    chosen = selected({"since": ["2026-01-31T09:30-23:59"]})
    assert chosen.since == datetime(2026, 2, 1, 9, 29, tzinfo=UTC)
    assert not chosen.events().exists()


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("signal", "post_sav", "Did you mean post_save"),
        ("family", "models", "Use one of auth, model"),
        ("origin", "web", "Use one of request, command"),
        ("outcome", "lost", "Use one of committed"),
        ("view", "x", "Use one of changes"),
        ("since", "yesterday", "Use 24h"),
        ("since", "", "Use 24h"),
        ("until", "2026-13-01", "Use 24h"),
        ("since", "999999999w", "Use 24h"),
        ("since", "0001-01-01T00:00+14:00", "Use 24h"),
        ("since", "0001-12-31", "Use 24h"),
        ("until", "9999-01-01T00:00Z", "Use 24h"),
        ("trace", "zzz", "Use 32 hexadecimal digits"),
        ("sender", "auth.User\0", "a character that no event can contain"),
        ("search", "what is this?", "is not a valid search"),
    ],
)
def test_what_means_nothing_is_refused_with_a_hint(name: str, text: str, hint: str) -> None:
    with pytest.raises(NotUnderstood, match=hint):
        chosen(**{name: text})


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
    assert keys(in_address(QueryDict(address))) == shown[::-1]
    assert keys(in_address(QueryDict(f"{address}&p=2&o=1&format=csv"))) == shown[::-1]


def test_an_address_with_another_filter_chooses_nothing_unasked() -> None:
    with pytest.raises(NotUnderstood, match="no filter “colour”"):
        in_address(QueryDict("colour=red"))


def test_rows_come_by_time_in_many_short_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "CHUNK", 3)
    now = datetime.now(UTC)
    made = [
        SignalEventFactory.create(occurred_at=now + timedelta(seconds=n // 4), sequence=9000 - n)
        for n in range(14)
    ]
    expected = sorted(made, key=lambda event: (event.occurred_at, event.sequence))
    with CaptureQueriesContext(connection) as queries:
        assert keys(Selection()) == [event.pk for event in expected]
    assert len(queries) == 5
    for query in queries:
        assert "LIMIT 3" in query["sql"]
        assert "OFFSET" not in query["sql"]


def test_rows_of_one_moment_and_number_come_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "CHUNK", 2)
    now = datetime.now(UTC)
    made = [
        SignalEventFactory.create(
            occurred_at=now, sequence=1, recorder=f"00000000-0000-0000-0000-00000000000{n}"
        )
        for n in range(5)
    ]
    assert keys(Selection()) == [event.pk for event in made]


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
    monkeypatch.setattr(filters, "CHUNK", 2)
    SignalEventFactory.create_batch(5, actor_pk="7", outcome="rolled_back")
    with CaptureQueriesContext(connection) as queries:
        assert len(chosen(**{name: text})) == 5
    for query in queries.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            plan = [row[3] for row in cursor.fetchall()]
        assert any(index in step for step in plan), plan
        assert not any("TEMP B-TREE" in step for step in plan), plan
