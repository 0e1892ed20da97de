"""The table: medians over the rounds, compared with bare Django, and the aims."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.variants import BARE, VARIANTS

YARDSTICK = "yardstick"  # bare Django on SQLite: shows how fast this machine is
WAIT, CPU = 0, 1
ACTIONS = ("create", "update", "delete", "queryset delete", "row read", "request", "login")

# Microseconds beyond bare Django, where a bare create on SQLite takes REFERENCE of them.
REFERENCE = 75.0
AIMS = {
    WAIT: {"create": 40, "update": 30, "delete": 60, "row read": 5, "request": 70},
    CPU: {"create": 130, "update": 80, "delete": 120, "row read": 5, "request": 130},
}
KINDS = {WAIT: "caller waits, µs", CPU: "CPU until stored, µs"}
QUERIES = "queries on the project's connection"
AIMING = "background"
NO_OP = "no-op"

Turn = dict[str, tuple[float, float]]


@dataclass
class Result:
    """What was measured on one database."""

    engine: str
    rounds: list[dict[str, Turn]] = field(default_factory=list)
    queries: dict[str, dict[str, float]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    busy: float = 0.0
    """Processors that other work kept busy before the run."""

    @property
    def names(self) -> list[str]:
        return [name for name in VARIANTS if name in self.queries]

    def bare_create(self, kind: int) -> float:
        """Return microseconds of a bare create on SQLite: the speed of this machine."""
        name = YARDSTICK if YARDSTICK in self.queries else BARE
        return median(turns[name]["create"][kind] for turns in self.rounds)

    def cost(self, kind: int, name: str, action: str) -> float:
        """Return microseconds: in all for bare Django, in addition to it for the others."""
        bare = [turns[BARE][action][kind] for turns in self.rounds]
        own = [turns[name][action][kind] for turns in self.rounds]
        if name == BARE:
            return median(bare)
        return median(mine - other for mine, other in zip(own, bare, strict=True))

    def aim(self, kind: int, action: str) -> float | None:
        aim = AIMS[kind].get(action)
        return None if aim is None else aim * self.bare_create(kind) / REFERENCE

    def missed(self) -> list[tuple[str, str, str, str]]:
        """Return the aims that were not reached: the action, the figure, its value, the aim."""
        found = []
        for kind, aims in AIMS.items():
            for action in aims:
                cost, aim = self.cost(kind, AIMING, action), self.aim(kind, action) or 0
                if cost > aim:
                    found.append((action, KINDS[kind], f"{cost:+.1f}", f"≤ {aim:.1f}"))
        for action in ACTIONS:
            # Any receiver makes Django load the rows that a queryset deletes.
            least = max(self.queries.get(name, {}).get(action, 0) for name in (BARE, NO_OP))
            if (added := self.queries[AIMING][action] - least) > 0:
                found.append((action, QUERIES, f"{added:+.2f}", "0"))
        return found


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _microseconds(cost: float, name: str) -> str:
    digits = 0 if abs(cost) >= 100 else 1
    return f"{cost:,.{digits}f}" if name == BARE else f"{cost:+,.{digits}f}"


def _costs(result: Result, kind: int) -> Iterable[str]:
    for name in result.names:
        cells = (_microseconds(result.cost(kind, name, action), name) for action in ACTIONS)
        yield _row(VARIANTS[name].title, *cells)
        if name == AIMING:
            aims = (result.aim(kind, action) for action in ACTIONS)
            yield _row("*aim*", *("" if a is None else f"*≤ {a:.1f}*" for a in aims))


def _queries(result: Result) -> Iterable[str]:
    bare = result.queries[BARE]
    for name in result.names:
        counts = result.queries[name]
        cells = (
            f"{counts[action]:g}" if name == BARE else f"{counts[action] - bare[action]:+.3g}"
            for action in ACTIONS
        )
        yield _row(VARIANTS[name].title, *cells)


def _remarks(result: Result) -> Iterable[str]:
    for name, reason in result.left_out.items():
        yield f"Left out: {VARIANTS[name].title}, because {reason}."
    if AIMING in result.names:
        yield (
            f"A bare create on SQLite took {result.bare_create(WAIT):.0f} µs on this machine, and"
            f" {result.bare_create(CPU):.0f} µs of CPU. The aims are for {REFERENCE:.0f} µs, so"
            " they were scaled."
        )
        missed = [_row(*cells) for cells in result.missed()]
        heads = ["| aims not reached | figure | measured | aim |", "| --- | --- | ---: | ---: |"]
        yield "\n".join([*heads, *missed]) if missed else "All aims are reached."
    if result.busy > 1:
        yield (
            f"Other work kept {result.busy:.1f} processors of this machine busy, so the caller"
            " waited longer than usual."
        )


def table(result: Result) -> str:
    """Return the table in Markdown, under a line with the versions."""
    heads = (f"{action}, per row" if action == "queryset delete" else action for action in ACTIONS)
    blank = [""] * len(ACTIONS)
    lines = [
        ", ".join(f"{name} {version}" for name, version in result.versions.items()) + ":",
        "",
        _row("", *heads),
        "| --- |" + " ---: |" * len(ACTIONS),
    ]
    for kind, title in KINDS.items():
        lines += [_row(f"**{title}**", *blank), *_costs(result, kind)]
    lines += [_row(f"**{QUERIES}**", *blank), *_queries(result)]
    return "\n".join([*lines, *(f"\n{remark}" for remark in _remarks(result))])


def write(path: Path, name: str, text: str) -> None:
    """Put a text between the two comments in a document that mark its place."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = path.read_text().partition(begin)
    _, found_too, after = rest.partition(end)
    if not (found and found_too):
        raise SystemExit(f"{path} has no {begin} … {end}")
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")
