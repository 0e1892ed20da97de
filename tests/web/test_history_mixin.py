"""An object's history on its page in the admin."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.template.response import TemplateResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from project.playground.models import Author, Book, Tag
from signals_demo.admin import SignalHistoryMixin
from signals_demo.factories import SignalEventFactory, trace_of
from signals_demo.models import SignalEvent
from signals_demo.query import history
from tests.factories import UserFactory
from tests.web.test_change_list import LIST, Markup, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_made_events")]

NOW = datetime(2026, 11, 21, 14, 3, 22, 416_000, tzinfo=UTC)


@pytest.fixture
def book(db: None) -> Book:
    return Book.objects.create(title="Salt", author=Author.objects.create(name="Ada"))


@pytest.fixture
def event_of(book: Book) -> Callable[..., SignalEvent]:
    """Make an event of the book."""

    def make(**fields: Any) -> SignalEvent:
        about = {"sender": "playground.Book", "object_pk": str(book.pk)}
        return SignalEventFactory.create(**about | fields)

    return make


def user_with(*permissions: str, **fields: Any) -> Any:
    user = UserFactory.create(is_staff=True, **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


@pytest.fixture
def reader(client: Client) -> Client:
    """Log in as somebody who may see books and read the log."""
    client.force_login(user_with("view_book", "view_signalevent"))
    return client


def page_of(book: Book) -> str:
    return f"/admin/playground/book/{book.pk}/history/"


# In the admin


def test_it_tells_who_changed_what_and_when(
    reader: Client, book: Book, event_of: Callable[..., SignalEvent]
) -> None:
    event = event_of(
        occurred_at=NOW,
        changes={"copies": [3, 5], "title": [None, "Salt"]},
        actor="maria",
        actor_pk="7",
        remote_address="203.0.113.7",
    )
    text = text_of(reader, page_of(book))
    for part in ("Changed", "14:03:22", "<del>3</del>", "<ins>5</ins>", "Salt", "maria"):
        assert part in text
    for part in ("POST /cart/", "203.0.113.7", "committed", "shop/views.py:42 in checkout"):
        assert part in text
    links = Markup(text).links
    assert f"{LIST}{event.pk}/change/" in links
    assert f"{LIST}people/7/" in links


def test_it_leads_to_the_trace(
    reader: Client, book: Book, event_of: Callable[..., SignalEvent]
) -> None:
    trace_id = event_of().trace_id
    [link] = [link for link in Markup(text_of(reader, page_of(book))).links if trace_id in link]
    assert trace_id in text_of(reader, link)


def test_what_was_rolled_back_is_struck(
    reader: Client, book: Book, event_of: Callable[..., SignalEvent]
) -> None:
    event_of(changes={"copies": [3, 4]})
    assert "signals-undone" not in text_of(reader, page_of(book))
    event_of(changes={"copies": [3, 4]}, outcome="rolled_back")
    text = text_of(reader, page_of(book))
    assert text.count('<li class="signals-undone">') == 2  # its request, and the change in it
    assert "rolled back" in text


def test_links_are_told_by_the_name_of_their_relation(
    reader: Client, book: Book, event_of: Callable[..., SignalEvent]
) -> None:
    instance = {"model": "playground.Book", "pk": book.pk}
    link = {"sender": "playground.Book_tags", "signal": "m2m_changed"}
    sent = {"instance": instance, "reverse": False, "action": "post_add", "pk_set": [41, 42]}
    done = link | {"duration": timedelta(milliseconds=1)}
    event_of(**done, arguments=sent)
    event_of(**link, arguments=sent | {"action": "pre_add", "pk_set": [43]})
    event_of(**done, arguments=sent | {"action": "post_clear", "pk_set": None})
    text = text_of(reader, page_of(book))
    assert "<ins>[41, 42]</ins>" in text
    assert "[43]" not in text
    assert text.count('<span class="signals-field">tags</span>') == 2
    assert "Cleared" in text


def test_links_that_were_there_before_are_no_change(
    reader: Client, book: Book, event_of: Callable[..., SignalEvent]
) -> None:
    sent = {"instance": {"model": "playground.Book", "pk": book.pk}, "reverse": False}
    event_of(
        sender="playground.Book_tags",
        signal="m2m_changed",
        duration=timedelta(milliseconds=1),
        arguments=sent | {"action": "post_add", "pk_set": []},
    )
    text = text_of(reader, page_of(book))
    assert "Unchanged" in text
    assert "Linked" not in text
    assert "[]" not in text


def test_what_one_request_did_stands_together(reader: Client, book: Book) -> None:
    about = {"sender": "playground.Book", "object_pk": str(book.pk)}
    step = (0, "post_save", about)
    trace_of(step, step, step, origin_name="POST /one/", occurred_at=NOW)
    trace_of(step, origin_name="POST /two/", occurred_at=NOW + timedelta(days=1))
    response = reader.get(page_of(book))
    days = response.context["days"]
    assert [[len(group.entries) for group in groups] for _day, groups in days] == [[1], [3]]
    assert response.content.count(b"POST /one/") == 1


def test_firings_that_change_nothing_are_in_another_tab(
    reader: Client, book: Book, event_of: Callable[..., SignalEvent]
) -> None:
    event_of(signal="post_init")
    assert "No events are recorded for this object" in text_of(reader, page_of(book))
    assert "post_init" in text_of(reader, page_of(book), show="all")


def test_what_the_admin_itself_wrote_down_stays(admin_client: Client, book: Book) -> None:
    admin_client.post(
        f"/admin/playground/book/{book.pk}/change/",
        {"title": "Salt", "author": book.author_id, "copies": "9", "details": "{}"},
    )
    for params in ({"show": "admin"}, {"p": "1"}):
        text = text_of(admin_client, page_of(book), **params)
        assert "Changed Copies" in text
        assert "signals-timeline" not in text
    assert "Changed Copies" not in text_of(admin_client, page_of(book))


def test_older_changes_follow(
    reader: Client, book: Book, event_of: Callable[..., SignalEvent]
) -> None:
    made = [event_of(occurred_at=NOW + timedelta(seconds=n)).pk for n in range(60)][::-1]
    shown = []
    url = page_of(book)
    while url:
        page = Markup(text_of(reader, url))
        shown += [
            int(link.split("/")[-3]) for link in page.links if link.endswith("/change/")
            and link.startswith(LIST)
        ]  # fmt: skip
        older = [a["href"] for tag, a in page.found if tag == "a" and a.get("rel") == "next"]
        url = page_of(book) + str(older[0]) if older else ""
    assert shown == made


def test_a_scan_without_changes_says_that_there_may_be_more(
    reader: Client,
    book: Book,
    event_of: Callable[..., SignalEvent],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, "SCAN_LIMIT", 3)
    for n in range(5):
        event_of(signal="post_init", occurred_at=NOW + timedelta(seconds=n))
    text = text_of(reader, page_of(book))
    assert "There may be more matches further back" in text
    assert "No events are recorded for" not in text


def test_without_the_permission_it_is_djangos_own_page(
    client: Client, book: Book, event_of: Callable[..., SignalEvent]
) -> None:
    event_of(actor="maria")
    client.force_login(user_with("view_book"))
    text = text_of(client, page_of(book))
    assert "have a change history" in text
    assert "maria" not in text
    assert "signals-" not in text


def test_reading_the_log_does_not_open_the_object(
    client: Client, book: Book, event_of: Callable[..., SignalEvent]
) -> None:
    event_of()
    client.force_login(user_with("view_signalevent"))
    assert client.get(page_of(book)).status_code == 403
    client.logout()
    assert client.get(page_of(book)).status_code == 302


@pytest.mark.parametrize(
    "query", ["show=x", "show=%00", "before=", "before=x", "before=1-1-1", "before=%00"]
)
def test_a_wrong_address_is_not_found(reader: Client, book: Book, query: str) -> None:
    assert reader.get(f"{page_of(book)}?{query}").status_code == 404


def test_an_object_that_is_gone_is_djangos_matter(reader: Client, book: Book) -> None:
    url = page_of(book)
    book.delete()
    assert reader.get(url).status_code == 302


def test_nothing_recorded_becomes_markup(
    reader: Client, book: Book, event_of: Callable[..., SignalEvent]
) -> None:
    probe = "'\"><probe-tag probe=1>&lt;"
    shared = {"actor": probe, "origin_name": probe, "remote_address": probe, "call_site": probe}
    event_of(**shared, actor_pk=probe, exception=probe, changes={probe: [probe, {probe: probe}]})
    event_of(**shared, signal=f"shop.{probe}", arguments={"value": probe})
    sent = {"instance": {"model": "playground.Book"}, "action": "post_add", "pk_set": [probe]}
    event_of(**shared, signal="m2m_changed", sender="playground.Book_tags", arguments=sent)
    for params in ({}, {"show": "all"}):
        text = text_of(reader, page_of(book), **params)
        assert "probe-tag" in text
        for tag, attrs in Markup(text).found:
            assert tag != "probe-tag"
            assert not {"probe", "style"} & attrs.keys()
            assert not [name for name in attrs if name.startswith("on")]


@pytest.mark.parametrize("show", ["", "all"])
def test_it_costs_the_same_with_10_events_and_with_200(
    reader: Client, book: Book, event_of: Callable[..., SignalEvent], show: str
) -> None:
    text_of(reader, page_of(book))  # which fills Django's cache of content types
    counts = []
    for number in (10, 190):
        for _ in range(number):
            event_of(actor_pk="7", changes={"copies": [3, 5]})
        with CaptureQueriesContext(connection) as queries:
            text_of(reader, page_of(book), show=show)
        own = [query["sql"] for query in queries if "signals_demo_signalevent" in query["sql"]]
        assert len(own) == 2
        counts.append(len(queries))
    assert counts[0] == counts[1]


class _Packaged(admin.ModelAdmin):  # type: ignore[type-arg]
    def history_view(self, request: Any, object_id: str, extra_context: Any = None) -> Any:
        context = {"title": "Versions", "opts": self.opts, **(extra_context or {})}
        return TemplateResponse(request, "admin/object_history.html", context)


class _Both(SignalHistoryMixin, _Packaged):
    pass


@pytest.mark.parametrize("named", [{}, {"object": None}, {"object": "Tea"}], ids=str)
def test_a_history_page_of_another_package_may_not_name_the_object(
    db: None, named: dict[str, Any]
) -> None:
    tag = Tag.objects.create(name="tea")
    SignalEventFactory.create(
        sender="playground.Tag", object_pk=str(tag.pk), changes={"name": [None, "tea"]}
    )
    request = RequestFactory().get("/")
    request.user = user_with("view_signalevent")
    page = _Both(Tag, admin.site)
    response = page.history_view(request, str(tag.pk), named)
    assert [group for _day, group in response.context_data["days"]]
    assert "stretch" not in page.history_view(request, "0", named).context_data
