"""The assertions of the test helpers, and what they say when they fail."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import (
    TestCase,
)

from project.playground.models import Author, Book, Order, Tag
from signals_demo.testing import SignalTestMixin, capture_signals, fired
from signals_demo.tracing.test_runs import observers
from tests.recording import Boom, rolled_back
from tests.testing.test_captures import MADE, SAVE, saved


class TestAssertions(SignalTestMixin, TestCase):
    def failing(self, message: str, make: Callable[[], Any], action: Any = saved) -> str:
        with pytest.raises(AssertionError) as caught, make():
            action()
        text = str(caught.value)
        assert message in text
        return text

    def test_in_order(self) -> None:
        with self.assertSignals(SAVE) as signals:
            saved()
        assert signals.names == [*MADE, *SAVE]
        with self.assertSignals([*MADE, *SAVE], sender=Author):
            saved("Grace")
        with self.assertSignals([]):
            Author()
        with self.assertSignals(
            [fired("pre_save", sender=Tag), fired("post_save")], family="model"
        ):
            Tag.objects.create(name="old")
        self.assertSignals(SAVE, within=signals)

    def test_not_in_order(self) -> None:
        text = self.failing(
            "Number 2 is post_save playground.Author committed, not post_delete.",
            lambda: self.assertSignals(["pre_save", "post_delete"]),
        )
        assert "Expected exactly, in this order:\n  1. pre_save\n  2. post_delete\n" in text
        assert re.search(
            r"Fired:\n  pre_init playground.Author  at tests/testing/\w+.py:\d+ in saved\n"
            r"(.*\n)+  post_save playground.Author \d+ \(created\)  at tests/testing/",
            text,
        )

    def test_missing_and_more(self) -> None:
        self.failing("Number 3, post_save, is missing.",
                     lambda: self.assertSignals([*SAVE, "post_save"]))  # fmt: skip
        self.failing("After them, this fired: post_save playground.Author committed.",
                     lambda: self.assertSignals(["pre_save"]), lambda: saved("Grace"))  # fmt: skip
        self.failing("Expected no signal.", lambda: self.assertSignals([]), lambda: saved("Eve"))
        self.failing("Fired:\n  nothing", lambda: self.assertSignals(SAVE), lambda: None)

    def test_an_outcome_is_judged_at_the_end(self) -> None:
        gone = [fired(name, outcome="rolled_back") for name in SAVE]
        with self.assertSignals(gone), rolled_back():
            saved()
        text = self.failing("not pre_save outcome=rolled_back", lambda: self.assertSignals(gone))
        assert "1. pre_save outcome=rolled_back" in text

    def test_sent(self) -> None:
        with self.assertSignalSent("post_save", sender=Author, outcome="committed") as signals:
            author = saved()
        self.assertSignalSent("post_save", object=author, within=signals)
        self.failing(
            f"Expected, and did not fire: post_save object=playground.Author {author.pk}",
            lambda: self.assertSignalSent("post_save", object=author),
            lambda: saved("Grace"),
        )

    def test_not_sent(self) -> None:
        with self.assertSignalNotSent("post_delete"):
            saved()
        self.failing(
            "Not expected, and fired once: post_save sender=playground.Author",
            lambda: self.assertSignalNotSent("post_save", sender=Author),
            lambda: saved("Grace"),
        )

    def test_number(self) -> None:
        with self.assertNumSignals(4):
            saved()
        with self.assertNumSignals(1, "post_save", sender=Author):
            saved("Grace")
        text = self.failing(
            "Expected 3 signals, and 2 fired.",
            lambda: self.assertNumSignals(3, *SAVE),
            lambda: saved("Eve"),
        )
        assert "Fired (of which count: pre_save or post_save):" in text

    def test_a_message_of_ones_own_and_a_long_tree(self) -> None:
        text = self.failing(
            "and 300 more",
            lambda: self.assertNumSignals(1, msg="Too chatty"),
            lambda: [Author() for _ in range(200)],
        )
        assert text.endswith("Too chatty")

    def test_an_error_in_the_block_is_not_hidden(self) -> None:
        with pytest.raises(Boom), self.assertSignals(SAVE):
            raise Boom
        assert observers == []

    def test_slips(self) -> None:
        for wrong in ("post_save", 3, None):
            with self.assertRaisesMessage(TypeError, "expected takes a list of signals"):
                self.assertSignals(wrong)  # type: ignore[arg-type]
        with self.assertRaisesMessage(ValueError, "Did you mean 'post_save'"):
            self.assertSignals(["pots_save"])
        with self.assertRaisesMessage(TypeError, "number takes a whole number, not str ('2')"):
            self.assertNumSignals("2")  # type: ignore[arg-type]
        with self.assertRaisesMessage(TypeError, "within= takes what capture_signals() gives"):
            self.assertSignalSent("post_save", within=[])  # type: ignore[arg-type]
        with self.assertRaisesMessage(TypeError, "no filter 'sendr'"):
            self.assertSignalNotSent("post_save", sendr=Group)  # type: ignore[call-arg]


def test_orders_are_thanked_for(db: None) -> None:
    book = Book.objects.create(title="Notes", author=saved())
    with capture_signals(sender=Order) as signals:
        Order.objects.create(book=book, reader="Mina")
    assert signals.names == [*MADE, *SAVE]
