"""The rows of a trace page: a pair or a lone firing each, with its bar and what is inside it.

Most iterations of a long loop are collapsed into one row that can be opened.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from typing import Any, ClassVar

from django.utils.safestring import SafeString
from django.utils.translation import gettext

from signals_demo.models import Outcome, SignalEvent
from signals_demo.web.links import anchor
from signals_demo.web.tree import EventNode
from signals_demo.web.values import RecordedArgument, arguments
from signals_demo.web.waterfall import Bar, Scale, Span, since_zero

_MILLISECOND = timedelta(milliseconds=1)

# A loop whose body fires up to so many rows is seen as one; so many of its iterations are shown.
LONGEST_BODY = 4
SHOWN = 2
# Fewer iterations than these are not collapsed.
FEWEST = 6


@dataclass(slots=True)
class TraceRow:
    """A line of the page: a pair, or an event that is alone.

    `last` is the closing event of a pair, and of any other row its one event. `badges` are its
    events, each with a name and the address of its page.
    """

    count: ClassVar[int] = 0  # of the iterations that `Repeats` stands for

    node: EventNode
    last: EventNode
    bar: Bar
    began: str
    children: list["TraceRow | Repeats"]
    badges: list[tuple[EventNode, str, str]]
    site: str = ""
    """The line of code that made it fire, where it is not the same as that of the row above."""

    @property
    def anchor(self) -> str:
        """Return what leads to this row in an address."""
        return anchor(self.node.event.pk)

    @property
    def closing_anchor(self) -> str:
        """Return what leads to the closing event of a pair."""
        return anchor(self.last.event.pk) if self.node.closing else ""

    @property
    def is_undone(self) -> bool:
        """Return whether the database kept nothing of it."""
        return self.last.event.outcome == Outcome.ROLLED_BACK

    @property
    def line(self) -> SafeString:
        """Return it in a line. Without templates: a page has hundreds, each with many parts."""
        undone = " signals-undone" if self.is_undone else ""
        closing = f' id="{self.closing_anchor}"' if self.node.closing else ""
        badges = "".join(_badge(*badge) for badge in self.badges)
        began_at, took = escape(gettext("started at")), self.last.duration
        return SafeString(
            f'<div class="signals-row{undone}"{closing}>'
            f'<div class="signals-event"><span class="signals-pair">{badges}</span>'
            f" {self.last.subject}</div>"
            f'<span class="signals-began"><span class="signals-unseen">{began_at}</span>'
            f" {escape(self.began)}</span>"
            f'<span class="signals-took">{_took(took) if took else ""}</span>'
            f"{self._picture}</div>"
        )

    @property
    def _picture(self) -> str:
        bar = self.bar
        lost = ' class="signals-lost"' if self.is_undone else ""
        shape = (
            f'<rect{lost} x="{bar.x}" width="{bar.width}" y="20%" height="60%" rx="2"/>'
            if bar.width
            else f'<circle{lost} cx="{bar.x}" cy="50%" r="4"/>'
        )
        before = '<text x="4" y="75%">&lsaquo;</text>' if bar.cut_before else ""
        after = '<text x="100%" dx="-10" y="75%">&rsaquo;</text>' if bar.cut_after else ""
        return (
            f'<svg class="signals-bar {self.last.css_class}" aria-hidden="true">'
            f"{shape}{before}{after}</svg>"
        )

    def set_sites(self, above: str) -> str:
        """Set the line of code of this row and of those inside it, and return the last one."""
        site = self.last.event.call_site
        self.site = "" if site == above else site
        return _set_sites(self.children, site or above)

    @property
    def first_arguments(self) -> list[RecordedArgument]:
        """Return what the first firing of a folded row was sent with."""
        return arguments(self.node.event)

    @property
    def kind(self) -> tuple[Any, ...]:
        """Return what rows of one loop have in common, with all that is inside them."""
        event = self.last.event
        return (
            event.signal,
            event.sender,
            event.outcome,
            event.exception,
            event.count > 1,
            *(child.kind for child in self.children),
        )


def _badge(half: EventNode, name: str, url: str) -> str:
    signal = half.event.signal
    title = f' title="{escape(signal)}"' if half.name != signal else ""
    return (
        f'<a class="signals-badge {half.css_class}" href="{escape(url)}"{title}>{escape(name)}</a>'
    )


def _took(took: str) -> str:
    label = escape(gettext("took"))
    return f'<span class="signals-unseen">{label}</span> {escape(took)}'


@dataclass(slots=True)
class Repeats:
    """Rows that are collapsed: further iterations of a loop."""

    count: int
    rows: list[TraceRow]
    names: list[str]

    @property
    def kind(self) -> tuple[Any, ...]:
        """Return what loops that are alike have in common."""
        return (self.count, *self.names)

    def set_sites(self, above: str) -> str:
        """Set the lines of code of the rows, and return the last one."""
        return _set_sites(self.rows, above)

    @property
    def bars(self) -> list[TraceRow]:
        """Return its rows for their bars, but one where many coincide."""
        return list({row.bar: row for row in self.rows}.values())

    @property
    def undone(self) -> TraceRow | None:
        """Return a row of which the database kept nothing, if there is one."""
        return next((row for row in self.rows if row.is_undone), None)


def events_of(node: EventNode) -> list[SignalEvent]:
    """Return the one or two events of a node."""
    return [node.event, node.closing.event] if node.closing else [node.event]


def span_of(node: EventNode) -> Span:
    """Return when a node began, and for a pair how long it took."""
    opening = node.event
    if node.closing is not None:
        closing = node.closing.event
        took = closing.duration
        if (several := node.closing.folded) is not None:
            took = several.last_at - opening.occurred_at
        if took is None:
            took = max(closing.occurred_at - opening.occurred_at, timedelta())
        return Span(opening.occurred_at, took)
    several = node.folded
    if several is not None:
        return Span(opening.occurred_at, max(several.last_at - opening.occurred_at, timedelta()))
    if opening.duration is not None:  # its opening event is not here
        return Span(opening.occurred_at - opening.duration, opening.duration)
    return Span(opening.occurred_at)


def spans_of(nodes: Iterable[EventNode], without: frozenset[int]) -> Iterator[Span]:
    """Return the spans of nodes and of all that is inside them, except those of these keys."""
    for node in nodes:
        if without.isdisjoint(event.pk for event in events_of(node)):
            yield span_of(node)
        yield from spans_of(node.children, without)


@dataclass(frozen=True, slots=True)
class RowBuilder:
    """What rows are made with: the scale, and what reiterations the address of an event's page."""

    scale: Scale
    address: Callable[[int], str]

    def rows(self, nodes: Iterable[EventNode]) -> list[TraceRow | Repeats]:
        """Return the rows of a forest."""
        rows = self._rows(nodes)
        _set_sites(rows, "")
        return rows

    def _rows(self, nodes: Iterable[EventNode]) -> list[TraceRow | Repeats]:
        return collapsed([self._row(node) for node in nodes])

    def _row(self, node: EventNode) -> TraceRow:
        span = span_of(node)
        halves = [node, node.closing] if node.closing else [node]
        return TraceRow(
            node,
            halves[-1],
            self.scale.bar(span),
            since_zero((span.start - self.scale.zero) / _MILLISECOND),
            self._rows(node.children),
            [(half, _name(half), self.address(half.event.pk)) for half in halves],
        )


def _name(half: EventNode) -> str:
    """Return the name of an event, by which the two of a pair are told apart."""
    action = str(half.event.arguments.get("action", ""))
    return f"{half.name} {action}" if half.event.signal == "m2m_changed" else half.name


def _set_sites(rows: Iterable[TraceRow | Repeats], above: str) -> str:
    """Give the rows their lines of code, and return the last one."""
    for row in rows:
        above = row.set_sites(above)
    return above


def collapsed(rows: Sequence[TraceRow]) -> list["TraceRow | Repeats"]:
    """Return the rows, with a `Repeats` for all but the first iterations of each long loop."""
    kinds = [row.kind for row in rows]
    shown: list[TraceRow | Repeats] = []
    place = 0
    while place < len(rows):
        body, iterations = _loop_at(kinds, place)
        if iterations < FEWEST:
            shown.append(rows[place])
            place += 1
            continue
        start, end = place + SHOWN * body, place + iterations * body
        names = [f"{row.last.name} {row.last.sender}" for row in rows[place : place + body]]
        shown += [*rows[place:start], Repeats(iterations - SHOWN, list(rows[start:end]), names)]
        place = end
    return shown


def _loop_at(kinds: Sequence[Any], place: int) -> tuple[int, int]:
    """Return the loop that begins here: the length of its body, and its number of iterations."""
    for body in range(1, LONGEST_BODY + 1):
        end = place + body
        while end < len(kinds) and kinds[end] == kinds[end - body]:
            end += 1
        iterations = (end - place) // body
        if iterations >= FEWEST:
            return body, iterations
    return 1, 1
