"""Makes an event of a firing, with its trace, its position and its depth, and hands it over."""

from collections.abc import Callable
from typing import Any

from signals_demo.clock import clock
from signals_demo.delivery.writer import writer
from signals_demo.events import Event
from signals_demo.serialize.arguments import Description
from signals_demo.serialize.source import Site
from signals_demo.serialize.text import Text
from signals_demo.tracing.outcomes import TransactionOutcome
from signals_demo.tracing.trace import Trace

# `Event(…)` is a function in Python that calls this one: without it a create costs 1 % less.
_new_event: Callable[[type[Event], tuple[Any, ...]], Event] = tuple.__new__


def event_of(
    name: str,
    trace: Trace,
    about: Description,
    depth: int,
    site: Site | None,
    duration: int | None,
    outcome: TransactionOutcome | None,
    changes: Text,
) -> Event:
    """Return the event of a firing, with the next numbers of the recorder and of its trace."""
    number = next(writer.numbers)
    if trace.who.is_followed and trace.who.follow(number):
        trace.end_folds()  # a row has one actor
    return _new_event(Event, (
        number, clock.time_ns(), name, *about, trace, next(trace.positions), depth, duration,
        outcome, site, changes, 1,
    ))  # fmt: skip


def record(
    name: str,
    trace: Trace,
    about: Description,
    depth: int,
    site: Site | None = None,
    duration: int | None = None,
    outcome: TransactionOutcome | None = None,
    changes: Text = "{}",
) -> None:
    """Hand over the event of one firing."""
    if trace.is_ignored:  # only now has this context found its request
        return
    writer.put(event_of(name, trace, about, depth, site, duration, outcome, changes))
