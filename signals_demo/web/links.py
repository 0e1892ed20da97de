"""Addresses in an admin of what an event names, and who may follow them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.sites import all_sites
from django.contrib.admin.utils import quote
from django.urls import NoReverseMatch, reverse

from signals_demo.models import SignalEvent, SignalTrace
from signals_demo.query.keyset import AS_FIRED, Cursor
from signals_demo.query.parsing import Period, trace_id_in
from signals_demo.query.trace_parts import PART, START
from signals_demo.serialize.model_info import model_named
from signals_demo.serialize.redaction import MASK
from signals_demo.web.names import object_of


def may_read(user: Any) -> bool:
    """Return whether a user may read the log."""
    return bool(user is not None and user.has_perm("signals_demo.view_signalevent"))


FROM_VAR, UNIT_VAR = "from", "unit"


def anchor(pk: int) -> str:
    """Return what leads to an event in the address of its trace."""
    return f"event-{pk}"


def part_query(start: Cursor, **params: str) -> str:
    """Return the query in the address of a trace for the part that begins at `start`."""
    if start != START:
        params = {FROM_VAR: str(start)} | params
    return f"?{urlencode(params)}" if params else ""


class Links:
    """Addresses in an admin for what an event names; empty where it has no such page."""

    def __init__(self, site: str = "admin") -> None:
        self.site = site

    def event(self, event: SignalEvent) -> str:
        """Return the address of the event's own page."""
        return self.page("change", event.pk)

    def trace(self, event: SignalEvent | SignalTrace) -> str:
        """Return the address of all that its request, command or task fired."""
        if not trace_id_in(event.trace_id):
            return ""
        return self.page("trace", event.trace_id) or self._search(event.trace_id)

    def unit(self, unit: SignalTrace) -> str:
        """Return the address of one of the units of work that share a trace."""
        url = self.trace(unit)
        return f"{url}?{urlencode({UNIT_VAR: unit.span_id})}" if url and unit.span_id else url

    def trace_at(self, event: SignalEvent) -> str:
        """Return the address of the event in its trace."""
        url = self.trace(event)
        if not url:
            return ""
        # Positions have no gaps, so this part has the event in its middle.
        start = AS_FIRED.cursor(event.position - PART // 2) if event.position > PART else START
        return f"{url}{part_query(start)}#{anchor(event.pk)}"

    def person(self, event: SignalEvent | SignalTrace) -> str:
        """Return the address of all that its actor did."""
        return self.page("person", quote(event.actor_pk)) if event.actor_pk else ""

    def object(self, event: SignalEvent) -> str:
        """Return the address of all events about its object."""
        return self.about(*object_of(event))

    def about(self, model: str, key: str) -> str:
        """Return the address of all events about the object of this model's label and key."""
        if key in ("", MASK) or not model_named(model):
            return ""
        return self._search(f"{model} {key}")

    def page(self, name: str, *args: Any) -> str:
        """Return the address of a page of the log."""
        try:
            return reverse(f"{self.site}:signals_demo_signalevent_{name}", args=args)
        except NoReverseMatch:
            return ""

    def _search(self, text: str) -> str:
        page = self.page("changelist")
        return f"{page}?{urlencode({'q': text})}" if page else ""


def links_from_outside() -> Links:
    """Return the addresses for a page that is in no admin: in a site that has the log."""
    names = {site.name for site in all_sites if site.is_registered(SignalEvent)}
    found = (Links(name) for name in sorted(names, key=lambda name: (name != "admin", name)))
    return next((links for links in found if links.page("changelist")), Links())


@dataclass(frozen=True, slots=True)
class PeriodLinks:
    """Addresses of the lists, for what happened in a period."""

    links: Links
    period: Period

    def within(self, period: Period) -> "PeriodLinks":
        """Return the addresses for another period."""
        return PeriodLinks(self.links, period)

    def events(self, **filters: str) -> str:
        """Return the address of the events that match filters; an empty one is left out."""
        return self._list("changelist", filters)

    def requests(self, **filters: str) -> str:
        """Return the address of the requests that match filters; an empty one is left out."""
        return self._list("requests", filters)

    def _list(self, page: str, filters: Mapping[str, str]) -> str:
        query = {name: value for name, value in filters.items() if value}
        return f"{self.links.page(page)}?{urlencode(query | {'time': str(self.period)})}"
