"""The live page, and the answers to those who ask it for news."""

import json
import re
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from signals_demo.factories import (
    SignalEventFactory,
    checkout_trace,
    failed_trace,
    login_trace,
    trace_of,
)
from signals_demo.models import SignalEvent
from signals_demo.query.tail import BATCH, MAX_LAG, TailCursor, end_of_log
from signals_demo.web.pages.live import FIRST, MOST
from tests.factories import UserFactory
from tests.web.test_change_list import Markup

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_made_events")]

LIVE = "/admin/signals_demo/signalevent/live/"
POLL = f"{LIVE}events/"
SIGNAL = re.compile(r'<a class="signals-badge [^>]*>(\w+)</a>')


def page(client: Client, query: str = "") -> str:
    response = client.get(f"{LIVE}?{query}")
    assert response.status_code == 200
    return response.content.decode()


def asked(client: Client, after: object, query: str = "") -> dict[str, Any]:
    response = client.get(f"{POLL}?after={after}&{query}")
    assert response.status_code == 200
    found: dict[str, Any] = json.loads(response.content)
    return found


def test_only_those_who_may_read_may_watch(client: Client) -> None:
    for url in (LIVE, f"{POLL}?after=0"):
        client.logout()
        assert client.get(url).status_code == 302
        client.force_login(UserFactory.create(is_staff=True))
        assert client.get(url).status_code == 403


def test_the_navigation_leads_here(reader: Client) -> None:
    assert LIVE in Markup(page(reader)).links
    current = [
        attrs["href"]
        for tag, attrs in Markup(page(reader)).found
        if tag == "a" and attrs.get("aria-current") == "page"
    ]
    assert LIVE in current


def test_without_a_script_it_shows_the_latest_by_trace(reader: Client) -> None:
    user = UserFactory.create(username="maria")
    checkout = checkout_trace(user)
    failed_trace(user)
    text = page(reader)
    assert text.index("POST /refund/3/") < text.index("POST /checkout/")
    shown = SIGNAL.findall(text[text.index("POST /checkout/") :])
    assert shown == [event.signal for event in checkout]
    for part in ("Reload the page", "maria", "signals-depth-2", "shop/views.py:42", "badge"):
        assert part in text
    assert f"/admin/signals_demo/signalevent/traces/{checkout[0].trace_id}/" in Markup(text).links


def test_an_empty_log(reader: Client) -> None:
    assert 'data-after="0"' in page(reader)
    assert asked(reader, 0) == {"after": "0", "count": 0, "html": ""}


def test_the_page_begins_with_some_and_goes_on_with_the_next(reader: Client) -> None:
    SignalEventFactory.create_batch(FIRST + 5)
    text = page(reader)
    assert len(SIGNAL.findall(text)) == FIRST
    [after] = re.findall('data-after="([^"]+)"', text)
    assert asked(reader, after)["count"] == 0
    SignalEventFactory.create(signal="user_logged_in")
    news = asked(reader, after)
    assert news["count"] == 1
    assert SIGNAL.findall(news["html"]) == ["user_logged_in"]
    assert asked(reader, news["after"])["count"] == 0


def test_a_row_that_was_committed_late_comes_late(reader: Client) -> None:
    first = SignalEventFactory.create()
    SignalEventFactory.create(pk=first.pk + 2)
    place = end_of_log()
    SignalEventFactory.create(pk=first.pk + 1, signal="pre_save")
    news = asked(reader, place)
    assert SIGNAL.findall(news["html"]) == ["pre_save"]
    assert news["after"] == str(first.pk + 2)


@pytest.mark.parametrize(
    ("query", "signals"),
    [
        ("family=auth", ["user_logged_in"]),
        ("signal=user_logged_in", ["user_logged_in"]),
        ("sender=auth.user&signal=", ["user_logged_in", "pre_save", "post_save"]),
        ("actor=maria&family=auth", ["user_logged_in"]),
        ("actor=nobody", []),
    ],
)
def test_filters(reader: Client, query: str, signals: list[str]) -> None:
    place = end_of_log()
    login_trace(UserFactory.create(username="maria"))
    assert SIGNAL.findall(asked(reader, place, query)["html"]) == signals
    assert SIGNAL.findall(page(reader, query)) == signals


def test_the_form_keeps_what_was_chosen(reader: Client) -> None:
    text = page(reader, "family=auth&signal=post_save&sender=auth.User&actor=%22ada%22")
    assert '<option value="auth" selected>' in text
    assert '<option value="post_save" selected>post_save</option>' in text
    assert 'value="auth.User" list=' in text
    assert 'value="&quot;ada&quot;"' in text


@pytest.mark.parametrize("query", ["family=x", "signal=post_sav", "sender=%00", "colour=red"])
def test_a_filter_that_means_nothing_is_a_remark(reader: Client, query: str) -> None:
    SignalEventFactory.create()
    text = page(reader, query)
    assert 'class="signals-remark"' in text
    assert "data-after" not in text
    assert SIGNAL.findall(text) == []
    refusal = reader.get(f"{POLL}?after=0&{query}")
    assert refusal.status_code == 400
    assert refusal.content.decode() in unescape(text)


@pytest.mark.parametrize("after", ["", "x", "-1", "1-2", "%00", "9" * 30, "%D9%A1"])
def test_a_place_that_is_none_is_refused(reader: Client, after: str) -> None:
    refusal = reader.get(f"{POLL}?after={after}")
    assert refusal.status_code == 400
    assert refusal.content == b"There is no such page."


def test_who_is_far_behind_goes_on_from_the_end(reader: Client) -> None:
    SignalEvent.objects.bulk_create(SignalEventFactory.build_batch(BATCH + 50))
    last = SignalEvent.objects.order_by("pk").last()
    assert last is not None
    news = asked(reader, last.pk - BATCH - 50)
    assert news["count"] == MOST
    assert "More events fired" in news["html"]
    assert news["after"].split("-")[0] == str(last.pk)
    news = asked(reader, last.pk - MOST - 1)
    assert news["count"] == MOST
    assert "More events fired" in news["html"]
    news = asked(reader, last.pk - MOST)
    assert news["count"] == MOST
    assert "More events fired" not in news["html"]


def test_what_is_far_back_is_not_looked_for(reader: Client) -> None:
    old = SignalEventFactory.create(signal="user_logged_in")
    SignalEventFactory.create(pk=old.pk + MAX_LAG)
    assert SIGNAL.findall(page(reader, "signal=user_logged_in")) == []


def test_nothing_recorded_becomes_markup(reader: Client) -> None:
    probe = "'\"><probe-tag probe=1>&lt;"
    SignalEventFactory.create(
        signal=f"shop.{probe}",
        sender=probe,
        origin_name=probe,
        actor=probe,
        object_pk=probe,
        exception=probe,
        call_site=probe,
        arguments={"instance": {"model": probe, "pk": probe}},
        changes={probe: [probe, {probe: probe}]},
    )
    for text in (page(reader), page(reader, f"actor={quote(probe)}"), asked(reader, 0)["html"]):
        assert escape(probe) in text
        for tag, attrs in Markup(text).found:
            assert tag != "probe-tag"
            assert "probe" not in attrs


def test_a_strict_content_security_policy_works(reader: Client) -> None:
    trace_of(*[(depth, "pre_save", {}) for depth in range(20)])
    for text in (page(reader), page(reader, "family=x"), asked(reader, 0)["html"]):
        for tag, attrs in Markup(text).found:
            assert tag != "style"
            assert tag != "script" or attrs.get("src")
            assert "style" not in attrs
            assert not [name for name in attrs if name.startswith("on")]


def test_it_costs_the_same_with_few_events_and_with_many(reader: Client) -> None:
    place = TailCursor(SignalEventFactory.create().pk)

    def reads(url: str) -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            assert reader.get(url).status_code == 200
        own = [query["sql"] for query in queries if "signals_demo_signalevent" in query["sql"]]
        assert not any("COUNT(" in sql or "OFFSET" in sql for sql in own)
        return own

    query = "family=model&sender=auth.User&actor=ada"
    assert len(reads(f"{POLL}?after={place}&{query}")) == 2
    SignalEventFactory.create_batch(10)
    assert len(reads(f"{POLL}?after={place}&{query}")) == 2
    assert len(reads(f"{LIVE}?{query}")) == 2
    SignalEventFactory.create_batch(190)
    assert len(reads(f"{POLL}?after={place}&{query}")) == 2
    assert len(reads(f"{LIVE}?{query}")) == 2
