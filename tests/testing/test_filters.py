"""What a capture selects, by what a test names."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.test import (
    Client,
)
from django.utils.functional import SimpleLazyObject

from project.playground.models import Author, Book, RareBook, Tag
from signals_demo.testing import capture_signals
from tests.recording import rolled_back
from tests.testing.test_captures import SAVE, saved


@pytest.fixture
def library(db: None) -> SimpleNamespace:
    with capture_signals() as signals:
        ada = saved()
        book = Book.objects.create(title="Notes", author=ada)
        tag = Tag.objects.create(name="old")
        book.tags.add(tag)
        with rolled_back():
            ada.save()
        ada.save()
        User.objects.create_user("ada")
        Client().login(username="ada", password="wrong")
    return SimpleNamespace(signals=signals, ada=ada, book=book, tag=tag)


class TestFilters:
    def test_signals(self, library: SimpleNamespace) -> None:
        assert set(library.signals.filter("pre_save", "post_save").names) == set(SAVE)
        assert len(library.signals.filter("user_login_failed")) == 1

    def test_a_signal_itself(self, library: SimpleNamespace) -> None:
        from django.contrib.auth.signals import user_login_failed

        assert len(library.signals.filter(user_login_failed)) == 1

    def test_family(self, library: SimpleNamespace) -> None:
        assert library.signals.filter(family="auth").names == ["user_login_failed"]

    @pytest.mark.parametrize("sender", [Author, "playground.Author", "playground.author"])
    def test_sender(self, library: SimpleNamespace, sender: Any) -> None:
        found = library.signals.filter("post_save", sender=sender)
        assert {event.sender for event in found} == {"playground.Author"}
        assert len(found) == 3

    @pytest.mark.parametrize(
        ("sender", "number"),
        [
            (Book.tags.through, 4),
            ("playground.Book_tags", 4),
            ("django.contrib.auth.models.Group", 0),
            ("django.core.handlers.wsgi.WSGIHandler", 0),
            ("django.contrib.auth", 1),
            (apps.get_app_config("auth"), 1),
            (dict, 0),
        ],
        ids=str,
    )
    def test_senders_of_all_kinds(
        self, library: SimpleNamespace, sender: Any, number: int
    ) -> None:
        assert len(library.signals.filter(sender=sender)) == number

    def test_object(self, library: SimpleNamespace) -> None:
        saves = library.signals.filter("post_save")
        assert len(saves.filter(object=library.ada)) == 3
        assert len(saves.filter(object=SimpleLazyObject(lambda: library.ada))) == 3
        assert len(saves.filter(object=library.book)) == 1
        assert len(saves.filter(object=RareBook(pk=library.book.pk))) == 1
        assert len(saves.filter(object=library.ada.pk, sender=Author)) == 3
        assert len(saves.filter(object=str(library.ada.pk), sender=Author)) == 3
        assert len(library.signals.filter("m2m_changed", object=library.book)) == 2
        assert len(library.signals.filter("m2m_changed", object=library.tag)) == 0

    def test_database_and_outcome(self, library: SimpleNamespace) -> None:
        saves = library.signals.filter("post_save", database="default", sender=Author)
        assert [event.outcome for event in saves] == ["committed", "rolled_back", "committed"]
        assert len(saves.filter(outcome="rolled_back")) == 1
        assert len(saves.filter(outcome="open")) == 0

    def test_exclude(self, library: SimpleNamespace) -> None:
        rest = library.signals.exclude(family="model").exclude("connection_created")
        assert rest.names == ["user_login_failed"]

    def test_filters_follow_what_fires_later(self) -> None:
        with capture_signals() as signals:
            made = signals.filter("post_init")
            Author()
            assert len(made) == 1
            with signals.capturing("post_init", sender=Book) as inner:
                Book()
        assert (len(made), len(inner)) == (2, 1)
