"""What the catalog says of a signal, for the Django that is installed and for others."""

import sys

import django
import pytest

from signals_demo.catalog.types import Argument, BuiltIn, Family, release_name

PLAIN = BuiltIn(
    name="paid",
    family=Family.MODEL,
    path="shop.signals.paid",
    sender="The till.",
    arguments=(
        Argument("amount", "How much."),
        Argument("voucher", "Which one.", always=False),
        Argument("currency", "Which one.", since=(99, 1)),
        Argument("receipt", "Which one.", always=False, since=(5, 0)),
    ),
    fires="When somebody pays.",
    silent="Never.",
    since=(5, 0),
    url="",
)


def test_a_release_is_written_as_people_write_it() -> None:
    assert release_name((6, 0)) == "6.0"


def test_when_an_argument_is_sent() -> None:
    assert [argument.when for argument in PLAIN.arguments] == [
        "",
        "Not always sent.",
        "Since Django 99.1.",
        "Since Django 5.0. Not always sent.",
    ]


def test_what_a_later_django_sends_is_left_out() -> None:
    assert PLAIN.argument_names == ("amount", "voucher", "receipt")
    assert PLAIN.available
    assert not PLAIN._replace(since=(99, 1)).available
    assert PLAIN._replace(since=django.VERSION[:2]).available


def test_it_is_loaded_once_its_module_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not PLAIN.is_loaded
    monkeypatch.setitem(sys.modules, "shop.signals", django)
    assert PLAIN.is_loaded
    assert not PLAIN._replace(defined_in="shop.light").is_loaded


def test_an_example_takes_what_is_always_sent() -> None:
    assert "def on_paid(sender, amount, **kwargs):" in PLAIN.connect_example
    assert "from shop.signals import paid" in PLAIN.receiver_example
    named_kwargs = PLAIN._replace(arguments=(Argument("kwargs", "All of them."),))
    assert "def on_paid(sender, kwargs, **rest):" in named_kwargs.connect_example


@pytest.mark.parametrize("family", Family)
def test_a_family_has_a_name_and_a_sentence(family: Family) -> None:
    assert str(family.label)
    assert str(family.description).endswith(".")
