"""Events as lines in a terminal."""

from collections.abc import Iterator

from django.utils.termcolors import colorize

from signals_demo.catalog.types import Family
from signals_demo.models import Outcome, SignalEvent
from signals_demo.web.names import TIMES, shortened
from signals_demo.web.times import local
from signals_demo.web.tree import EventNode
from signals_demo.web.values import Change

COLOURS = {
    Family.AUTH: "magenta",
    Family.MODEL: "blue",
    Family.MANAGEMENT: "yellow",
    Family.REQUEST: "green",
    Family.TEST: "magenta",
    Family.DATABASE: "cyan",
    Family.TASK: "red",
    Family.AUTORELOAD: "yellow",
}
_OUTCOMES: dict[str, str] = {Outcome.COMMITTED: "green", Outcome.ROLLED_BACK: "red"}
_DEEPEST = 12
_SIGNAL_WIDTH = 24
_SUBJECT_WIDTH = 24
_MOST_CHANGES = 3
_LONGEST_VALUE = 24
_LONGEST_EXCEPTION = 200  # as on the pages; --json has all of it
_FAINT = "\x1b[2m{}\x1b[0m"


def printable(text: str) -> str:
    """Return recorded text without the control characters that a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


class LineFormatter:
    """Writes a line for each event, and a line above it where another unit of work begins."""

    def __init__(self, *, coloured: bool, has_headings: bool = True) -> None:
        self.coloured = coloured
        self.has_headings = has_headings
        self._unit = ("", "")

    def lines(self, event: SignalEvent) -> Iterator[str]:
        """Yield the lines of an event that follows the one before."""
        unit = event.trace_id, event.span_id
        if self.has_headings and unit != self._unit:
            self._unit = unit
            kind = event.get_origin_display()
            name = shortened(printable(event.origin_name))
            started_by = " ".join(dict.fromkeys((str(kind), name)))  # a shell has no other name
            yield self._faint(f"── {started_by}  {printable(event.trace_id)}")
        yield "  ".join(filter(None, self._parts(event)))

    def _parts(self, event: SignalEvent) -> Iterator[str]:
        node = EventNode(event)
        moment = local(event.occurred_at)
        yield self._faint(moment.strftime("%H:%M:%S.%f")[:-3])
        yield self._signal(node)
        subject = printable(f"{node.sender} {node.about}".strip())
        yield subject.ljust(_SUBJECT_WIDTH) if subject else ""
        yield f"{TIMES} {event.count}" if event.count > 1 else ""
        yield printable(event.actor or event.actor_pk)
        label = str(event.get_outcome_display())
        yield self._in(_OUTCOMES.get(event.outcome), label)
        yield node.duration
        yield self._faint(printable(event.call_site))
        yield ", ".join(map(_changed, node.changes[:_MOST_CHANGES])) + (
            f", +{len(node.changes) - _MOST_CHANGES}" if len(node.changes) > _MOST_CHANGES else ""
        )
        yield self._in("red", printable(shortened(event.exception, _LONGEST_EXCEPTION)))

    def _signal(self, node: EventNode) -> str:
        indent = "  " * min(node.event.depth, _DEEPEST)
        name = printable(node.name)
        gap = " " * (_SIGNAL_WIDTH - len(indent) - len(name))
        colour = COLOURS.get(node.family) if node.family else None
        return indent + self._in(colour, name, bold=True) + gap

    def _in(self, colour: str | None, text: str, *, bold: bool = False) -> str:
        if not self.coloured or not text:
            return text
        options = {"fg": colour} if colour else {}
        return colorize(text, ("bold",) if bold else (), **options)

    def _faint(self, text: str) -> str:
        return _FAINT.format(text) if self.coloured and text else text


def _changed(change: Change) -> str:
    old, new = (
        shortened(printable(text), _LONGEST_VALUE) for text in (change.old_text, change.new_text)
    )
    name = printable(change.field)
    return f"{name}: {new}" if change.old is None else f"{name}: {old} → {new}"
