"""How events are shown: trees, arguments, changes and colours."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils import timezone, translation

from signals_demo.catalog.types import Family
from signals_demo.models import SignalEvent
from signals_demo.query.parsing import Period
from signals_demo.web import presentation
from signals_demo.web.presentation import Node, Value, ago, in_short


def event(signal: str = "pre_save", depth: int = 0, **fields: Any) -> SignalEvent:
    return SignalEvent(signal=signal, depth=depth, **fields)


def outline(nodes: list[Node]) -> list[Any]:
    return [
        [node.event.signal, outline(node.children)] if node.children else node.event.signal
        for node in nodes
    ]


def test_an_event_belongs_under_the_nearest_earlier_one_with_a_smaller_depth() -> None:
    events = [
        event("request_started"),
        event("pre_save", 1),
        event("pre_init", 2),
        event("post_init", 2),
        event("post_save", 1),
        event("request_finished"),
    ]
    assert outline(presentation.tree(events)) == [
        ["request_started", [["pre_save", ["pre_init", "post_init"]], "post_save"]],
        "request_finished",
    ]


def test_a_part_of_a_trace_still_makes_a_tree() -> None:
    events = [event("a", 5), event("b", 6), event("c", 2), event("d", 4)]
    assert outline(presentation.tree(events)) == [["a", ["b"]], ["c", ["d"]]]
    assert presentation.tree([]) == []


def test_deep_nesting_ends_in_a_flat_list() -> None:
    [node] = presentation.tree(event(str(depth), depth) for depth in range(100))
    levels = 1
    while node.children:
        node = node.children[0] if len(node.children) == 1 else Node(node.event)
        levels += 1
    assert levels == presentation.DEEPEST


def test_the_tree_is_rendered_as_nested_lists() -> None:
    changes = {"status": ["new", "paid"], "note": ["x", None], "total": [None, 5]}
    events = [
        event("request_started"),
        event("post_save", 1, sender="shop.Order", object_pk="3", changes=changes, count=2,
              duration=timedelta(milliseconds=12), outcome="rolled_back", call_site="a.py:1"),
        event("got_request_exception", 1, exception="ValueError: <b>"),
    ]  # fmt: skip
    nodes = presentation.tree(events)
    context = {"nodes": nodes, "link": "", "current": None, "lines": False}
    text = render_to_string("signals_demo/tree.html", context)
    assert text.count('<ol class="signals-tree">') == text.count("</ol>") == 2
    for part in (
        "shop.Order",
        "\N{MULTIPLICATION SIGN} 2",
        "12 ms",
        "rolled back",
        "<del>&#x27;new&#x27;</del>",
    ):
        assert part in text
    assert "ValueError: &lt;b&gt;" in text
    assert "a.py:1" not in text
    with_lines = render_to_string("signals_demo/tree.html", context | {"lines": True})
    assert "a.py:1" in with_lines


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
    assert presentation.literal(value) == text


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


@pytest.mark.parametrize(
    ("took", "text"),
    [
        (None, ""),
        (timedelta(microseconds=44), "44 µs"),
        (timedelta(microseconds=740), "0.7 ms"),
        (timedelta(milliseconds=12), "12 ms"),
        (timedelta(seconds=1.312), "1.3 s"),
    ],
)
def test_durations(took: timedelta | None, text: str) -> None:
    assert presentation.duration(event(duration=took)) == text


@pytest.mark.parametrize(
    ("minutes", "text", "hindi"),
    [
        (-1, "just now", "अभी-अभी"),
        (0.9, "just now", "अभी-अभी"),
        (1, "1 minute ago", "1 मिनट पहले"),
        (59.9, "59 minutes ago", "59 मिनट पहले"),
        (60, "1 hour ago", "1 घंटा पहले"),
        (24 * 60 - 1, "23 hours ago", "23 घंटे पहले"),
        (24 * 60, "1 day ago", "1 दिन पहले"),
        (90 * 24 * 60, "90 days ago", "90 दिन पहले"),
    ],
)
def test_how_long_ago_it_was(minutes: float, text: str, hindi: str) -> None:
    moment = timezone.now() - timedelta(minutes=minutes)
    assert ago(moment) == text
    with translation.override("hi"):
        assert ago(moment) == hindi


@pytest.mark.parametrize("language", ["en", "de", "es", "fr", "hi"])
def test_morning_and_evening_are_told_apart(language: str) -> None:
    morning, evening = (datetime(2026, 11, 22, hour, 0, tzinfo=UTC) for hour in (5, 17))
    with translation.override(language):
        assert in_short(Period(morning, evening)).endswith(" 05:00 \N{EN DASH} 17:00")


def test_a_note_tells_like_firings_apart() -> None:
    order = {"model": "shop.Order", "pk": 3}
    assert Node(event(arguments={"created": False, "raw": True})).note == "created=False"
    assert Node(event(arguments={"instance": order, "origin": order})).note == ""
    assert Node(event(arguments={"action": "post_add"})).note == "action='post_add'"


def test_classes_are_shown_without_their_module() -> None:
    assert Node(event(sender="django.core.handlers.wsgi.WSGIHandler")).sender == "WSGIHandler"
    assert Node(event(sender="auth.User")).sender == "auth.User"
    assert Node(event(sender="django.contrib.auth")).sender == "django.contrib.auth"


def _luminance(colour: str) -> float:
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (
        channel / 12.92 if channel <= 0.03928 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("name", [*Family, "other"])
@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_the_colours_of_the_families_can_be_read(name: str, theme: int) -> None:
    with open(finders.find("signals_demo/events.css"), encoding="utf-8") as file:
        block = re.search(rf"\.signals-{name} {{(.+?)}}", file.read(), re.DOTALL)
    assert block
    pairs = re.findall(r"light-dark\((#\w{6}), (#\w{6})\)", block[1])
    lighter, darker = sorted((_luminance(pair[theme]) for pair in pairs), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_a_line_may_end_between_the_parts_of_a_path() -> None:
    assert presentation.breakable("GET /a<b/c/") == "GET /a&lt;b/<wbr>c/"
