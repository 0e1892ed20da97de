"""What is new in the log since somebody last looked: nothing twice, and nothing passed over.

Rows are numbered before they can be seen, so a process that is slower to commit adds rows with
lower numbers than others have had meanwhile. Whoever follows therefore remembers which numbers
before the last one were not there, and asks for them as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from django.db.models import Q

from signals_demo.models import SignalEvent
from signals_demo.query.keyset import NotACursor, decode, encode

STEP = 900
"""Rows that are told of at a time: an SQLite that is old takes 999 values in a query."""
REACH = 5000
"""How many rows back one may still turn up."""
_MOST_GAPS = 50

Gap = tuple[int, int]
"""The first and the last of numbers in a row that no row has (yet)."""


@dataclass(frozen=True, slots=True)
class TailCursor:
    """How far in the log somebody has come: the highest number seen, and the gaps before it."""

    last: int = 0
    gaps: tuple[Gap, ...] = ()

    def __str__(self) -> str:
        return encode([self.last, *chain.from_iterable(self.gaps)])

    @classmethod
    def read(cls, text: str) -> "TailCursor":
        """Return the place that `str()` wrote. Raises `NotACursor`."""
        last, *ends = decode(text)
        if len(ends) % 2 or len(ends) > 2 * _MOST_GAPS:
            raise NotACursor(f"Not a cursor: {text!r}")
        return cls(last, tuple(zip(ends[::2], ends[1::2], strict=True)))

    def move(self, found: Sequence[int]) -> "TailCursor":
        """Return the place of one who has seen these numbers too, which ascend."""
        last = max([self.last, *found])
        gaps = [
            gap
            for start, end in (*self.gaps, (self.last + 1, last))
            for gap in _missing(start, end, [number for number in found if start <= number <= end])
        ]
        near = [gap for gap in gaps if gap[1] > last - REACH]
        return TailCursor(last, tuple(near[-_MOST_GAPS:]))


def _missing(start: int, end: int, present: Sequence[int]) -> Iterator[Gap]:
    for number in (*present, end + 1):
        if start < number:
            yield start, number - 1
        start = number + 1


def end_of_log() -> TailCursor:
    """Return the place of one who has seen all that is stored by now."""
    newest = SignalEvent.objects.order_by("-pk").values_list("pk", flat=True)[:REACH]
    numbers = sorted(newest)
    return TailCursor(numbers[0] - 1).move(numbers) if numbers else TailCursor()


def look(place: TailCursor) -> tuple[TailCursor, list[int]]:
    """Return a place and what is new since; another place, if the numbers began anew meanwhile.

    As they do after `manage.py flush`, or when a database is put back.
    """
    numbers = news(place)
    if numbers or not _is_ahead(place):
        return place, numbers
    return TailCursor(), news(TailCursor())


def _is_ahead(place: TailCursor) -> bool:
    last = SignalEvent.objects.order_by("-pk").values_list("pk", flat=True)[:1]
    return any(number < place.last for number in last)


def news(place: TailCursor) -> list[int]:
    """Return the numbers of what has been stored since, at most `STEP`, in ascending order."""
    unseen = Q(pk__gt=place.last)
    for gap in place.gaps:
        unseen |= Q(pk__range=gap)
    first = min([place.last + 1, *(first for first, _last in place.gaps)])
    events = SignalEvent.objects.filter(unseen, pk__gte=first).order_by("pk")
    return list(events.values_list("pk", flat=True)[:STEP])
