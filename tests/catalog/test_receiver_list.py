"""Receivers that are taken out of a signal, and put back in their order."""

from collections.abc import Callable
from typing import Any

import pytest
from django.dispatch import Signal

from signals_demo.catalog.receiver_list import (
    Entry,
    all_entries,
    entries_before,
    move_after,
    put_back,
    take_out,
)


def first(**kwargs: Any) -> None:
    """Do nothing."""


def second(**kwargs: Any) -> None:
    """Do nothing."""


def third(**kwargs: Any) -> None:
    """Do nothing."""


@pytest.fixture
def signal() -> Signal:
    signal = Signal()
    for receiver in (first, second, third):
        signal.connect(receiver, dispatch_uid=receiver.__name__)
    return signal


def uids(entries: list[Entry]) -> list[str]:
    return [entry[0][0] for entry in entries]


def named(*names: str) -> Callable[[Entry], bool]:
    return lambda entry: entry[0][0] in names


def called(signal: Signal) -> list[str]:
    return [receiver.__name__ for receiver, _response in signal.send(None)]


def test_what_is_taken_out_is_not_called(signal: Signal) -> None:
    called(signal)  # which fills the signal's cache
    taken_out = take_out(signal, named("second"))
    assert called(signal) == ["first", "third"]
    put_back(signal, taken_out)
    assert called(signal) == ["first", "second", "third"]


def test_it_still_counts_as_connected(signal: Signal) -> None:
    take_out(signal, named("first", "third"))
    assert uids(list(signal.receivers)) == ["second"]
    assert uids(all_entries(signal)) == ["first", "second", "third"]


def test_callers_may_overlap(signal: Signal) -> None:
    outer = take_out(signal, named("first", "second"))
    inner = take_out(signal, named("second", "third"))
    put_back(signal, outer)
    assert called(signal) == ["first"]
    put_back(signal, inner)
    assert called(signal) == ["first", "second", "third"]


def test_an_entry_comes_after_what_stood_before_it(signal: Signal) -> None:
    taken_out = take_out(signal, named("second"))
    signal.disconnect(dispatch_uid="first")
    signal.connect(first, dispatch_uid="new")
    put_back(signal, taken_out)
    assert uids(signal.receivers) == ["second", "third", "new"]


def test_what_is_connected_meanwhile_under_its_uid_gives_way(signal: Signal) -> None:
    taken_out = take_out(signal, named("second"))
    signal.connect(third, dispatch_uid="second")
    put_back(signal, taken_out)
    assert called(signal) == ["first", "second", "third"]


def test_one_that_has_died_is_not_called(signal: Signal) -> None:
    def short_lived(**kwargs: Any) -> None:
        """Do nothing."""

    signal.connect(short_lived, dispatch_uid="short-lived")
    taken_out = take_out(signal, named("short-lived"))
    del short_lived
    put_back(signal, taken_out)
    assert called(signal) == ["first", "second", "third"]


def test_a_receiver_keeps_its_place_when_it_is_connected_anew(signal: Signal) -> None:
    before = entries_before(signal, "second")
    assert uids(before) == ["first"]
    signal.disconnect(dispatch_uid="second")
    signal.connect(second, dispatch_uid="second")
    move_after(signal, "second", before)
    assert uids(signal.receivers) == ["first", "second", "third"]


def test_without_that_receiver_everything_stands_before_it(signal: Signal) -> None:
    assert uids(entries_before(signal, "other")) == ["first", "second", "third"]
