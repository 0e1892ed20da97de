"""The page of what one person did."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from signals_demo.factories import SignalEventFactory, checkout_trace, login_trace
from tests.factories import UserFactory
from tests.web.test_change_list import LIST, Markup, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_made_events")]

NOW = datetime(2026, 11, 21, 14, 3, 22, 416_000, tzinfo=UTC)


def page_of(actor_pk: object) -> str:
    return f"{LIST}people/{actor_pk}/"


def test_it_tells_what_was_done_newest_first(reader: Client) -> None:
    user = UserFactory.create(username="maria")
    login_trace(user, occurred_at=NOW)
    bought = checkout_trace(user, occurred_at=NOW + timedelta(days=1))
    checkout_trace(UserFactory.create(username="jonas"))
    response = reader.get(page_of(user.pk))
    days = response.context["days"]
    assert [f"{day:%d}" for day, _groups in days] == ["22", "21"]
    told = [
        [f"{entry.verb} {entry.subject}" for entry in group.entries]
        for _day, groups in days
        for group in groups
    ]
    assert told == [
        [
            "Deleted shop.Basket 12",
            "Linked shop.Order 3",
            "Created shop.Order 3",
            "Changed shop.Product 8",
        ],
        [f"Changed auth.User {user.pk}", f"Logged in auth.User {user.pk}"],
    ]
    text = response.content.decode()
    for part in ("Activity of maria", "203.0.113.7", "POST /checkout/", "<ins>3</ins>"):
        assert part in text
    assert "Nov. 22, 2026" in text
    assert "jonas" not in text
    assert any(bought[0].trace_id in link for link in Markup(text).links)


def test_the_name_is_the_one_recorded_last(reader: Client) -> None:
    for n, name in enumerate(("maria", "maria.lopez")):
        SignalEventFactory.create(actor_pk="7", actor=name, occurred_at=NOW + timedelta(seconds=n))
    assert "Activity of maria.lopez" in text_of(reader, page_of(7))


@pytest.mark.parametrize(
    ("show", "signals"),
    [
        ("requests", ["request_started"]),
        (
            "all",
            ["request_finished", "post_save", "pre_save", "user_logged_in", "request_started"],
        ),
    ],
)
def test_tabs(reader: Client, show: str, signals: list[str]) -> None:
    user = UserFactory.create()
    login_trace(user)
    [(_day, groups)] = reader.get(page_of(user.pk), {"show": show}).context["days"]
    assert [entry.event.signal for group in groups for entry in group.entries] == signals


def test_a_tab_with_nothing_in_it_says_so(reader: Client) -> None:
    SignalEventFactory.create(actor_pk="7", signal="post_init")
    assert "No events of this kind" in text_of(reader, page_of(7))


def test_older_deeds_follow(reader: Client) -> None:
    made = [
        SignalEventFactory.create(actor_pk="7", occurred_at=NOW + timedelta(seconds=n)).pk
        for n in range(60)
    ]
    first = text_of(reader, page_of(7), show="all")
    [older] = [a["href"] for tag, a in Markup(first).found if a.get("rel") == "next"]
    second = text_of(reader, f"{page_of(7)}{older}")
    for text, expected in ((first, made[10:]), (second, made[:10])):
        links = [link for link in Markup(text).links if link.endswith("/change/")]
        assert links == [f"{LIST}{pk}/change/" for pk in reversed(expected)]
    assert "?show=all&" in Markup(second).links


def test_the_users_own_page_is_linked_for_those_who_may_see_it(
    reader: Client, admin_client: Client
) -> None:
    user = UserFactory.create()
    login_trace(user)
    url = f"/admin/auth/user/{user.pk}/change/"
    assert url not in Markup(text_of(reader, page_of(user.pk))).links
    assert url in Markup(text_of(admin_client, page_of(user.pk))).links


def test_keys_of_any_kind_have_a_page(reader: Client) -> None:
    for key in ("a/b", "ü", "x y", "__", "7?q=1", "%2f", "<b>"):
        event = SignalEventFactory.create(actor_pk=key, actor="somebody")
        [link] = [
            link
            for link in Markup(text_of(reader, LIST, actor_pk=key)).links
            if link.startswith(page_of("")[:-1])
        ]
        assert f"{LIST}{event.pk}/change/" in Markup(text_of(reader, link)).links


@pytest.mark.parametrize("key", ["8", "x", "%00", "_00", "%F0%9F%92%A9", "9" * 400])
def test_nobody_of_that_key(reader: Client, key: str) -> None:
    SignalEventFactory.create(actor_pk="7")
    assert reader.get(page_of(key)).status_code == 404


@pytest.mark.parametrize("query", ["show=x", "show=%00", "before=", "before=x", "before=1-%00-1"])
def test_a_wrong_address_is_not_found(reader: Client, query: str) -> None:
    SignalEventFactory.create(actor_pk="7")
    assert reader.get(f"{page_of(7)}?{query}").status_code == 404


def test_only_readers_of_the_log_see_it(client: Client) -> None:
    SignalEventFactory.create(actor_pk="7")
    assert client.get(page_of(7)).status_code == 302
    client.force_login(UserFactory.create(is_staff=True))
    assert client.get(page_of(7)).status_code == 403


def test_nothing_recorded_becomes_markup(reader: Client) -> None:
    probe = "'\"><probe-tag probe=1>&lt;"
    SignalEventFactory.create(
        actor_pk="7", actor=probe, remote_address=probe, object_pk=probe, origin_name=probe
    )
    text = text_of(reader, page_of(7))
    assert "probe-tag" in text
    for tag, attrs in Markup(text).found:
        assert tag not in ("probe-tag", "style")
        assert not {"probe", "style"} & attrs.keys()
        assert tag != "script" or attrs.get("src")


def test_it_costs_the_same_with_10_events_and_with_200(reader: Client) -> None:
    counts = []
    for number in (10, 190):
        SignalEventFactory.create_batch(number, actor_pk="7", changes={"a": [1, 2]})
        with CaptureQueriesContext(connection) as queries:
            text_of(reader, page_of(7))
        own = [query["sql"] for query in queries if "signals_demo_signalevent" in query["sql"]]
        assert len(own) == 4  # the newest and the oldest; the end of the scan, and what is in it
        assert "COUNT(" not in str(own)
        counts.append(len(queries))
    assert counts[0] == counts[1]
