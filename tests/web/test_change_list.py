"""The log in the admin: who may read it, what it shows, and what it costs."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from signals_demo import catalog
from signals_demo.admin import SignalEventAdmin
from signals_demo.factories import (
    PLAIN,
    SignalEventFactory,
    checkout_trace,
    failed_trace,
    login_trace,
    migrate_trace,
    trace_of,
)
from signals_demo.models import SignalEvent
from signals_demo.query import scan
from signals_demo.query.keyset import NEWEST_FIRST
from signals_demo.web.names import TIMES
from tests.factories import UserFactory, store

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_made_events")]

LIST = "/admin/signals_demo/signalevent/"
ADD = f"{LIST}add/"


def page_of(event: SignalEvent) -> str:
    return f"{LIST}{event.pk}/change/"


def text_of(client: Client, url: str, **params: str) -> str:
    response = client.get(url, params)
    assert response.status_code == 200, (url, params, response.status_code)
    return response.content.decode()


def listed(client: Client, **params: str) -> list[int]:
    return _list_of(client, params)[0]


def _list_of(client: Client, params: dict[str, str]) -> tuple[list[int], str]:
    """Return which events a page lists, and its text."""
    response = client.get(LIST, params)
    assert response.status_code == 200, (params, response.status_code)
    events = response.context["cl"].result_list
    return [event.pk for event in events], response.content.decode()


class Markup(HTMLParser):
    """The tags and attributes of a page, for questions about all of them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    @property
    def links(self) -> list[str]:
        return [attrs["href"] or "" for tag, attrs in self.found if tag == "a" and "href" in attrs]

    def keeps_to_a_strict_policy(self) -> None:
        """Check that a policy of `default-src 'self'` leaves nothing out."""
        for tag, attrs in self.found:
            assert tag != "style"
            assert tag != "script" or attrs.get("src")
            assert "style" not in attrs
            assert not [name for name in attrs if name.startswith("on")]
            assert not (attrs.get("href") or "").startswith("javascript:")


# Who may do what


def test_a_visitor_is_sent_to_the_login(client: Client) -> None:
    event = SignalEventFactory.create()
    for url in (LIST, page_of(event)):
        response = client.get(url)
        assert response.status_code == 302
        assert response.url.startswith("/admin/login/")


def test_staff_without_the_permission_see_nothing(client: Client) -> None:
    event = SignalEventFactory.create()
    client.force_login(UserFactory.create(is_staff=True))
    assert client.get(LIST).status_code == 403
    assert client.get(page_of(event)).status_code == 403
    assert "signalevent" not in text_of(client, "/admin/")


def test_the_view_permission_is_enough_to_read(reader: Client) -> None:
    event = SignalEventFactory.create()
    assert listed(reader) == [event.pk]
    assert reader.get(page_of(event)).status_code == 200
    assert "Signal events" in text_of(reader, "/admin/")


def test_nobody_adds_changes_or_deletes(admin_client: Client) -> None:
    event = SignalEventFactory.create()
    delete = f"{LIST}{event.pk}/delete/"
    assert admin_client.get(ADD).status_code == 403
    assert admin_client.post(ADD, {"signal": "post_save"}).status_code == 403
    assert admin_client.post(page_of(event), {"signal": "pre_save"}).status_code == 403
    assert admin_client.get(delete).status_code == 403
    assert admin_client.post(delete, {"post": "yes"}).status_code == 403
    assert SignalEvent.objects.get() == event


def test_the_only_actions_are_downloads(admin_client: Client) -> None:
    event = SignalEventFactory.create()
    chosen = {"action": "delete_selected", "_selected_action": event.pk, "post": "yes"}
    assert admin_client.post(LIST, chosen).status_code in (200, 302)
    assert SignalEvent.objects.get() == event
    found = Markup(text_of(admin_client, LIST))
    values = [attrs.get("value") for tag, attrs in found.found if tag == "option"]
    assert [value for value in values if value] == ["download_csv", "download_json_lines"]
    assert ADD not in found.links


@pytest.mark.parametrize("selected", [False, True], ids=["one", "selected"])
def test_deleting_other_models_still_works(admin_client: Client, selected: bool) -> None:
    user = UserFactory.create()
    user.groups.add(Group.objects.create(name="staff"))
    login_trace(user)
    if selected:
        url = "/admin/auth/user/"
        sent = {"action": "delete_selected", "_selected_action": user.pk}
    else:
        url, sent = f"/admin/auth/user/{user.pk}/delete/", {}
    assert b"Are you sure" in admin_client.post(url, sent).content or not selected
    assert admin_client.post(url, sent | {"post": "yes"}).status_code == 302
    assert not get_user_model().objects.filter(pk=user.pk).exists()
    assert SignalEvent.objects.filter(object_pk=str(user.pk)).exists()


# The list


def test_an_empty_log_says_so(reader: Client) -> None:
    assert "Nothing is recorded yet" in text_of(reader, LIST)
    assert "No events match" in text_of(reader, LIST, view="errors")


def test_a_row_tells_what_a_person_scans_for(reader: Client) -> None:
    [event] = trace_of(
        (0, "post_init", {"sender": "shop.Product", "object_pk": "", "count": 312}),
        occurred_at=datetime(2026, 11, 21, 14, 3, 22, 416_000, tzinfo=UTC),
        actor="maria",
        actor_pk="7",
        outcome="rolled_back",
    )
    text = text_of(reader, LIST)
    for part in ("14:03:22.417", "Nov. 21, 2026", "signals-model", "post_init", "shop.Product"):
        assert part in text
    for part in ("maria", "POST /cart/", "rolled back", f"{TIMES} 312"):
        assert part in text
    links = Markup(text).links
    assert any(link.startswith(page_of(event)) for link in links)
    assert f"{LIST}traces/{event.trace_id}/" in links
    assert f"{LIST}people/7/" in links


def test_who_has_a_name_somewhere_in_the_list_has_it_everywhere(reader: Client) -> None:
    SignalEventFactory.create(actor_pk="7", actor="maria")
    SignalEventFactory.create(actor_pk="7", actor="")
    SignalEventFactory.create(actor_pk="8", actor="")
    text = text_of(reader, LIST)
    assert (text.count(">maria</a>"), text.count(">7</a>"), text.count(">8</a>")) == (2, 0, 1)


def test_newest_first_whatever_the_address_asks_for(reader: Client) -> None:
    now = datetime.now(UTC)
    older = SignalEventFactory.create(occurred_at=now - timedelta(hours=1), sequence=9001)
    first = SignalEventFactory.create(occurred_at=now, sequence=9002)
    twin = SignalEventFactory.create(occurred_at=now, sequence=9003)
    other = SignalEventFactory.create(occurred_at=now, sequence=9003, recorder=uuid.UUID(int=2))
    expected = [other.pk, twin.pk, first.pk, older.pk]
    for order in ("", "1", "-1", "3.2", "pk", "99"):
        assert listed(reader, o=order) == expected


def followed(client: Client, relation: str, **params: str) -> dict[str, str]:
    """Return the parameters of the address that a link beside a page leads to; none without it."""
    return _led_to(text_of(client, LIST, **params), relation)


def _led_to(text: str, relation: str) -> dict[str, str]:
    for tag, attrs in Markup(text).found:
        if tag == "a" and attrs.get("rel") == relation:
            return dict(parse_qsl((attrs["href"] or "").removeprefix("?")))
    return {}


def walked(client: Client, relation: str, **params: str) -> list[list[int]]:
    """Return what is listed on the pages from one on, as the links lead."""
    return walked_to_the_end(client, relation, **params)[0]


def walked_to_the_end(
    client: Client, relation: str, **params: str
) -> tuple[list[list[int]], dict[str, str]]:
    """Return what is listed on the pages from one on, and the parameters of the last one."""
    found = []
    while True:
        events, text = _list_of(client, params)
        found.append(events)
        if not (following := _led_to(text, relation)):
            return found, params
        params = following


def made_over_time(number: int, **fields: Any) -> list[int]:
    """Make events that fired a second after each other, and return them, newest first."""
    now = datetime.now(UTC)
    return store(
        SignalEventFactory.build(occurred_at=now - timedelta(seconds=n), **fields)
        for n in range(number)
    )


@pytest.fixture
def pages_of_20(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SignalEventAdmin.list_per_page == 100
    monkeypatch.setattr(SignalEventAdmin, "list_per_page", 20)


@pytest.mark.usefixtures("pages_of_20")
def test_pages_follow_each_other_in_both_directions(reader: Client) -> None:
    made = made_over_time(61)
    pages = [made[:20], made[20:40], made[40:60], made[60:]]
    forwards, last = walked_to_the_end(reader, "next")
    assert forwards == pages
    assert walked(reader, "prev", **last) == pages[::-1]
    assert listed(reader, all="") == made[:20]


def test_a_page_stays_the_same_while_events_come(reader: Client) -> None:
    made = made_over_time(250)
    second = followed(reader, "next")
    newest = [
        SignalEventFactory.create(occurred_at=datetime.now(UTC) + timedelta(seconds=n)).pk
        for n in range(1, 31)
    ]
    assert listed(reader, **second) == made[100:200]
    # Before it there is now more than a page: first that, and then a full one from the beginning.
    nearer = followed(reader, "prev", **second)
    assert listed(reader, **nearer) == made[:100]
    first = followed(reader, "prev", **nearer)
    assert listed(reader, **first) == [*newest[::-1], *made[:70]]
    assert not followed(reader, "prev", **first)


@pytest.mark.usefixtures("pages_of_20")
def test_events_of_one_moment_are_on_one_page_each(reader: Client) -> None:
    now = datetime.now(UTC)
    made = store(
        SignalEventFactory.build(
            occurred_at=now, sequence=1 + n // 2, recorder=uuid.UUID(int=1 + n % 2)
        )
        for n in range(41)
    )
    for params in ({}, {"view": "changes"}, {"outcome": "committed"}):
        pages = walked(reader, "next", **params)
        assert list(map(len, pages)) == [20, 20, 1]
        assert list(chain(*pages)) == made[::-1]


@pytest.mark.usefixtures("pages_of_20")
def test_pages_keep_the_filters_and_other_filters_begin_anew(reader: Client) -> None:
    made = made_over_time(30, sender="auth.User")
    made_over_time(30, sender="shop.Order")
    second = followed(reader, "next", q="auth.User", time="1h")
    assert second.keys() == {"q", "time", "after"}
    assert listed(reader, **second) == made[20:]
    page = Markup(text_of(reader, LIST, **second))
    others = [attrs for tag, attrs in page.found if tag == "a" and not attrs.get("rel")]
    assert "?q=auth.User&time=1h&view=logins" in page.links
    assert not any("after=" in (attrs.get("href") or "") for attrs in others)


@pytest.mark.usefixtures("pages_of_20")
def test_pages_of_a_trace_are_in_the_order_of_firing(reader: Client) -> None:
    shared = {"trace_id": "ab" * 16}
    made = store(SignalEventFactory.build(position=1 + n // 2, **shared) for n in range(50))
    pages, last = walked_to_the_end(reader, "next", q="ab" * 16)
    assert pages == [made[:20], made[20:40], made[40:]]
    assert walked(reader, "prev", **last) == pages[::-1]


def test_a_place_outside_of_a_period_shows_nothing_else(reader: Client) -> None:
    made = made_over_time(3, signal="post_save")
    newest = SignalEvent.objects.get(pk=made[0])
    since, until = (
        (newest.occurred_at - timedelta(seconds=seconds)).isoformat() for seconds in (5, 0.5)
    )
    for params in ({}, {"outcome": "committed"}, {"view": "changes"}):
        params = params | {"time": f"{since}/{until}"}
        assert listed(reader, **params) == made[1:]
        assert listed(reader, after=str(NEWEST_FIRST.of(newest)), **params) == made[1:]
        oldest = NEWEST_FIRST.cursor(newest.occurred_at - timedelta(days=1))
        assert listed(reader, before=str(oldest), **params) == made[1:]


FEW = [
    {"origin": "task"},
    {"origin": "task", "sender": "auth.User"},
    {"origin": "task", "view": "changes"},
    {"actor_pk": "7", "signal": "post_save"},
    {"q": "auth.User 5", "view": "changes", "time": "7d"},
]


@pytest.mark.parametrize("params", FEW, ids=urlencode)
def test_a_page_ends_where_it_has_looked_through_many_events(
    reader: Client, monkeypatch: pytest.MonkeyPatch, params: dict[str, str]
) -> None:
    monkeypatch.setattr(scan, "SCAN_LIMIT", 40)
    monkeypatch.setattr(SignalEventAdmin, "list_per_page", 40)
    common = {"signal": "post_save", "sender": "auth.User", "object_pk": "5"}
    now = datetime.now(UTC)
    wanted = store(
        SignalEventFactory.build(
            occurred_at=now - timedelta(minutes=n), origin="task", actor_pk="7", **common
        )
        for n in (0, 100, 240)
    )
    others = []
    for n in range(1, 240):
        fields = common | {"origin": "request"}
        if params.keys() & {"actor_pk", "q"}:  # each has one of the two things that are wanted
            fields |= {"actor_pk": "8", "object_pk": "6"} if n % 2 else {"signal": "pre_save"}
            fields = {"actor_pk": "7"} | fields
        moment = now - timedelta(minutes=n, seconds=1)
        others.append(SignalEventFactory.build(occurred_at=moment, **fields))
    store(others)
    pages, last = walked_to_the_end(reader, "next", **params)
    assert list(chain(*pages)) == wanted
    assert len(pages) > 1
    assert "The search stopped after many events" in text_of(reader, LIST, **params)
    assert "No events match" not in text_of(reader, LIST, **params)
    assert list(chain(*walked(reader, "prev", **last)[::-1])) == wanted
    assert "The search stopped after many events" not in text_of(reader, LIST, **last)


def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SignalEventAdmin, "list_per_page", 2)
    monkeypatch.setattr(scan, "SCAN_LIMIT", 8)


def scattered(days: int) -> list[int]:
    """Make logins of users and saves of orders on each day, on some also saves of users.

    Return the keys of these, the newest first.
    """
    now = datetime.now(UTC)
    found = []
    for day in range(days):
        for minute in range(4):
            moment = now - timedelta(days=day, minutes=minute)
            for signal, sender in (("user_logged_in", "auth.User"), ("post_save", "shop.Order")):
                SignalEventFactory.create(occurred_at=moment, signal=signal, sender=sender)
        if day in (3, 7, 8):
            event = SignalEventFactory.create(
                occurred_at=now - timedelta(days=day, seconds=90), signal="post_save",
                sender="auth.User",
            )  # fmt: skip
            found.append(event.pk)
    return found


@pytest.mark.parametrize(
    "params",
    [{"signal": "post_save", "sender": "auth.User"}, {"view": "changes", "q": "auth.User"}],
    ids=urlencode,
)
def test_a_signal_and_a_sender_that_seldom_meet_are_found_page_by_page(
    reader: Client, monkeypatch: pytest.MonkeyPatch, params: dict[str, str]
) -> None:
    small_pages(monkeypatch)
    wanted = scattered(12)
    pages, last = walked_to_the_end(reader, "next", **params)
    assert list(chain(*pages)) == wanted
    assert set(chain(*walked(reader, "prev", **last))) == set(wanted)
    since = (datetime.now(UTC) - timedelta(days=7, hours=1)).isoformat()
    assert list(chain(*walked(reader, "next", time=since, **params))) == wanted[:2]


def test_a_signal_and_a_sender_that_never_met_cost_no_more_than_any_other_page(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_pages(monkeypatch)
    scattered(12)
    params = {"signal": "user_logged_in", "sender": "shop.Order"}
    with CaptureQueriesContext(connection) as queries:
        assert "The search stopped after many events" in text_of(reader, LIST, **params)
    assert len([each for each in queries if "signals_demo_signalevent" in each["sql"]]) == 2
    assert list(chain(*walked(reader, "next", **params))) == []


@pytest.mark.parametrize(
    "params", [{}, {"sender": "auth.User"}, {"view": "changes"}], ids=urlencode
)
def test_what_was_not_committed_is_found_however_long_ago(
    reader: Client, monkeypatch: pytest.MonkeyPatch, params: dict[str, str]
) -> None:
    monkeypatch.setattr(scan, "SCAN_LIMIT", 5)
    common = {"signal": "post_save", "sender": "auth.User"}
    now = datetime.now(UTC)
    store(SignalEventFactory.build_batch(150, occurred_at=now, outcome="committed", **common))
    for outcome in ("rolled_back", "open"):
        lost = [
            SignalEventFactory.create(
                occurred_at=now - timedelta(days=days), outcome=outcome, **common
            ).pk
            for days in range(3)
        ]
        assert listed(reader, outcome=outcome, **params) == lost
        text = text_of(reader, LIST, outcome=outcome, **params)
        assert "The search stopped after many events" not in text


@pytest.mark.parametrize(
    ("view", "signals"),
    [
        ("changes", {"post_save", "post_delete", "m2m_changed"}),
        ("logins", {"user_logged_in"}),
        ("requests", {"request_started", "request_finished", "got_request_exception"}),
        ("errors", {"got_request_exception"}),
        ("schema", {"pre_migrate", "post_migrate"}),
    ],
)
def test_quick_views(reader: Client, view: str, signals: set[str]) -> None:
    user = UserFactory.create()
    for make in (login_trace, checkout_trace, failed_trace):
        make(user)
    migrate_trace()
    shown = SignalEvent.objects.filter(pk__in=listed(reader, view=view))
    assert {event.signal for event in shown} == signals
    assert shown.count() == SignalEvent.objects.filter(signal__in=signals).count()
    tabs = [attrs for tag, attrs in Markup(text_of(reader, LIST, view=view)).found if tag == "a"]
    current = [attrs["href"] for attrs in tabs if attrs.get("aria-current") == "page"]
    assert f"?view={view}" in current


def test_a_tab_keeps_search_and_time_but_not_the_signal(reader: Client) -> None:
    text = text_of(reader, LIST, q="auth.User", time="7d", signal="pre_save", family="model")
    assert "?q=auth.User&time=7d&view=changes" in Markup(text).links


def test_filters(reader: Client) -> None:
    now = datetime.now(UTC)
    old = SignalEventFactory.create(occurred_at=now - timedelta(days=60), actor_pk="7")
    login = SignalEventFactory.create(
        **PLAIN | {"sender": "auth.User"}, signal="user_logged_in", origin="test"
    )
    lost = SignalEventFactory.create(outcome="rolled_back", sender="auth.Group")
    gone = SignalEventFactory.create(signal="shop.signals.paid", sender="shop.Order")
    assert old.pk not in listed(reader, time="30d")
    assert listed(reader, family="auth") == [login.pk]
    assert listed(reader, signal="user_logged_in") == [login.pk]
    assert listed(reader, signal="shop.signals.paid") == [gone.pk]
    assert listed(reader, sender="auth.Group") == [lost.pk]
    assert listed(reader, outcome="rolled_back") == [lost.pk]
    assert listed(reader, origin="test") == [login.pk]
    assert listed(reader, actor_pk="7") == [old.pk]
    assert listed(reader, signal="post_save", sender="auth.Group", time="5m") == [lost.pk]


def test_filters_offer_what_exists_without_asking_the_table(reader: Client) -> None:
    links = Markup(text_of(reader, LIST)).links
    assert {"?sender=auth.User", "?sender=auth.User_groups", "?family=model"} <= set(links)
    assert {f"?signal={name}" for name in catalog.built_in()} <= set(links)
    assert "?sender=signals_demo.SignalEvent" not in links


# Searching


def test_search_for_a_trace_gives_it_in_order(reader: Client) -> None:
    events = checkout_trace()
    SignalEventFactory.create()
    for text in (events[0].trace_id, events[0].trace_id.upper(), f" {events[0].trace_id} "):
        assert listed(reader, q=text) == [event.pk for event in events]
    text = text_of(reader, LIST, q=events[0].trace_id)
    assert "signals-in-trace" in text
    assert "signals-depth-2" in text
    assert "One trace" in text


def test_search_for_a_model_and_for_an_object(reader: Client) -> None:
    five = SignalEventFactory.create(object_pk="5")
    six = SignalEventFactory.create(object_pk="6")
    group = SignalEventFactory.create(sender="auth.Group", object_pk="5")
    assert listed(reader, q="auth.User") == [six.pk, five.pk]
    assert listed(reader, q="auth.user") == [six.pk, five.pk]
    assert listed(reader, q="auth.User 5") == [five.pk]
    assert listed(reader, q="5") == [group.pk, five.pk]
    assert listed(reader, q="auth.Group 6") == []


def test_search_for_a_user(reader: Client) -> None:
    user = UserFactory.create(username="maria.lopez")
    done = SignalEventFactory.create(actor_pk=str(user.pk), actor="maria.lopez")
    SignalEventFactory.create(actor_pk="999999", actor="someone else")
    assert listed(reader, q="maria.lopez") == [done.pk]
    assert "The actor maria.lopez" in text_of(reader, LIST, q="maria.lopez")


def test_search_for_a_signal_or_another_sender(reader: Client) -> None:
    login = SignalEventFactory.create(signal="user_logged_in")
    gone = SignalEventFactory.create(sender="shop.Order", object_pk="")
    assert listed(reader, q="user_logged_in") == [login.pk]
    assert listed(reader, q="django.contrib.auth.signals.user_logged_in") == [login.pk]
    assert listed(reader, q="shop.Order") == [gone.pk]


@pytest.mark.parametrize("text", ["what is this?", "x" * 300, "5 auth.User", "a' OR '1'='1"])
def test_another_search_says_what_can_be_searched(reader: Client, text: str) -> None:
    SignalEventFactory.create()
    with CaptureQueriesContext(connection) as queries:
        page = text_of(reader, LIST, q=text)
    assert "is not a valid search. Use a trace id" in page
    assert "one object: its model and key" in page
    assert "Clear the search" not in page
    assert not any("FROM" in q["sql"] and "signalevent" in q["sql"] for q in queries)


@pytest.mark.parametrize("text", ["auth.User", "auth.User 5", "5", "post_save", "ab" * 16])
def test_a_search_that_is_understood_can_be_cleared(reader: Client, text: str) -> None:
    page = text_of(reader, LIST, q=text, view="changes")
    assert '<a href="?view=changes">Clear the search</a>' in page
    assert "signals-forms" not in page


# The page of one event


def _signal_of_each_family() -> list[str]:
    return list({known.family: name for name, known in catalog.built_in().items()}.values())


@pytest.mark.parametrize("name", [*_signal_of_each_family(), "shop.signals.paid", "bygone"])
def test_every_family_has_its_page(reader: Client, name: str) -> None:
    known = catalog.get(name)
    given = {argument.name: {"a": 1} for argument in known.arguments} if known else {"order": 3}
    event = SignalEventFactory.create(signal=name, arguments=given | {"extra": [1, 2]})
    page = Markup(text := text_of(reader, page_of(event)))
    assert f"signals-{known.family if known else 'other'}" in text
    assert "extra" in text
    if known:
        assert known.url in page.links
        for argument in known.arguments:
            assert f"<code>{argument.name}</code>" in text
    else:
        assert "not a built-in signal" in text


def shown_arguments(reader: Client, event: SignalEvent) -> dict[str, str]:
    """Return the arguments that the page of an event shows, in their order."""
    response = reader.get(page_of(event))
    return {argument.name: argument.value.text for argument in response.context["arguments"]}


def test_arguments_come_in_the_order_of_the_documentation(reader: Client) -> None:
    event = SignalEventFactory.create(
        signal="post_save", arguments={"mine": 1, "update_fields": ["stock"], "created": True}
    )
    names = ["instance", "created", "raw", "using", "update_fields", "mine"]
    assert sorted(shown := shown_arguments(reader, event)) == sorted(names)
    known = catalog.get("post_save")
    assert known is not None
    assert list(shown) == [*known.argument_names, "mine"]


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ({"signal": "pre_save", "object_pk": ""}, {
            "instance": "shop.Order None", "raw": "False", "using": "'east'",
            "update_fields": "None",
        }),
        ({"signal": "post_save", "arguments": {"created": False, "update_fields": ["note"]}}, {
            "instance": "shop.Order 7", "created": "False", "raw": "False", "using": "'east'",
            "update_fields": "['note']",
        }),
        ({"signal": "post_delete"}, {
            "instance": "shop.Order 7", "using": "'east'", "origin": "shop.Order 7",
        }),
        ({"signal": "pre_init", "object_pk": ""}, {"args": "[]", "kwargs": "{}"}),
        ({"signal": "post_init", "count": 9, "object_pk": ""}, {}),
        ({"signal": "post_init", "count": 9}, {"instance": "shop.Order 7"}),
        ({"signal": "post_save", "arguments": {"...": "not described"}},
         {"...": "'not described'"}),
        ({"signal": "shop.signals.paid"}, {}),
    ],
)  # fmt: skip
def test_arguments_that_the_log_leaves_out_are_shown(
    reader: Client, stored: dict[str, Any], expected: dict[str, str]
) -> None:
    about = {"sender": "shop.Order", "object_pk": "7", "database": "east/acme", "arguments": {}}
    event = SignalEventFactory.create(**about | stored)
    assert shown_arguments(reader, event) == expected


def test_changes_stand_side_by_side_and_say_their_kind(reader: Client) -> None:
    changes = {"a": [None, 1], "b": ["was", None], "c": ["was", "is"], "d": [None, None]}
    event = SignalEventFactory.create(changes=changes)
    text = text_of(reader, page_of(event))
    for kind in ("added", "removed", "changed", "unchanged"):
        assert f'<tr class="signals-{kind}">' in text
    for word in ("added", "removed", "changed", "empty", "Old value", "New value"):
        assert word in text


def test_where_when_and_by_whom(admin_client: Client) -> None:
    user = UserFactory.create(username="maria")
    events = checkout_trace(user)
    event = events[6]
    page = Markup(text := text_of(admin_client, page_of(event)))
    for part in ("shop/views.py:42 in checkout", "POST /checkout/", "203.0.113.7", "maria"):
        assert part in text
    assert f"{LIST}people/{user.pk}/" in page.links
    assert f"{LIST}?q={event.trace_id}" in page.links
    assert page_of(events[5]) in page.links
    assert page_of(events[7]) in page.links
    current = [attrs for _tag, attrs in page.found if attrs.get("aria-current") == "true"]
    assert len(current) == 1


def test_the_steps_through_a_trace_that_requests_share_come_by_each_event_once(
    reader: Client,
) -> None:
    shared = {"trace_id": "ab" * 16, "object_pk": ""}
    events = [SignalEventFactory.create(**shared, position=1 + n // 3) for n in range(6)]
    steps = []
    for event in events:
        links = [attrs for tag, attrs in Markup(text_of(reader, page_of(event))).found]
        steps.append([attrs["href"] for attrs in links if attrs.get("rel") in ("prev", "next")])
    pages = [page_of(event) for event in events]
    assert steps == [
        [pages[n] for n in (place - 1, place + 1) if 0 <= n < len(pages)]
        for place in range(len(pages))
    ]


def test_the_page_of_an_object_is_linked_only_where_it_would_be_shown(
    admin_client: Client, reader: Client
) -> None:
    user = UserFactory.create()
    url = f"/admin/auth/user/{user.pk}/change/"
    event = SignalEventFactory.create(object_pk=str(user.pk))
    admin = Client()
    admin.force_login(get_user_model().objects.get(username="admin"))
    assert url in Markup(text_of(admin, page_of(event))).links
    assert url not in Markup(text_of(reader, page_of(event))).links
    user.delete()
    assert url not in Markup(text_of(admin, page_of(event))).links


@pytest.mark.parametrize(
    ("sender", "key"),
    [
        ("auth.User", "no number"),
        ("auth.User", "9" * 40),
        ("auth.User", "../../x"),
        ("auth.Permission", "1"),
        ("shop.Order", "3"),
        ("django.core.handlers.wsgi.WSGIHandler", ""),
        ("", ""),
    ],
)
def test_an_object_without_a_page_is_plain_text(
    admin_client: Client, sender: str, key: str
) -> None:
    event = SignalEventFactory.create(sender=sender, object_pk=key, actor_pk="9" * 40)
    assert admin_client.get(page_of(event)).status_code == 200


def test_the_object_of_a_link_is_its_instance(admin_client: Client) -> None:
    user = UserFactory.create()
    given = {"instance": {"model": "auth.User", "pk": user.pk}, "action": "post_add"}
    event = SignalEventFactory.create(
        signal="m2m_changed", sender="auth.User_groups", object_pk=str(user.pk), arguments=given
    )
    links = Markup(text_of(admin_client, page_of(event))).links
    assert f"/admin/auth/user/{user.pk}/change/" in links


def test_a_folded_row_says_how_many(reader: Client) -> None:
    event = SignalEventFactory.create(signal="post_init", count=312)
    assert f"{TIMES} 312" in text_of(reader, page_of(event))


def test_a_long_trace_is_shown_around_the_event(reader: Client) -> None:
    shared = {"trace_id": "ab" * 16, "signal": "pre_save"}
    events = [SignalEventFactory.build(position=n, **shared) for n in range(1, 501)]
    store(events)
    response = reader.get(page_of(events[250]))
    shown = [node.event.position for node in response.context["nodes"]]
    assert shown == list(range(151, 352))
    assert b"Only the events around this one" in response.content


def test_deep_nesting_does_not_break_the_page(reader: Client) -> None:
    steps = [(depth, "pre_save", {}) for depth in range(150)]
    event = trace_of(*steps)[100]
    assert reader.get(page_of(event)).status_code == 200


@pytest.mark.parametrize("key", ["0", "x", "9" * 40, "-1", "1_2F", "%00", "%F0%9F%92%A9"])
def test_no_such_event(reader: Client, key: str) -> None:
    assert reader.get(f"{LIST}{key}/change/").status_code == 404


# Safety of the pages


def _pages(client: Client) -> list[str]:
    user = UserFactory.create(username="maria")
    events = [*checkout_trace(user), *failed_trace(user)]
    pages = [text_of(client, page_of(event)) for event in events]
    searches = ({}, {"q": events[0].trace_id}, {"q": "what is this"}, {"view": "schema"})
    return pages + [text_of(client, LIST, **params) for params in searches]


def test_a_strict_content_security_policy_works(admin_client: Client) -> None:
    for page in _pages(admin_client):
        Markup(page).keeps_to_a_strict_policy()


def test_nothing_recorded_becomes_markup(admin_client: Client) -> None:
    probe = "'\"><probe-tag probe=1>&lt;"
    event = SignalEventFactory.create(
        signal=f"shop.{probe}",
        sender=probe,
        origin_name=probe,
        actor=probe,
        remote_address=probe,
        object_pk=probe,
        exception=probe,
        actor_pk=probe,
        database=probe,
        call_site=probe,
        digest=probe,
        count=2,
        arguments={probe: {probe: [probe, probe * 9]}, "instance": {"model": probe, "pk": probe}},
        changes={probe: [probe, {probe: probe}]},
    )
    pages = [
        text_of(admin_client, page_of(event)),
        text_of(admin_client, page_of(event), _changelist_filters=probe),
        text_of(admin_client, LIST),
        text_of(admin_client, LIST, q=probe),
        text_of(admin_client, LIST, signal=probe, sender=probe, actor_pk=probe),
    ]
    for page in pages:
        assert "probe-tag" in page
        for tag, attrs in Markup(page).found:
            assert tag != "probe-tag"
            assert "probe" not in attrs


PLACES = ("", "x", "%00", "0", "0-0", "-1-1", "9" * 17 + "-1", "1-" + "9" * 18, "1-5-1")
HOSTILE = [
    *(f"p={value}" for value in ("0", "-1", "9" * 30, "x", "1.5", "%00", "%D9%A1", "1001", "")),
    *(f"{name}={value}" for name in ("after", "before") for value in PLACES),
    *("after=0-0&before=0-0", f"q={'ab' * 16}&after=0-0-0", f"q={'ab' * 16}&before=1-5"),
    *(f"view={value}" for value in ("x", "%00", "Changes", "changes&view=x", "' OR 1=1--")),
    *(f"q={value}" for value in ("%00", "%F0%9F%92%A9", "%ff", ".", "..", "a.b.c", "auth.")),
    *(f"q={value}" for value in (".User", "auth.User%00", "auth.User " + "9" * 99, "1" * 5000)),
    *(f"q={quote(value)}" for value in ("<script>", "{{ x }}", "%s%s", "\\", "\u202e", "'", '"')),
    *(f"{name}=%00" for name in ("signal", "sender", "actor_pk", "outcome", "time", "family")),
    *(f"{name}=x" for name in ("outcome", "origin", "time", "family", "signal", "actor_pk")),
    *(f"{name}=1" for name in ("id", "pk", "id__in", "arguments__icontains", "changes__a__b")),
    *(f"{name}=1" for name in ("occurred_at__year", "recorder", "nothing", "signal__regex")),
    *(f"o={value}" for value in ("1", "-99", "x", "1.2.3", "--", "9" * 30, "%00")),
    *(f"{name}=1" for name in ("_popup", "_facets", "all", "e", "_to_field", "_source_model")),
    *("_to_field=id", "_to_field=%00", "&&&", "=", "?", "%", "a[]=1", "q=a&q=b", "p=1&p=x"),
]


def test_no_address_breaks_the_list(reader: Client) -> None:
    SignalEventFactory.create()
    answers = {query: reader.get(f"{LIST}?{query}", follow=True).status_code for query in HOSTILE}
    assert len(answers) == len(HOSTILE)
    assert {query: code for query, code in answers.items() if code not in (200, 400, 404)} == {}


@pytest.mark.parametrize(
    "query",
    [
        *("view=x", "time=x", "time=", "p=0", "p=2", "after=x", "before="),
        f"q={'ab' * 16}&after=1-2-3",
    ],
)
def test_a_wrong_address_leads_to_the_whole_list_and_says_so(reader: Client, query: str) -> None:
    response = reader.get(f"{LIST}?{query}", follow=True)
    assert response.redirect_chain == [(f"{LIST}?e=1", 302)]
    assert b"so all events are shown" in response.content


def test_an_address_that_is_wrong_again_does_not_blame_the_database(reader: Client) -> None:
    response = reader.get(f"{LIST}?e=1&view=x", follow=True)
    assert response.redirect_chain == [("?e=1", 302)]
    assert b"so all events are shown" in response.content


def test_other_columns_cannot_be_filtered(reader: Client) -> None:
    assert reader.get(f"{LIST}?arguments__icontains=x").status_code == 400


# What it costs

SEARCHES: list[dict[str, str]] = [
    {},
    {"q": "4bf92f3577b34da6a3ce929d0e0e4736"},
    {"q": "auth.User"},
    {"q": "auth.User 5"},
    {"q": "5"},
    {"q": "reader"},
    {"q": "post_save"},
    {"view": "changes"},
    {"view": "logins", "time": "24h"},
    {"time": "1h"},
    {"family": "auth"},
    {"signal": "post_save"},
    {"sender": "auth.User"},
    {"outcome": "committed"},
    {"outcome": "rolled_back"},
    {"outcome": "open", "sender": "auth.User"},
    {"origin": "command"},
    {"actor_pk": "7"},
    {"after": "1767225600000000-1"},
    {"view": "logins", "actor_pk": "7"},
]


def _queries(client: Client, url: str, **params: str) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        text_of(client, url, **params)
    return [query["sql"] for query in queries]


@pytest.mark.parametrize("params", SEARCHES, ids=urlencode)
def test_the_list_costs_the_same_with_2_rows_and_with_50(
    reader: Client, params: dict[str, str]
) -> None:
    store(SignalEventFactory.build_batch(2))
    few = _queries(reader, LIST, **params)
    store(SignalEventFactory.build_batch(48))
    many = _queries(reader, LIST, **params)
    assert len(many) == len(few)
    own = [sql for sql in many if 'FROM "signals_demo' in sql.replace("`", '"')]
    # Where to stop, if that has to be known; and the events.
    assert len(own) in (1, 2)
    assert not any("COUNT(" in sql or "DISTINCT" in sql for sql in own)
    assert "OFFSET" not in own[-1]


def test_the_page_of_an_event_costs_the_same_in_a_long_trace(admin_client: Client) -> None:
    user = UserFactory.create()
    shared = {"trace_id": "ab" * 16, "actor_pk": str(user.pk), "object_pk": str(user.pk)}
    made = [SignalEventFactory.create(position=n, **shared) for n in range(10)]
    few = _queries(admin_client, page_of(made[5]))
    store(SignalEventFactory.build(position=n, **shared) for n in range(10, 200))
    many = _queries(admin_client, page_of(made[5]))
    # Session and user; the event; its object, twice; the trace before and after it.
    reads = [sql for sql in many if sql.startswith("SELECT")]
    assert len(few) == len(many)
    assert len(reads) == 7


@pytest.mark.applies(connection.vendor == "sqlite")  # a server scans so small a table
@pytest.mark.parametrize("params", SEARCHES, ids=urlencode)
def test_the_list_never_scans_the_table(reader: Client, params: dict[str, str]) -> None:
    SignalEventFactory.create_batch(3)
    for sql in _queries(reader, LIST, **params):
        if 'FROM "signals_demo' not in sql:
            continue
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plan = [row[3] for row in cursor.fetchall()]
        assert any("INDEX" in step for step in plan), plan
        if "SCALAR SUBQUERY 1" in plan:
            plan = plan[1:]  # values of subqueries are read beside the one row that is first
        assert not any(step.startswith("SCAN") and "INDEX" not in step for step in plan), plan


def test_links_survive_a_thousand_separator(settings: Any, reader: Client) -> None:
    settings.USE_THOUSAND_SEPARATOR = True
    shared = {"trace_id": "ab" * 16}
    event = SignalEventFactory.create(pk=1234567, position=1234, **shared)
    later = SignalEventFactory.create(pk=1234568, position=1235, **shared)
    assert page_of(later) in Markup(text_of(reader, page_of(event))).links
    assert reverse("admin:signals_demo_signalevent_change", args=[1234567]) == page_of(event)


@pytest.mark.parametrize("name", ["", "overview/", "requests/", "live/"])
def test_a_page_says_that_recording_is_switched_off(
    reader: Client, name: str, settings: Any
) -> None:
    said = "Recording is off: the setting ENABLED is False"
    for is_on in (True, False):
        settings.SIGNALS_DEMO = {"STRICT": True, "ENABLED": is_on}
        assert (said in text_of(reader, f"{LIST}{name}")) is not is_on


def test_the_path_to_a_page_is_written_as_the_admin_writes_its_own(reader: Client) -> None:
    own = re.search(r'<(ol|div) class="breadcrumbs"', text_of(reader, LIST))
    ours = re.search(r'<(ol|div) class="breadcrumbs"', text_of(reader, f"{LIST}overview/"))
    assert own is not None
    assert ours is not None
    assert own[1] == ours[1]
