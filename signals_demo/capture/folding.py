"""Folding: one row for similar firings that say little of their own.

Reading rows fires `pre_init` and `post_init` for each. A page under the debug toolbar sends
`template_rendered` hundreds of times, and a migration `class_prepared`. In a unit of work, the
firings of one signal, sender and line share a row, whatever fires in between; the first
`FOLD_AFTER` have rows of their own. A `FoldedEvent` counts them until the worker takes it, then
the next firing begins another one. So nothing is left to do at the end of a unit, and a long one
is stored bit by bit.
"""

from signals_demo.capture.call_sites import call_site
from signals_demo.capture.firing import Firing
from signals_demo.capture.pairs import current_scope
from signals_demo.capture.recorder import event_of
from signals_demo.delivery.writer import writer
from signals_demo.events import FoldedEvent
from signals_demo.serialize.arguments import Description
from signals_demo.serialize.folded import MOST_KEYS
from signals_demo.serialize.names import sender_label
from signals_demo.serialize.source import Site
from signals_demo.tracing.test_runs import observers
from signals_demo.tracing.trace import Trace

MOST_FOLDS = 1000
"""In one unit of work. Templates may be named by what the project makes up."""


class Fold:
    """The firings of one signal, sender and line in a unit of work."""

    __slots__ = ("alone", "event")

    def __init__(self) -> None:
        self.alone = 0
        """How many have had rows of their own."""
        self.event: FoldedEvent | None = None
        """What counts the others, until the worker takes it."""

    @property
    def wants_keys(self) -> bool:
        """Return whether the key of one more instance is to be noted."""
        return self.event is not None and len(self.event.keys) < MOST_KEYS


def fold_of(trace: Trace, signal: str, sender: str, site: Site | None, what: str = "") -> Fold:
    """Return the fold that a firing belongs to; `what` tells those of one sender apart."""
    # By identity: a code object hashes all that it holds.
    key = (signal, sender, what, id(site[0]), site[1]) if site else (signal, sender, what)
    fold: Fold | None = trace.folds.get(key)
    if fold is None:
        if len(trace.folds) >= MOST_FOLDS:
            trace.folds.clear()
        fold = trace.folds[key] = Fold()
    return fold


def is_folded(fold: Fold, trace: Trace, key: str | int | None = None) -> bool:
    """Count a firing; return False if it needs an event."""
    folded = fold.event
    if folded is None or observers:  # these want an event of each firing
        return False
    if trace.who.is_followed and trace.who.has_other_user():
        return False  # a row has one actor
    return folded.add(key)


def record_similar(
    fold: Fold,
    name: str,
    trace: Trace,
    about: Description,
    depth: int,
    site: Site | None,
    limit: int | None,
    *,
    key: str | int | None = None,
    duration: int | None = None,
) -> None:
    """Hand over the event of a firing that was not folded: its own, or one for those to come."""
    if trace.is_ignored:  # as in `record()`
        return
    event = event_of(name, trace, about, depth, site, duration, None, "{}")
    if observers or limit is None or fold.alone < limit:
        fold.alone += 1
        writer.put(event)
        return
    folded = FoldedEvent(event, key)
    writer.put_folded(folded)
    fold.event = folded  # only now: the journal counts from its first line on


def on_similar(firing: Firing) -> None:
    """Record a firing that is no part of a pair, or count it with those before it."""
    scope = current_scope()
    trace, limit = scope.trace, firing.config.fold_after
    site = call_site(firing.frame) if firing.config.call_sites else None
    fold = fold_of(trace, firing.name, sender_label(firing.sender), site, _what(firing))
    if not is_folded(fold, trace):
        about = firing.description()
        record_similar(fold, firing.name, trace, about, scope.depth, site, limit)


def _what(firing: Firing) -> str:
    """Return the name of a template, or the alias of a connection: their senders are the same."""
    template, connection = firing.named.get("template"), firing.named.get("connection")
    what = getattr(template, "__dict__", {}).get("name")
    what = what or getattr(connection, "__dict__", {}).get("alias")
    return what if type(what) is str else ""
