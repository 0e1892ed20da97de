"""Events of a trace as a tree."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from signals_demo.query.tree import Node, Tree


@dataclass
class Event:
    name: str
    depth: int


def outline(nodes: Sequence[Node[Any]]) -> list[Any]:
    return [
        [node.event.name, outline(node.children)] if node.children else node.event.name
        for node in nodes
    ]


def tree_of(text: str, **options: int) -> list[Any]:
    """Return the outline for events such as `a0 b1`, each a name and a depth."""
    events = [Event(each[0], int(each[1:])) for each in text.split()]
    return outline(Tree[Node[Event]](Node, **options).extended(events))


def test_an_event_is_under_the_nearest_earlier_one_that_is_less_deep() -> None:
    assert tree_of("") == []
    assert tree_of("a0 b1 c2 d2 e1 f0") == [["a", [["b", ["c", "d"]], "e"]], "f"]


def test_depths_that_are_missing_leave_no_gap() -> None:
    assert tree_of("a3 b7 c5 d3 e0") == [["a", ["b", "c"]], "d", "e"]


def test_below_the_deepest_level_they_are_listed_one_under_another() -> None:
    assert tree_of("a0 b1 c2 d3 e2 f0", deepest=2) == [["a", ["b", "c", "d", "e"]], "f"]


def test_each_is_told_how_many_are_around_it() -> None:
    tree: Tree[Node[Event]] = Tree(Node)
    assert [tree.add(Event("x", depth)) for depth in (2, 5, 5, 3, 9, 1)] == [0, 1, 1, 1, 2, 0]
