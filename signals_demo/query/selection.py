"""Which events are chosen, from an address or from options: values for the table of filters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.http import QueryDict
from django.utils.translation import gettext

from signals_demo.models import SignalEvent, SignalEventQuerySet
from signals_demo.query.filters import FILTERS, EventFilter
from signals_demo.query.parsing import NotUnderstood, Period, quoted
from signals_demo.query.predicates import Predicate, any_of
from signals_demo.query.scan import Scan
from signals_demo.query.search import Search
from signals_demo.serialize.text import clean

LAYOUT = frozenset(
    ("p", "after", "before", "o", "e", "all", "format", "_popup", "_to_field", "_facets")
)
"""Names in an address that choose no events, but how they are shown."""

MOST = 100
"""How many values a filter may have: databases have a limit for the length of a condition."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The events that match all of these filters; of several values of one, any will do."""

    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def events(self) -> SignalEventQuerySet:
        """Return the events, in no order."""
        found: SignalEventQuerySet = SignalEvent.objects.filter(self.condition())
        return found

    def condition(self) -> Q:
        """Return the condition for the events."""
        found = self.period.condition()
        for _filter, predicate in self._predicates():
            found &= any_of(predicate)
        return found

    def scan(self) -> Scan:
        """Return how to look for a page of the events."""
        served: list[Predicate] = []
        others: list[Predicate] = []
        for each, predicate in self._predicates():
            has_index = all(map(each.has_index, self.values[each.name]))
            (served if has_index else others).append(predicate)
        # The index of traces alone has the order in which a trace is read.
        served.sort(key=lambda predicate: "trace_id" not in predicate[0])
        return Scan(served, others, *self.period)

    def until(self, moment: datetime) -> "Selection":
        """Return the same events, but none that fired later."""
        ends = [*self.values.get("until", ()), Period(until=moment)]
        return replace(self, values={**self.values, "until": ends})

    @property
    def period(self) -> Period:
        """Return the time that they are from."""
        found = Period()
        for each in FILTERS.values():
            if each.predicate is None:
                for value in self.values.get(each.name, ()):
                    found &= value
        return found

    @property
    def view(self) -> str:
        """Return the quick view, empty for that of everything."""
        return next(iter(self.values.get("view", ())), "")

    @property
    def search(self) -> Search | None:
        """Return what is searched for."""
        return next((each for each in self.values.get("q", ()) if each.meaning), None)

    @property
    def trace_id(self) -> str:
        """Return the trace id, if they are of one trace: then they have the order of firing."""
        found = {*self.values.get("trace", ()), self.search.trace_id if self.search else ""} - {""}
        return next(iter(found)) if len(found) == 1 else ""

    def _predicates(self) -> list[tuple[EventFilter, Predicate]]:
        found: list[tuple[EventFilter, Predicate]] = []
        for each in FILTERS.values():
            if each.predicate is None:
                continue
            values = self.values.get(each.name, ())
            predicate = [one for value in values for one in each.predicate(value)]
            if predicate and {} not in predicate:
                found.append((each, predicate))
        return found


def _by_name(each: EventFilter) -> str:
    return each.name


def from_texts(
    given: Mapping[str, Sequence[str]], called: Callable[[EventFilter], str] = _by_name
) -> Selection:
    """Return what the texts given for each filter select. Runs one query, for a search, at most.

    Raises `NotUnderstood` with the name that the filter is `called` by where it was given.
    """
    values = {}
    for name, texts in given.items():
        each = FILTERS[name]
        try:
            values[name] = _read_all(each, texts)
        except NotUnderstood as error:
            raise NotUnderstood(error.message, called(each)) from error
    return Selection(values)


def _read_all(each: EventFilter, texts: Sequence[str]) -> list[Any]:
    if each.is_single:
        texts = texts[-1:]
    if len(texts) > MOST:
        raise NotUnderstood(gettext("Use at most {number} values.").format(number=MOST))
    return [_read(each, text) for text in texts]


def _read(each: EventFilter, text: str) -> Any:
    if clean(text) != text:  # databases refuse to compare with it
        raise NotUnderstood(
            gettext("“{text}” contains a character that no event can contain.").format(
                text=quoted(text)
            )
        )
    return each.read(text)


def from_address(query: QueryDict) -> Selection:
    """Return what the address of the list of events selects. Raises `NotUnderstood`."""
    given: dict[str, list[str]] = {}
    for name, texts in query.lists():
        if name in LAYOUT:
            continue
        if name not in FILTERS:
            raise NotUnderstood(gettext("There is no filter “{name}”.").format(name=quoted(name)))
        given[name] = [str(text) for text in texts]
    return from_texts(given)
