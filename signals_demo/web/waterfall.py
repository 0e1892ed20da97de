"""The geometry of a waterfall: where on a time scale a bar begins and how long it is.

All places are percentages of the width, as text that goes into SVG as it is.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.formats import number_format
from django.utils.translation import gettext

# Below this a bar could not be seen.
THINNEST = 0.5
MOST_TICKS = 6
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """When something began and how long it took; a span without a length is a moment."""

    start: datetime
    length: timedelta | None = None

    @property
    def end(self) -> datetime:
        """Return when it was over."""
        return self.start + (self.length or timedelta())


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle on the scale, without a width for a moment.

    `cut_before` and `cut_after` say that it goes on beyond the scale.
    """

    x: str
    width: str = ""
    cut_before: bool = False
    cut_after: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of the scale, with the time since the beginning in words."""

    x: str
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """The piece of time that the whole width stands for; times are counted from `zero` on."""

    start: datetime
    end: datetime
    zero: datetime

    @classmethod
    def over(cls, spans: Iterable[Span], zero: datetime | None = None) -> "Scale":
        """Return the scale on which all of `spans` fit; there must be one at least."""
        spans = list(spans)
        start = min(span.start for span in spans)
        return cls(start, max(span.end for span in spans), start if zero is None else zero)

    @property
    def length(self) -> timedelta:
        """Return the time that the whole width stands for."""
        return self.end - self.start

    def bar(self, span: Span) -> Bar:
        """Return where `span` is; what lies outside the scale is cut off."""
        left, right = self._percent(span.start), self._percent(span.end)
        if span.length is None:
            return Bar(percent(min(max(left, 0.0), 100.0)))
        x = min(max(left, 0.0), 100 - THINNEST)
        width = max(min(right, 100.0) - x, THINNEST)
        return Bar(percent(x), percent(width), left < 0, right > 100)

    def ticks(self) -> list[Tick]:
        """Return marks at round times, `MOST_TICKS` at most, the first at the beginning."""
        first = (self.start - self.zero) / _MILLISECOND
        last = (self.end - self.zero) / _MILLISECOND
        if last <= first:
            return [Tick(percent(0), since_zero(first, 1))]
        step = round_step((last - first) / MOST_TICKS)
        numbers = range(math.ceil(first / step), math.floor(last / step) + 1)
        places = [(number * step - first) / (last - first) * 100 for number in numbers]
        return [
            # A label that begins further right would not fit.
            Tick(percent(place), since_zero(number * step, step) if place < 92 else "")
            for number, place in zip(numbers, places, strict=True)
        ]

    def _percent(self, moment: datetime) -> float:
        length = self.length
        return (moment - self.start) / length * 100 if length else 0.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """A slice of a strip: where it is, how high its column is, and the indexes that it holds."""

    x: str
    width: str
    height: str
    indexes: tuple[int, ...]


def buckets(scale: Scale, moments: Sequence[datetime], number: int = 100) -> list[Bucket]:
    """Return how the moments are spread over the scale: a column for each slice that has some.

    The height is that of the root of their number, so that a lonely moment can be seen as well.
    """
    slices: dict[int, list[int]] = {}
    start, length = scale.start, scale.length or _MILLISECOND
    for index, moment in enumerate(moments):
        place = int((moment - start) / length * number)
        slices.setdefault(min(max(place, 0), number - 1), []).append(index)
    highest = max(map(len, slices.values()), default=1)
    return [
        Bucket(
            percent(place * 100 / number),
            percent(100 / number),
            percent(max(math.sqrt(len(indexes) / highest) * 100, 12)),
            tuple(indexes),
        )
        for place, indexes in sorted(slices.items())
    ]


def since_zero(milliseconds: float, step: float = 0.01) -> str:
    """Return a point in time in words, with the digits that tell it from one `step` away (ms)."""
    if milliseconds >= 1000:
        return gettext("{seconds} s").format(seconds=_rounded(milliseconds / 1000, step / 1000))
    return gettext("{milliseconds} ms").format(milliseconds=_rounded(milliseconds, step))


def _rounded(number: float, step: float) -> str:
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    # number_format() alone would cut the other digits off.
    return number_format(round(number, decimals), decimals)


def round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5, 10, 20, 50, … (or 0.5, 0.2, …) that is at least `least`."""
    magnitude = 10.0 ** math.floor(math.log10(least))
    # What 10 ** n loses in the last digit must not make the step ten times as long.
    return next(n * magnitude for n in (1, 2, 5, 10) if n * magnitude >= least * (1 - 1e-9))


def percent(value: float) -> str:
    """Return a percentage for SVG, whatever the language writes as a decimal point."""
    return f"{value:.2f}".rstrip("0").rstrip(".") + "%"
