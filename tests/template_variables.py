"""Template variables that do not resolve: Django shows nothing for one, and only logs it."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.template.base import Node

LOGGER = logging.getLogger("django.template")


class UnresolvedVariables(logging.Handler):
    """Passes on each variable that does not resolve: its template, line and name."""

    def __init__(self, found: Callable[[str], object]) -> None:
        super().__init__(logging.DEBUG)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        if not record.msg.startswith("Exception while resolving variable"):
            return
        node = _node_that_reads()
        # Django's page for an exception is made of templates without a name.
        if node and node.origin.template_name:
            name, _template = record.args
            self._found(f"{node.origin.template_name}:{node.token.lineno}: {name}")


def _node_that_reads() -> Node | None:
    # The log names the page's template, not the one that is extended or included.
    frame = sys._getframe()
    while frame := frame.f_back:
        node = frame.f_locals.get("self")
        if isinstance(node, Node) and hasattr(node, "origin"):
            return node
    return None


def to_file(path: Path) -> UnresolvedVariables:
    """Return a handler, for the settings of a server, that adds lines to a file."""

    def add(text: str) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")

    return UnresolvedVariables(add)


@contextmanager
def no_unresolved_variables() -> Iterator[None]:
    """Fail at the end if a template read a variable that is not there."""
    found: set[str] = set()
    handler = UnresolvedVariables(found.add)
    level, propagates = LOGGER.level, LOGGER.propagate
    LOGGER.addHandler(handler)
    # The handlers of pytest would format each exception, and with it query what it names.
    LOGGER.setLevel(logging.DEBUG)
    LOGGER.propagate = False
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)
        LOGGER.propagate = propagates
    assert not found, "Variables that do not resolve:\n" + "\n".join(sorted(found))
