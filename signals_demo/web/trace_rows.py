"""The rows of a trace page: a pair or a lone firing each, with its bar and what is inside it.

Long runs of rows that are like each other are put away, to be opened.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from typing import Any, ClassVar

from django.utils.safestring import SafeString
from django.utils.translation import gettext

from signals_demo.models import Outcome, SignalEvent
from signals_demo.web.presentation import Given, Node, arguments
from signals_demo.web.waterfall import Bar, Scale, Span, since_zero

_MILLISECOND = timedelta(milliseconds=1)

# A loop whose body fires up to so many rows is seen as one; so many of its turns stay in sight.
LONGEST_BODY = 4
IN_SIGHT = 2
# Fewer turns than these are not worth a click.
FEWEST = 6


def anchor(pk: int) -> str:
    """Return what leads to an event in the address of its trace."""
    return f"event-{pk}"


@dataclass(slots=True)
class Row:
    """A line of the page: a pair, or an event that is alone.

    `told` is the event that says most: the closing one of a pair. `badges` are its events, each
    with a name and the address of its page.
    """

    turns: ClassVar[int] = 0  # as a `Run` has more than none

    node: Node
    told: Node
    bar: Bar
    began: str
    children: list["Row | Run"]
    badges: list[tuple[Node, str, str]]
    site: str = ""
    """The line of code that made it fire, where it is not the same as that of the row above."""

    @property
    def anchor(self) -> str:
        """Return what leads to this row in an address."""
        return anchor(self.node.event.pk)

    @property
    def closing_anchor(self) -> str:
        """Return what leads to the closing event of a pair."""
        return anchor(self.told.event.pk) if self.node.closing else ""

    @property
    def is_undone(self) -> bool:
        """Return whether the database kept nothing of it."""
        return self.told.event.outcome == Outcome.ROLLED_BACK

    @property
    def line(self) -> SafeString:
        """Return it in a line. Without templates: a page has hundreds, each with many parts."""
        undone = " signals-undone" if self.is_undone else ""
        closing = f' id="{self.closing_anchor}"' if self.node.closing else ""
        badges = "".join(_badge(*badge) for badge in self.badges)
        began_at, took = escape(gettext("started at")), self.told.duration
        return SafeString(
            f'<div class="signals-row{undone}"{closing}>'
            f'<div class="signals-event"><span class="signals-pair">{badges}</span>'
            f" {self.told.subject}</div>"
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
            f'<svg class="signals-bar {self.told.css_class}" aria-hidden="true">'
            f"{shape}{before}{after}</svg>"
        )

    @property
    def first_arguments(self) -> list[Given]:
        """Return what the first firing of a folded row was sent with."""
        return arguments(self.node.event)

    @property
    def kind(self) -> tuple[Any, ...]:
        """Return what rows of one loop have in common, with all that is inside them."""
        event = self.told.event
        return (
            event.signal,
            event.sender,
            event.outcome,
            event.exception,
            event.count > 1,
            *(child.kind for child in self.children),
        )


def _badge(half: Node, name: str, url: str) -> str:
    signal = half.event.signal
    title = f' title="{escape(signal)}"' if half.name != signal else ""
    return (
        f'<a class="signals-badge {half.css_class}" href="{escape(url)}"{title}>{escape(name)}</a>'
    )


def _took(took: str) -> str:
    label = escape(gettext("took"))
    return f'<span class="signals-unseen">{label}</span> {escape(took)}'


@dataclass(slots=True)
class Run:
    """Rows that are put away: more turns of a loop."""

    turns: int
    rows: list[Row]
    names: list[str]

    @property
    def kind(self) -> tuple[Any, ...]:
        """Return what loops that are alike have in common."""
        return (self.turns, *self.names)

    @property
    def bars(self) -> list[Row]:
        """Return its rows for their bars, but one where many coincide."""
        return list({row.bar: row for row in self.rows}.values())

    @property
    def undone(self) -> Row | None:
        """Return a row of which the database kept nothing, if there is one."""
        return next((row for row in self.rows if row.is_undone), None)


def events_of(node: Node) -> list[SignalEvent]:
    """Return the one or two events of a node."""
    return [node.event, node.closing.event] if node.closing else [node.event]


def span_of(node: Node) -> Span:
    """Return when a node began, and for a pair how long it took."""
    opening = node.event
    if node.closing is not None:
        closing = node.closing.event
        took = closing.duration
        if took is None:
            took = max(closing.occurred_at - opening.occurred_at, timedelta())
        return Span(opening.occurred_at, took)
    if opening.duration is not None:  # its opening event is not here
        return Span(opening.occurred_at - opening.duration, opening.duration)
    return Span(opening.occurred_at)


def spans_of(nodes: Iterable[Node], without: frozenset[int]) -> Iterator[Span]:
    """Return the spans of nodes and of all that is inside them, except those of these keys."""
    for node in nodes:
        if without.isdisjoint(event.pk for event in events_of(node)):
            yield span_of(node)
        yield from spans_of(node.children, without)


@dataclass(frozen=True, slots=True)
class Drawing:
    """What rows are made with: the scale, and what returns the address of an event's page."""

    scale: Scale
    address: Callable[[int], str]

    def rows(self, nodes: Iterable[Node]) -> list[Row | Run]:
        """Return the rows of a forest."""
        rows = self._rows(nodes)
        _name_sites(rows)
        return rows

    def _rows(self, nodes: Iterable[Node]) -> list[Row | Run]:
        return runs_put_away([self._row(node) for node in nodes])

    def _row(self, node: Node) -> Row:
        span = span_of(node)
        halves = [node, node.closing] if node.closing else [node]
        return Row(
            node,
            halves[-1],
            self.scale.bar(span),
            since_zero((span.start - self.scale.zero) / _MILLISECOND),
            self._rows(node.children),
            [(half, _name(half), self.address(half.event.pk)) for half in halves],
        )


def _name(half: Node) -> str:
    """Return the name of an event, by which the two of a pair can be told apart."""
    action = str(half.event.arguments.get("action", ""))
    return f"{half.name} {action}" if half.event.signal == "m2m_changed" else half.name


def _name_sites(rows: Iterable[Row | Run], above: str = "") -> str:
    """Give the rows their lines of code, and return the last one."""
    for row in rows:
        if isinstance(row, Run):
            above = _name_sites(row.rows, above)
            continue
        site = row.told.event.call_site
        row.site = "" if site == above else site
        above = _name_sites(row.children, site or above)
    return above


def runs_put_away(rows: Sequence[Row]) -> list["Row | Run"]:
    """Return the rows, with a `Run` for all but the first turns of each long loop."""
    kinds = [row.kind for row in rows]
    shown: list[Row | Run] = []
    place = 0
    while place < len(rows):
        body, turns = _loop_at(kinds, place)
        if turns < FEWEST:
            shown.append(rows[place])
            place += 1
            continue
        start, end = place + IN_SIGHT * body, place + turns * body
        names = [f"{row.told.name} {row.told.sender}" for row in rows[place : place + body]]
        shown += [*rows[place:start], Run(turns - IN_SIGHT, list(rows[start:end]), names)]
        place = end
    return shown


def _loop_at(kinds: Sequence[Any], place: int) -> tuple[int, int]:
    """Return the loop that begins here: the length of its body and the number of its turns."""
    for body in range(1, LONGEST_BODY + 1):
        end = place + body
        while end < len(kinds) and kinds[end] == kinds[end - body]:
            end += 1
        turns = (end - place) // body
        if turns >= FEWEST:
            return body, turns
    return 1, 1
