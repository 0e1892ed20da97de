"""The history of an object on a page of the project's own."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin import AdminSite
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.models import Session
from django.db import connection
from django.template import Context, Template
from django.test import RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils.functional import SimpleLazyObject

from project.playground.models import Book, Tag
from signals_demo.admin import SignalEventAdmin
from signals_demo.models import SignalEvent
from tests.web.test_change_list import LIST, Markup
from tests.web.test_history_mixin import NOW, user_with
from tests.web.test_history_mixin import book as book  # a fixture
from tests.web.test_history_mixin import event_of as event_of  # a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_made_events")]


def shown(instance: Any, user: Any = None, options: str = "") -> str:
    """Return what the tag makes of an instance, for a user whose request it is."""
    template = Template("{% load signals_demo %}{% signal_history instance " + options + " %}")
    context: dict[str, Any] = {"instance": instance}
    if user is not None:
        context["request"] = RequestFactory().get("/")
        context["request"].user = user
    return template.render(Context(context)).strip()


def test_the_tag_shows_the_latest_changes(
    book: Book, event_of: Callable[..., SignalEvent]
) -> None:
    for n in range(30):
        event_of(changes={"copies": [n, 1000 + n]}, occurred_at=NOW + timedelta(seconds=n))
    user = user_with("view_signalevent")
    text = shown(book, user)
    assert text.count("<ins>") == 20
    assert "<ins>1029</ins>" in text
    assert shown(book, user, "limit=3").count("<ins>") == 3
    assert f"{LIST}?q=playground.Book+{book.pk}" in Markup(text).links


front, back = AdminSite("front"), AdminSite("back")  # the log is in the second
back.register(SignalEvent, SignalEventAdmin)
urlpatterns = [path("front/", front.urls), path("back/", back.urls)]


def test_the_tag_leads_to_the_site_that_has_the_log(
    book: Book, event_of: Callable[..., SignalEvent]
) -> None:
    event_of(actor_pk="5", actor="ada")
    with override_settings(ROOT_URLCONF=__name__):
        links = Markup(shown(book, user_with("view_signalevent"))).links
    assert links
    assert all(link.startswith("/back/signals_demo/signalevent/") for link in links), links


def test_the_tag_keeps_a_secret_key_out_of_its_links() -> None:
    session = Session.objects.create(session_key="hush", expire_date=NOW)
    text = shown(session, user_with("view_signalevent"))
    assert "No changes are recorded" in text
    assert "hush" not in text


def test_the_tag_shows_nothing_to_others(book: Book, event_of: Callable[..., SignalEvent]) -> None:
    event_of()
    user = user_with("view_book")
    with CaptureQueriesContext(connection) as queries:
        assert shown(book) == ""
        assert shown(book, AnonymousUser()) == ""
        assert shown(book, user) == ""
    assert "signalevent" not in str([q["sql"] for q in queries if "permission" not in q["sql"]])


def test_a_public_history_gives_neither_requests_nor_addresses_nor_links(
    book: Book, event_of: Callable[..., SignalEvent]
) -> None:
    event_of(actor="maria", actor_pk="7", remote_address="203.0.113.7", changes={"copies": [3, 5]})
    for user in (None, AnonymousUser(), user_with("view_book")):
        text = shown(book, user, "public=True")
        assert "<ins>5</ins>" in text
        assert "maria" in text
        for hidden in ("203.0.113.7", "/cart/", "views.py"):
            assert hidden not in text
        assert Markup(text).links == []


def test_a_reader_who_may_not_enter_the_admin_gets_no_links(
    book: Book, event_of: Callable[..., SignalEvent]
) -> None:
    event_of()
    user = user_with("view_signalevent")
    user.is_staff = False
    assert Markup(shown(book, user)).links == []


def test_the_tag_takes_a_lazy_instance_and_leaves_out_what_is_none(
    book: Book, event_of: Callable[..., SignalEvent]
) -> None:
    event_of(changes={"copies": [3, 5]})
    user = user_with("view_signalevent")
    assert "<ins>5</ins>" in shown(SimpleLazyObject(lambda: book), user)
    assert shown("", user) == ""
    assert shown(None, user) == ""
    assert "No changes are recorded" in shown(Tag.objects.create(name="new"), user)


@pytest.mark.applies(connection.vendor != "mysql")  # which cannot take a rename back
def test_a_log_out_of_reach_does_not_break_the_page(
    book: Book, event_of: Callable[..., SignalEvent]
) -> None:
    user = user_with("view_signalevent")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE signals_demo_signalevent RENAME TO elsewhere")
    assert "cannot be read at the moment" in shown(book, user)
    assert Book.objects.get() == book
