"""Signals and receivers selected by name."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.core.signals import request_started
from django.db.models.signals import post_save

from project.playground.models import Book
from signals_demo.inspection.receivers import SignalReceivers, all_receivers
from signals_demo.inspection.selection import (
    OWN,
    NoSuchName,
    ReceiverSelection,
    grouped,
    owners_of,
    sender_labels,
    without_own,
)
from signals_demo.serialize.source import DJANGO, OURS, PROJECT

HERE = "tests.inspection.test_selection"


def on_book(**kwargs: object) -> None: ...


def on_any(**kwargs: object) -> None: ...


@pytest.fixture
def found() -> Iterator[list[SignalReceivers]]:
    post_save.connect(on_book, sender=Book)
    for signal in (post_save, user_logged_in, request_started):
        signal.connect(on_any)
    yield all_receivers()
    post_save.disconnect(on_book, sender=Book)
    for signal in (post_save, user_logged_in, request_started):
        signal.disconnect(on_any)


def ours_of(signals: list[SignalReceivers]) -> set[tuple[str, str]]:
    """Return signal and receiver of what this module has connected."""
    return {
        (signal.name, receiver.short_name)
        for signal in signals
        for receiver in signal.receivers
        if receiver.name.startswith(HERE)
    }


def test_nothing_selected_is_everything(found: list[SignalReceivers]) -> None:
    assert not ReceiverSelection()
    assert ReceiverSelection().of(found) == found


@pytest.mark.parametrize("name", ["post_save", "django.db.models.signals.post_save"])
def test_a_signal_by_its_name_or_its_path(found: list[SignalReceivers], name: str) -> None:
    [signal] = ReceiverSelection(signal=name).of(found)
    assert signal.name == "post_save"


@pytest.mark.parametrize(
    ("sender", "signals"),
    [
        # One for any sender hears a model's signals; of logins those of the user model.
        ("playground.book", {("post_save", "on_book"), ("post_save", "on_any")}),
        (User._meta.label, {("post_save", "on_any"), ("user_logged_in", "on_any")}),
    ],
)
def test_a_sender_selects_what_is_called_for_it(
    found: list[SignalReceivers], sender: str, signals: set[tuple[str, str]]
) -> None:
    assert ours_of(ReceiverSelection(sender=sender).of(found)) == signals


def test_an_owner_selects_its_receivers(found: list[SignalReceivers]) -> None:
    chosen = ReceiverSelection(owner=DJANGO).of(found)
    assert chosen
    assert {one.owner for each in chosen for one in each.receivers} == {DJANGO}


@pytest.mark.parametrize(
    ("option", "name", "near"),
    [
        ("signal", "post_sav", "post_save"),
        ("signal", "frobnicate", ""),
        ("sender", "playground.Bok", "playground.Book"),
        ("sender", "book", "playground.Book"),
        ("owner", "djang", DJANGO),
    ],
)
def test_a_name_that_is_not_there_comes_with_a_similar_one(
    found: list[SignalReceivers], option: str, name: str, near: str
) -> None:
    with pytest.raises(NoSuchName) as caught:
        ReceiverSelection(**{option: name}).of(found)
    assert (caught.value.option, caught.value.name, caught.value.near) == (option, name, near)


def test_without_django_s_and_our_own(found: list[SignalReceivers]) -> None:
    rest = without_own(found)
    assert ours_of(rest) == ours_of(found) != set()
    assert not {one.owner for each in rest for one in each.receivers} & set(OWN)


def test_headings_stand_in_the_order_of_the_families(found: list[SignalReceivers]) -> None:
    sections = grouped(found)
    assert sum(len(signals) for _label, signals in sections) == len(found)
    assert [str(label) for label, _signals in sections][:2] == ["Login", "Models"]


def test_names_to_choose_from(found: list[SignalReceivers]) -> None:
    labels = sender_labels(found)
    assert {"auth.User", "playground.Book", "auth.User_groups"} <= set(labels)
    assert labels == sorted(labels)
    owners = owners_of(found)
    assert owners[0] == PROJECT
    assert owners[-2:] == [DJANGO, OURS]
