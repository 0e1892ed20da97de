"""Recorded values, laid out for reading."""

from typing import Any

import pytest

from signals_demo.models import SignalEvent
from signals_demo.web.values import Value, arguments, changes, literal


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (1.5, "1.5"),
        ("5", "'5'"),
        ("\u202egpj.exe", r"'\u202egpj.exe'"),
        ({"model": "shop.Order", "pk": 3}, "shop.Order 3"),
        ([1, {"model": "shop.Order", "pk": None}], "[1, shop.Order None]"),
        ({"a": [True]}, "{'a': [True]}"),
    ],
)
def test_values_read_as_python_writes_them(value: Any, text: str) -> None:
    assert literal(value) == text


def test_long_values_are_laid_out_and_short_ones_stay_in_a_line() -> None:
    value = Value.of({"short": [1, 2], "long": ["x" * 60, "y"]})
    assert [name for name, _part in value.parts] == ["short", "long"]
    assert value.parts[0][1] == Value("[1, 2]")
    assert value.parts[1][1].is_list
    assert Value.of("two\nlines").text == "two\nlines"


def test_values_nested_without_end_are_cut_off() -> None:
    value: Any = "x" * 80
    for _level in range(50):
        value = [value]
    levels, laid_out = 0, Value.of(value)
    while laid_out.parts:
        levels, laid_out = levels + 1, laid_out.parts[0][1]
    assert levels == 6


def test_old_values_that_are_unknown_are_said_to_be() -> None:
    event = SignalEvent(
        signal="post_save",
        changes={"copies": [1, 2]},
        arguments={"created": False, "old_values": "unknown", "new_values": {"title": "unknown"}},
    )
    known, written = changes(event)
    assert (known.kind, written.kind) == ("changed", "written")
    assert (written.old_text, written.new_text) == ("unknown", "'unknown'")
    assert "<del>unknown</del>" in written.in_short
    assert "<ins>&#x27;unknown&#x27;</ins>" in written.in_short
    assert "not known" in str(written.kind_label)
    assert all(argument.meaning for argument in arguments(event))
    event.changes = {}
    assert [change.field for change in changes(event)] == ["title"]


@pytest.mark.parametrize("values", [None, 3, [], "x"])
def test_arguments_of_another_kind_are_no_values(values: Any) -> None:
    found = {"old_values": "unknown", "new_values": values}
    assert changes(SignalEvent(signal="post_save", arguments=found)) == []
