"""The guide: the catalog as a page, with what the log knows of each signal."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from signals_demo.catalog import BUILT_IN, CONNECT_OPTIONS
from signals_demo.factories import SignalEventFactory
from signals_demo.models import SignalEvent
from signals_demo.web.pages import guide
from tests.factories import UserFactory
from tests.web.test_change_list import LIST, Markup, page_of, text_of

pytestmark = pytest.mark.django_db

GUIDE = f"{LIST}guide/"


@pytest.fixture(autouse=True)
def _only_made_events(db: None) -> None:
    SignalEvent.objects.all().delete()


def article(text: str, name: str) -> str:
    """Return what the page says about one signal."""
    return text.partition(f'<article id="{name}"')[2].partition("</article>")[0]


def plain(markup: str) -> str:
    return markup.replace("<code>", "").replace("</code>", "")


def test_every_signal_is_explained(reader: Client) -> None:
    text = text_of(reader, GUIDE)
    for about in BUILT_IN:
        said = article(text, about.name)
        links = Markup(said).links
        assert about.url in links
        assert f"<code>{about.path}</code>" in said
        assert "@receiver(" in said
        assert f"{about.name}.connect(" in said
        for argument in about.arguments:
            assert f"<dt><code>{argument.name}</code></dt>" in said
        if about.closes:
            assert f"#{about.closes}" in links
    for option in CONNECT_OPTIONS:
        assert f"<dt><code>{option.name}</code></dt>" in text


def test_sentences_are_the_catalogs_with_their_code_marked(reader: Client) -> None:
    said = article(text_of(reader, GUIDE), "post_save")
    assert "<code>save()</code>" in said
    assert "<code>on_delete=SET_NULL</code>" in said
    assert "At the end of save(), after the row has been written." in plain(said)


def test_what_looks_like_markup_is_escaped() -> None:
    assert guide.marked("<b> None & a.b(<i>)") == (
        "&lt;b&gt; <code>None</code> &amp; <code>a.b(&lt;i&gt;)</code>"
    )


def test_the_contents_lead_to_every_signal(reader: Client) -> None:
    page = Markup(text_of(reader, GUIDE))
    ids = {attrs["id"] for _tag, attrs in page.found if "id" in attrs}
    inside = {link[1:] for link in page.links if link.startswith("#")}
    assert {about.name for about in BUILT_IN} <= inside
    assert inside - {"content-start"} <= ids


def test_a_signal_that_this_django_does_not_have_is_marked(reader: Client) -> None:
    text = text_of(reader, GUIDE)
    for about in BUILT_IN:
        marked = "The installed Django does not have it" in article(text, about.name)
        assert marked is not about.available


def test_when_a_signal_was_seen_here(reader: Client) -> None:
    now = timezone.now()
    for hours in (3, 5, 30):
        SignalEventFactory.create(occurred_at=now - timedelta(hours=hours), signal="pre_save")
    SignalEventFactory.create(occurred_at=now - timedelta(days=3), signal="post_save")
    text = text_of(reader, GUIDE)
    said = article(text, "pre_save")
    assert "Last seen here: 3 hours ago" in said
    assert "2 events in the last 24 hours" in said
    assert f"{LIST}?signal=pre_save" in Markup(said).links
    assert "Last seen here: 3 days ago" in article(text, "post_save")
    assert "0 events in the last 24 hours" in article(text, "post_save")
    assert "Not seen here yet" in article(text, "pre_delete")


def test_counting_ends_somewhere(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guide, "MOST", 3)
    SignalEventFactory.create_batch(3, signal="pre_save")
    SignalEventFactory.create_batch(9, signal="post_save")
    text = text_of(reader, GUIDE)
    assert "3 events in the last" in article(text, "pre_save")
    assert "More than 3 events in the last" in article(text, "post_save")


def test_a_signal_that_the_settings_leave_out_says_so(reader: Client, settings: Any) -> None:
    settings.SIGNALS_DEMO = {"SIGNALS": ["post_save"]}
    text = text_of(reader, GUIDE)
    assert "Not recorded here" in article(text, "pre_save")
    assert "Not recorded here" not in article(text, "post_save")
    settings.SIGNALS_DEMO = {"ENABLED": False}
    assert "Not recorded here" in article(text_of(reader, GUIDE), "post_save")


def test_it_is_in_the_navigation_and_the_page_of_an_event_leads_to_it(reader: Client) -> None:
    assert GUIDE in Markup(text_of(reader, LIST)).links
    event = SignalEventFactory.create(signal="m2m_changed")
    other = SignalEventFactory.create(signal="shop.signals.paid")
    assert f"{GUIDE}#m2m_changed" in Markup(text_of(reader, page_of(event))).links
    assert f"{GUIDE}#" not in text_of(reader, page_of(other))


def test_only_readers_of_the_log_see_it(client: Client) -> None:
    assert client.get(GUIDE).status_code == 302
    client.force_login(UserFactory.create(is_staff=True))
    assert client.get(GUIDE).status_code == 403


def test_a_strict_content_security_policy_works(reader: Client) -> None:
    for tag, attrs in Markup(text_of(reader, GUIDE)).found:
        assert tag != "style"
        assert tag != "script" or attrs.get("src")
        assert "style" not in attrs
        assert not [name for name in attrs if name.startswith("on")]


def queries_of(client: Client) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        text_of(client, GUIDE)
    return [query["sql"] for query in queries]


def test_it_costs_the_same_with_10_events_and_with_200(reader: Client) -> None:
    SignalEventFactory.create_batch(10)
    few = queries_of(reader)
    SignalEventFactory.create_batch(190, signal="pre_save")
    many = queries_of(reader)
    assert len(few) == len(many)
    assert len([sql for sql in many if "signals_demo_signalevent" in sql]) == 1


@pytest.mark.applies(connection.vendor == "sqlite")  # a server scans so small a table
def test_an_index_serves_it(reader: Client) -> None:
    SignalEventFactory.create_batch(3)
    [sql] = [sql for sql in queries_of(reader) if "signals_demo_signalevent" in sql]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        plan = [row[3] for row in cursor.fetchall()]
    searches = [step for step in plan if step.startswith("SEARCH")]
    assert len(searches) == 2 * len(BUILT_IN)
    assert all("COVERING INDEX signals_demo_signal " in step for step in searches), plan
