"""Follow the log: each new event once, none left out.

A row gets its key before its transaction commits. A slow transaction so adds rows with lower keys
than rows that are there already. A cursor therefore remembers which keys were missing, and a poll
asks for these as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from django.db.models import Q

from signals_demo.models import SignalEvent
from signals_demo.query.keyset import NotACursor, decode, encode

BATCH = 900
"""The most rows that one poll returns. Old versions of SQLite take 999 values in a query."""
MAX_LAG = 5000
"""How far behind the newest key a missing one is waited for."""
_MOST_GAPS = 50

Gap = tuple[int, int]
"""The first and the last of some successive keys that no row has yet."""


@dataclass(frozen=True, slots=True)
class TailCursor:
    """The events that have been seen: all up to the key `last`, except those in `gaps`."""

    last: int = 0
    gaps: tuple[Gap, ...] = ()

    def __str__(self) -> str:
        return encode([self.last, *chain.from_iterable(self.gaps)])

    @classmethod
    def read(cls, text: str) -> "TailCursor":
        """Return the cursor that `str()` wrote. Raises `NotACursor`."""
        last, *ends = decode(text)
        if len(ends) % 2 or len(ends) > 2 * _MOST_GAPS:
            raise NotACursor(f"Not a cursor: {text!r}")
        return cls(last, tuple(zip(ends[::2], ends[1::2], strict=True)))

    def move(self, found: Sequence[int]) -> "TailCursor":
        """Return the cursor after these keys, in ascending order, have been seen too."""
        last = max([self.last, *found])
        gaps = [
            gap
            for start, end in (*self.gaps, (self.last + 1, last))
            for gap in _missing(start, end, [key for key in found if start <= key <= end])
        ]
        near = [gap for gap in gaps if gap[1] > last - MAX_LAG]
        return TailCursor(last, tuple(near[-_MOST_GAPS:]))


def _missing(start: int, end: int, present: Sequence[int]) -> Iterator[Gap]:
    for key in (*present, end + 1):
        if start < key:
            yield start, key - 1
        start = key + 1


def end_of_log() -> TailCursor:
    """Return the cursor after all events that are stored now."""
    newest = SignalEvent.objects.order_by("-pk").values_list("pk", flat=True)[:MAX_LAG]
    keys = sorted(newest)
    return TailCursor(keys[0] - 1).move(keys) if keys else TailCursor()


def poll(cursor: TailCursor) -> tuple[TailCursor, list[int]]:
    """Return a cursor and the keys that are new since.

    It is another cursor if the keys started again, as after `manage.py flush` or a restore.
    """
    keys = new_keys(cursor)
    if keys or not _is_ahead(cursor):
        return cursor, keys
    return TailCursor(), new_keys(TailCursor())


def _is_ahead(cursor: TailCursor) -> bool:
    last = SignalEvent.objects.order_by("-pk").values_list("pk", flat=True)[:1]
    return any(key < cursor.last for key in last)


def new_keys(cursor: TailCursor) -> list[int]:
    """Return the keys that are new since, at most `BATCH`, in ascending order."""
    unseen = Q(pk__gt=cursor.last)
    for gap in cursor.gaps:
        unseen |= Q(pk__range=gap)
    first = min([cursor.last + 1, *(first for first, _last in cursor.gaps)])
    events = SignalEvent.objects.filter(unseen, pk__gte=first).order_by("pk")
    return list(events.values_list("pk", flat=True)[:BATCH])
