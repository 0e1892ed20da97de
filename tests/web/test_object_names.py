"""Objects have names where people read of them, as far as the reader may see the objects."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from project.playground.models import Author, Book, Order, Tag
from signals_demo import flush
from signals_demo.factories import SignalEventFactory
from signals_demo.models import SignalEvent
from signals_demo.testing import capture_signals
from tests.factories import UserFactory
from tests.recording import MEMORY, recorded

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_made_events")]

LOG = "/admin/signals_demo/signalevent/"


@pytest.fixture
def librarian(client: Client) -> Client:
    """Log in as somebody who may read the log, and see what is in the shop."""
    user = UserFactory.create(username="librarian", is_staff=True)
    codes = ["view_signalevent", "view_book", "view_author", "view_order", "view_tag"]
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
    client.force_login(user)
    return client


@pytest.fixture
def emma() -> Book:
    return Book.objects.create(title="Emma", author=Author.objects.create(name="Jane Austen"))


def saved(instance: Any, **fields: Any) -> SignalEvent:
    given = {"signal": "post_save", "sender": instance._meta.label, "database": "default"}
    given |= {"object_pk": str(instance.pk), "arguments": {}, "changes": {}}
    return SignalEventFactory.create(**given | fields)


def pages_about(event: SignalEvent) -> dict[str, str]:
    page = "admin:signals_demo_signalevent_{}".format
    return {
        "list": LOG,
        "event": f"{LOG}{event.pk}/change/",
        "trace": reverse(page("trace"), args=[event.trace_id]),
        "live": reverse(page("live")),
        "person": reverse(page("person"), args=[event.actor_pk]),
    }


def text_of(client: Client, address: str) -> str:
    response = client.get(address, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def subject(client: Client) -> str:
    """Return the cell of the list that says what the newest event is about."""
    return text_of(client, LOG).split('field-subject">')[1].split("</td>")[0]


@pytest.mark.parametrize("page", ["list", "event", "trace", "live", "person"])
def test_an_object_has_its_name_beside_its_key(librarian: Client, emma: Book, page: str) -> None:
    event = saved(emma, actor_pk="7")
    text = text_of(librarian, pages_about(event)[page])
    assert "<bdi>Emma</bdi>" in text


def test_the_history_of_an_object_names_it_and_what_it_refers_to(
    admin_client: Client, emma: Book
) -> None:
    other = Author.objects.create(name="Mary Shelley")
    saved(emma, changes={"author": [other.pk, emma.author.pk]})
    text = text_of(admin_client, reverse("admin:playground_book_history", args=[emma.pk]))
    assert f"Mary Shelley ({other.pk})" in text
    assert f"Jane Austen ({emma.author.pk})" in text


def test_a_line_of_the_list_says_what_changed(librarian: Client, emma: Book) -> None:
    author = emma.author
    changed = {"author": [None, author.pk], "copies": [1, 77]}
    saved(emma, changes=changed)
    cell = text_of(librarian, LOG).split('field-changes">')[1].split("</td>")[0]
    assert f"Jane Austen ({author.pk})" in cell
    assert "<del>1</del>" in cell
    assert "<ins>77</ins>" in cell
    assert "more" not in cell
    # Which are the first is the database's choice.
    saved(emma, changes=changed | {"title": ["E", "Emma"], "id": [None, emma.pk]})
    cell = text_of(librarian, LOG).split('field-changes">')[1].split("</td>")[0]
    assert cell.count("signals-field") == 2
    assert "+1 more" in cell
    assert "field-changes" not in text_of(librarian, f"{LOG}?view=logins")


def test_links_that_came_and_went_have_names(admin_client: Client, emma: Book) -> None:
    tag = Tag.objects.create(name="classic")
    about = {"model": "playground.Book", "pk": emma.pk}
    arguments = {"instance": about, "action": "post_add", "reverse": False}
    arguments |= {"model": "project.playground.models.Tag", "pk_set": [tag.pk]}
    through: dict[str, Any] = {"sender": "playground.Book_tags", "signal": "m2m_changed"}
    through |= {"duration": timedelta(milliseconds=1)}
    saved(emma, **through, arguments=arguments)
    text = text_of(admin_client, reverse("admin:playground_book_history", args=[emma.pk]))
    assert f"classic ({tag.pk})" in text


@pytest.mark.django_db(transaction=True)
def test_links_have_names_as_they_are_recorded(admin_client: Client, emma: Book) -> None:
    tag = Tag.objects.create(name="classic")
    with recorded():
        emma.tags.add(tag)
        assert flush(60)
    text = text_of(admin_client, reverse("admin:playground_book_history", args=[emma.pk]))
    assert f"classic ({tag.pk})" in text


def test_a_deleted_object_has_the_name_that_it_had(librarian: Client, emma: Book) -> None:
    saved(emma)
    saved(emma, signal="post_delete", changes={"title": ["Emma", None], "copies": [1, None]})
    emma.delete()
    assert text_of(librarian, LOG).count("<bdi>Emma</bdi>") == 2
    only_saved = text_of(librarian, f"{LOG}?signal=post_save")
    assert "<bdi>Emma</bdi>" in only_saved


def test_who_may_not_see_an_object_reads_its_key_alone(reader: Client, emma: Book) -> None:
    event = saved(emma, actor_pk="7", changes={"author": [None, emma.author.pk]})
    saved(emma, signal="post_delete", changes={"author": [emma.author.pk, None]})
    for address in pages_about(event).values():
        text = text_of(reader, address)
        assert "Emma" not in text
        assert "Jane Austen" not in text
    assert str(emma.pk) in subject(reader)


def test_what_the_admin_hides_from_a_reader_has_no_name(
    librarian: Client, emma: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib import admin

    model_admin = admin.site.get_model_admin(Book)
    monkeypatch.setattr(model_admin, "get_queryset", lambda request: Book.objects.none())
    saved(emma)
    assert "Emma" not in subject(librarian)


def _raise(self: Any) -> str:
    raise RuntimeError("no name today")


def _count(self: Any) -> str:
    return f"{self.title}, ordered {self.orders.count()} times"


@pytest.mark.parametrize(
    "named", [_raise, _count, lambda self: None], ids=["raises", "asks", "none"]
)
def test_a_name_that_cannot_be_had_leaves_the_key(
    librarian: Client, emma: Book, monkeypatch: pytest.MonkeyPatch, named: Any
) -> None:
    monkeypatch.setattr(Book, "__str__", named)
    saved(emma)
    assert "<bdi>" not in subject(librarian)
    assert f">{emma.pk}</a>" in subject(librarian)


def test_a_name_may_say_what_the_object_refers_to(
    librarian: Client, emma: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Book, "__str__", lambda self: f"{self.title} by {self.author}")
    saved(emma)
    assert "Emma by Jane Austen" in subject(librarian)


def test_names_are_escaped_cut_and_in_one_line(librarian: Client, emma: Book) -> None:
    Book.objects.update(title="<script>\n" + "x" * 110)
    saved(emma)
    cell = subject(librarian)
    assert "<script>" not in cell
    assert "&lt;script&gt; xxx" in cell
    assert "x…</bdi>" in cell


def test_a_name_never_tells_what_the_log_masks(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib.auth.models import User

    user = UserFactory.create(password="hash$of$it")
    saved(user)
    assert user.username in subject(admin_client)
    monkeypatch.setattr(User, "__str__", lambda self: f"{self.username} {self.password}")
    assert "hash$of$it" not in subject(admin_client)

    session = Session.objects.create(
        session_key="abcdefgh", session_data="{}", expire_date="2030-01-01T00:00Z"
    )
    saved(session, object_pk="abcdefgh")
    assert "<bdi>" not in subject(admin_client)


@pytest.mark.parametrize("key", ["no number", "9" * 30, "-1", "{}"])
def test_a_key_that_is_none_of_the_model_is_shown_as_it_is(
    librarian: Client, emma: Book, key: str
) -> None:
    saved(emma, object_pk=key)
    assert key in subject(librarian)


def test_a_user_of_whom_the_log_has_the_key_alone_has_a_name(admin_client: Client) -> None:
    user = UserFactory.create(username="grace")
    SignalEventFactory.create(actor="", actor_pk=str(user.pk))
    cell = text_of(admin_client, LOG).split('field-actor_link">')[1].split("</td>")[0]
    assert "grace" in cell


def test_the_number_of_queries_does_not_grow_with_the_page(librarian: Client, emma: Book) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            librarian.get(LOG)
        return len(captured)

    def add(number: int) -> None:
        for n in range(number):
            author = Author.objects.create(name=f"{number} {n}")
            book = Book.objects.create(title=f"{number} {n}", author=author)
            order = Order.objects.create(book=book, reader="ada")
            for each in (author, book, order):
                saved(each, changes={"author": [None, author.pk]} if each is book else {})

    queries()
    add(2)
    few = queries()
    add(20)
    assert queries() == few


@pytest.mark.parametrize("page", ["list", "event", "trace", "live", "person"])
def test_looking_up_names_is_not_recorded(librarian: Client, emma: Book, page: str) -> None:
    event = saved(emma, actor_pk="7", changes={"author": [None, emma.author.pk]})
    with (
        recorded(SINKS=MEMORY),
        capture_signals(sender=Book) as books,
        capture_signals(sender=Author) as authors,
    ):
        assert "<bdi>Emma</bdi>" in text_of(librarian, pages_about(event)[page])
        assert (list(books), list(authors)) == ([], [])
