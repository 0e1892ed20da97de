"""What the lessons can do: one list of actions, for the pages and for the tour."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest

Run = Callable[[HttpRequest], str | None]


@dataclass(frozen=True, slots=True)
class Action:
    """Something that makes signals fire, or shows that none does.

    `run` returns the trace id of what is worth showing, or None for the request that ran it.
    """

    lesson: str
    title: str
    run: Run

    @property
    def name(self) -> str:
        return self.run.__name__

    @property
    def about(self) -> str:
        return inspect.getdoc(self.run) or ""

    @property
    def code(self) -> str:
        """Return the statements of `run`, without its name and its docstring."""
        source = textwrap.dedent(inspect.getsource(self.run))
        (function,) = ast.parse(source).body
        docstring = function.body[0]  # type: ignore[attr-defined]
        return textwrap.dedent("\n".join(source.splitlines()[docstring.end_lineno :]))


actions: list[Action] = []


def action(lesson: str, title: str) -> Callable[[Run], Run]:
    """Register the decorated function as an action of a lesson."""

    def register(run: Run) -> Run:
        actions.append(Action(lesson, title, run))
        return run

    return register
