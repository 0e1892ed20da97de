"""The tree of a trace, and what it says of each event."""

from datetime import timedelta
from typing import Any

from django.template.loader import render_to_string

from signals_demo.models import SignalEvent
from signals_demo.web.tree import DEEPEST, EventNode, tree


def event(signal: str = "pre_save", depth: int = 0, **fields: Any) -> SignalEvent:
    return SignalEvent(signal=signal, depth=depth, **fields)


def outline(nodes: list[EventNode]) -> list[Any]:
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
    assert outline(tree(events)) == [
        ["request_started", [["pre_save", ["pre_init", "post_init"]], "post_save"]],
        "request_finished",
    ]


def test_a_part_of_a_trace_still_makes_a_tree() -> None:
    events = [event("a", 5), event("b", 6), event("c", 2), event("d", 4)]
    assert outline(tree(events)) == [["a", ["b"]], ["c", ["d"]]]
    assert tree([]) == []


def test_deep_nesting_ends_in_a_flat_list() -> None:
    [node] = tree(event(str(depth), depth) for depth in range(100))
    levels = 1
    while node.children:
        node = node.children[0] if len(node.children) == 1 else EventNode(node.event)
        levels += 1
    assert levels == DEEPEST


def test_the_tree_is_rendered_as_nested_lists() -> None:
    changes = {"status": ["new", "paid"], "note": ["x", None], "total": [None, 5]}
    events = [
        event("request_started"),
        event("post_save", 1, sender="shop.Order", object_pk="3", changes=changes, count=2,
              duration=timedelta(milliseconds=12), outcome="rolled_back", call_site="a.py:1"),
        event("got_request_exception", 1, exception="ValueError: <b>"),
    ]  # fmt: skip
    nodes = tree(events)
    context = {"nodes": nodes, "link": "", "current": None, "lines": False}
    text = render_to_string("signals_demo/tree.html", context)
    assert text.count('<ol class="signals-tree">') == text.count("</ol>") == 2
    for part in (
        "shop.Order",
        "\N{MULTIPLICATION SIGN} 2",
        "12 ms",
        "rolled back",
        "<del>new</del>",
    ):
        assert part in text
    assert "ValueError: &lt;b&gt;" in text
    assert "a.py:1" not in text
    with_lines = render_to_string("signals_demo/tree.html", context | {"lines": True})
    assert "a.py:1" in with_lines


def test_a_note_tells_like_firings_apart() -> None:
    order = {"model": "shop.Order", "pk": 3}
    assert EventNode(event(arguments={"created": False, "raw": True})).note == "created=False"
    assert EventNode(event(arguments={"instance": order, "origin": order})).note == ""
    assert EventNode(event(arguments={"action": "post_add"})).note == "action='post_add'"


def test_classes_are_shown_without_their_module() -> None:
    assert EventNode(event(sender="django.core.handlers.wsgi.WSGIHandler")).sender == "WSGIHandler"
    assert EventNode(event(sender="auth.User")).sender == "auth.User"
    assert EventNode(event(sender="django.contrib.auth")).sender == "django.contrib.auth"
