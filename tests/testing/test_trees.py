"""The tree of what was captured."""

import re

from django.test import (
    Client,
    TestCase,
    override_settings,
)

from project.playground.models import Author, Book, RareBook, Tag
from signals_demo import trace
from signals_demo.testing import capture_signals
from tests.recording import Boom, rolled_back
from tests.testing.test_captures import MADE, PATH, saved


class TestTree(TestCase):
    def test_a_stable_text(self) -> None:
        with capture_signals() as signals:
            book = Book.objects.create(title="Notes", author=saved())
            book.tags.add(Tag.objects.create(name="old"))
            book.title = "Sketches"
            with rolled_back():
                book.save()
            Client().get(f"/{book.pk}/")
            book.delete()
        assert signals.exclude(*MADE).exclude("template_rendered").tree() == (
            "pre_save playground.Author\n"
            "post_save playground.Author (created)\n"
            "pre_save playground.Book\n"
            "post_save playground.Book (created)\n"
            "pre_save playground.Tag\n"
            "post_save playground.Tag (created)\n"
            "m2m_changed playground.Book_tags (pre_add)\n"
            "m2m_changed playground.Book_tags (post_add)\n"
            "pre_save playground.Book [rolled back]\n"
            "post_save playground.Book (title) [rolled back]\n"
            "request_started ClientHandler (GET /…/)\n"
            "request_finished\n"
            "pre_delete playground.Book\n"
            "post_delete playground.Book"
        )

    def test_more_when_asked(self) -> None:
        with capture_signals("post_save", "request_started") as signals:
            author = saved()
            Client().get("/7/")
        text = signals.tree(ids=True, times=True, addresses=True, changes=True, sites=True)
        assert re.fullmatch(
            rf"post_save playground.Author {author.pk} \(created, id: None → {author.pk}, "
            r"name: None → 'Ada'\) \d+\.\d ms  at tests/testing/test_captures.py:\d+ in saved\n"
            r"request_started ClientHandler \(GET /7/\) 127\.0\.0\.1",
            text,
        )

    def test_pairs_are_indented(self) -> None:
        with capture_signals(family="model") as signals:
            RareBook.objects.create(title="Folio", author=saved()).tags.create(name="old")
        assert "m2m_changed playground.Book_tags (pre_add)\n  pre_init" in signals.tree()

    def test_another_trace_is_one_piece(self) -> None:
        with capture_signals("post_init") as signals:
            with trace("first"):
                Author()
            with trace("second"):
                Tag()
            Book()
        assert signals.tree() == (
            "post_init playground.Author\npost_init playground.Tag\npost_init playground.Book"
        )

    def test_the_other_notes(self) -> None:
        with (
            capture_signals("setting_changed", "template_rendered") as signals,
            override_settings(LANGUAGE_CODE="nl"),
        ):
            Client().get("/admin/login/")
        found = signals.tree().splitlines()
        assert found[0] == found[-1] == "setting_changed (LANGUAGE_CODE)"
        assert "template_rendered (admin/base.html)" in found

    @override_settings(ROOT_URLCONF=PATH, MIDDLEWARE=[])
    def test_a_failing_request(self) -> None:
        with capture_signals(family="request") as signals:
            Client(raise_request_exception=False).get("/fail/")
        assert signals.tree() == (
            "request_started ClientHandler (GET /fail/)\n"
            f"  got_request_exception ({Boom.__module__}.Boom)\n"
            "request_finished"
        )
