"""The measured times as tables, with marks for pages that are too slow."""

from dataclasses import dataclass, field
from statistics import median

SMALL = 10_000
SLOWEST = 300  # milliseconds
STEEPEST = 2
TOO_QUICK = 20  # milliseconds below which a ratio says nothing
MORE = 1.25  # times as long an answer: it shows more rows, so the times do not compare
SHOWN = 10  # of the pages, the worst

Try = dict[str, tuple[float, float, int]]
"""For each page the milliseconds, those of this process's own work, and the answer's size."""


@dataclass
class Comparison:
    """What the pages of a small and a full log took, in turns."""

    engine: str
    events: int
    versions: dict[str, str]
    tries: list[tuple[Try, Try]] = field(default_factory=list)
    queries: tuple[dict[str, int], dict[str, int]] = field(default_factory=lambda: ({}, {}))
    load: float = 0.0

    @property
    def lines(self) -> list["Line"]:
        small, full = self.queries
        return [
            Line(
                title,
                *(median(each[size][title][0] for each in self.tries) for size in (0, 1)),
                median(each[1][title][1] for each in self.tries),
                self.tries[-1][1][title][2] > MORE * self.tries[-1][0][title][2],
                small[title],
                full[title],
            )
            for title in full
        ]


@dataclass(frozen=True)
class Line:
    """A page: the milliseconds with few events and with many, and the queries."""

    title: str
    small: float
    full: float
    computed: float
    shows_more: bool
    few: int
    many: int

    @property
    def marks(self) -> list[str]:
        found = []
        if self.full > SLOWEST:
            found.append("slow")
        is_quick = self.small < TOO_QUICK and self.full < TOO_QUICK
        if self.full > STEEPEST * self.small and not is_quick and not self.shows_more:
            found.append("steep")
        if self.many != self.few:
            found.append(f"queries: {self.few}")
        return found

    @property
    def badness(self) -> tuple[bool, float]:
        """Return what sorts the pages: those that miss the aim, then the slow ones, come last."""
        return bool(self.marks), self.full


def table(found: Comparison) -> str:
    """Return the worst pages as a table in Markdown, and how many reach the aim."""
    measured = found.lines
    reached = sum(not line.marks for line in measured)
    lines = [
        ", ".join(f"{name} {version}" for name, version in found.versions.items()) + ":",
        "",
        f"| page | {SMALL:,} events, ms | {found.events:,} events, ms | Django alone, ms | ratio"
        " | queries | |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for line in sorted(measured, key=lambda line: line.badness, reverse=True)[:SHOWN]:
        ratio = f"{line.full / line.small:.1f}{' *' if line.shows_more else ''}"
        marks = ", ".join(f"**{mark}**" for mark in line.marks)
        cells = f"{line.small:.0f} | {line.full:.0f} | {line.computed:.0f} | {ratio} | {line.many}"
        lines.append(f"| {line.title} | {cells} | {marks} |")
    return "\n".join(
        [
            *lines,
            "",
            f"{len(measured)} pages were measured, and {reached} reached the aim."
            f" The table shows the {min(SHOWN, len(measured))} worst."
            f" Times are medians of {len(found.tries)} tries. Load average: {found.load:.1f}.",
        ]
    )


def plans(found: dict[str, list[list[str]]]) -> str:
    """Return, for each page, how each of its queries was answered."""
    lines = ["| page | how its queries to the log are answered |", "| --- | --- |"]
    for title, queries in found.items():
        lines += [f"| {title} | {'; '.join(steps)} |" for steps in queries]
    return "\n".join(lines)
