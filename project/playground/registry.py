"""The actions of the lessons, for the pages and the tour."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest

Run = Callable[[HttpRequest], str | None]


@dataclass(frozen=True, slots=True)
class Action:
    """Code that makes signals fire, or shows that none do.

    `run` returns the id of the trace to show, or None for the trace of the request.
    `shows` is the code to show instead of that of `run`.
    """

    lesson: str
    title: str
    run: Run
    shows: type | Callable[..., object] | None = None

    @property
    def name(self) -> str:
        return self.run.__name__

    @property
    def about(self) -> str:
        return inspect.getdoc(self.run) or ""

    @property
    def code(self) -> str:
        """Return the code to show: of `run` the statements, without name and docstring."""
        if self.shows is not None:
            return inspect.getsource(self.shows)
        source = textwrap.dedent(inspect.getsource(self.run))
        (function,) = ast.parse(source).body
        docstring = function.body[0]  # type: ignore[attr-defined]
        return textwrap.dedent("\n".join(source.splitlines()[docstring.end_lineno :]))


actions: list[Action] = []


def action(
    lesson: str, title: str, *, shows: type | Callable[..., object] | None = None
) -> Callable[[Run], Run]:
    """Register the decorated function as an action of a lesson."""

    def register(run: Run) -> Run:
        actions.append(Action(lesson, title, run, shows))
        return run

    return register
