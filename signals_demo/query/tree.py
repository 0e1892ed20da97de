"""Events of a trace as a tree, by how many pairs of signals were open around each."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

E = TypeVar("E")
"""An event, of which its `depth` is asked."""


@dataclass(slots=True)
class Node(Generic[E]):
    """An event, with the events that fired between its opening and closing signal.

    `closing` is set where a pair is one node.
    """

    event: E
    children: list[Self] = field(default_factory=list)
    closing: Self | None = None


N = TypeVar("N", bound=Node[Any])


class Tree(Generic[N]):
    """The events of one trace, taken in as they fired.

    An event belongs under the nearest earlier one with a smaller depth, so a closing signal
    stands beside its opening one, below all that fired between them. The events may be a part
    of a trace: those whose surroundings are missing become roots. Below `deepest` levels the
    events are listed one under another.
    """

    def __init__(self, make: Callable[[Any], N], deepest: int = sys.maxsize) -> None:
        self.roots: list[N] = []
        self.make = make
        self._deepest = deepest
        self._around: list[N] = []

    def add(self, event: Any) -> int:
        """Take in the next event, and return how many others it lies in."""
        around = self._around
        while around and around[-1].event.depth >= event.depth:
            around.pop()
        node = self.make(event)
        (around[-1].children if around else self.roots).append(node)
        level = len(around)
        if level < self._deepest - 1:
            around.append(node)
        return level

    def extended(self, events: Iterable[Any]) -> list[N]:
        """Take in all of these, and return the roots."""
        for event in events:
            self.add(event)
        return self.roots
