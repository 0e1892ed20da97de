"""Where the page of a trace leads: to its parts, its exceptions, and all of it as a strip."""

from bisect import bisect_left
from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.translation import gettext

from signals_demo.query.keyset import AS_FIRED, Cursor
from signals_demo.query.trace_parts import START, Glance, Part
from signals_demo.web.links import UNIT_VAR, anchor, part_query
from signals_demo.web.trace_summary import TraceSummary
from signals_demo.web.waterfall import Bar, Bucket, Scale, Span, buckets

INITS_VAR, HIDDEN = "inits", "hidden"


@dataclass(frozen=True, slots=True)
class TraceLinks:
    """Where the page leads: the same trace, from elsewhere or with other rows."""

    url: str
    part: Part
    summary: TraceSummary
    with_inits: bool
    span_id: str = ""

    @property
    def first(self) -> str:
        """Return the address of the first part; nothing on that."""
        return self._at(START) if self.part.previous else ""

    @property
    def previous(self) -> str:
        """Return the address of the part before this one; nothing on the first."""
        return self._at(self.part.previous) if self.part.previous else ""

    @property
    def next(self) -> str:
        """Return the address of the part after this one; nothing on the last."""
        return self._at(self.part.next) if self.part.next else ""

    @property
    def toggle(self) -> str:
        """Return the address of this part with init signals hidden or shown."""
        return self._at(self.part.start, with_inits=not self.with_inits)

    @property
    def exceptions(self) -> list[tuple[str, Glance]]:
        """Return the exceptions, and where in the trace they are."""
        return [(self._near(glance), glance) for glance in self.summary.exceptions]

    @property
    def strip(self) -> list[tuple[str, Bucket, bool]]:
        """Return the columns of the whole trace: where they lead, and if something failed."""
        glances = self.summary.glances
        scale = Scale.over([self.summary.span])
        return [
            (
                self._at(AS_FIRED.of(glances[bucket.indexes[0]])),
                bucket,
                any(glances[index].is_bad for index in bucket.indexes),
            )
            for bucket in buckets(scale, [glance.occurred_at for glance in glances])
        ]

    @property
    def extent(self) -> str:
        """Return which events of the trace this part is about, in words.

        Nothing where the part is not among those that were looked over.
        """
        places = [AS_FIRED.of(glance) for glance in self.summary.glances]
        events = self.part.events
        if not events or AS_FIRED.of(events[-1]) > places[-1]:
            return ""
        first, last, count = (
            number_format(number, force_grouping=True)
            for number in (
                bisect_left(places, AS_FIRED.of(events[0])) + 1,
                bisect_left(places, AS_FIRED.of(events[-1])) + 1,
                len(places),
            )
        )
        return gettext("Events {first} to {last} of {all}").format(
            first=first, last=last, all=f"{count}{'+' if self.summary.is_partial else ''}"
        )

    @property
    def here(self) -> Bar:
        """Return where this part is in the strip."""
        events = self.part.events
        moments = [event.occurred_at for event in events] or [self.summary.began]
        span = Span(min(moments), max(moments) - min(moments))
        return Scale.over([self.summary.span]).bar(span)

    def _near(self, glance: Glance) -> str:
        place, end = AS_FIRED.of(glance), self.part.next
        is_here = self.part.start <= place and (end is None or place < end)
        return f"{'' if is_here else self._at(place)}#{anchor(glance.pk)}"

    def _at(self, place: Cursor, *, with_inits: bool | None = None) -> str:
        shown = self.with_inits if with_inits is None else with_inits
        params = {UNIT_VAR: self.span_id} if self.span_id else {}
        return self.url + part_query(place, **params, **({} if shown else {INITS_VAR: HIDDEN}))
