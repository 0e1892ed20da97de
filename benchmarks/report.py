"""The tables: medians over the rounds, compared with bare Django, and with the aims."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.variants import BARE, VARIANTS

YARDSTICK = "yardstick"  # bare Django on SQLite: shows how fast this machine is
WAIT, CPU = 0, 1
ACTIONS = ("create", "update", "delete", "queryset delete", "row read", "request", "login")

KINDS_OF_CHANGE = ("create", "update", "delete", "queryset delete")
PEERS = ("auditlog", "easy-audit", "simple-history", "orbit")  # each records all of these
# The aims. What recording adds may be, at most:
SHARE = {WAIT: 5, CPU: 3}  # one in so many parts of what the cheapest peer adds, for a change
READ = 1.7  # times what a receiver that does nothing adds, for a row read
REQUEST = {WAIT: 50, CPU: 90}  # microseconds for a request, where a bare create on SQLite
REFERENCE = 85.0  # takes so many
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

    def aim(self, kind: int, action: str) -> tuple[float, str] | None:
        """Return the most microseconds that recording may add, and why so many."""
        if action in KINDS_OF_CHANGE:
            costs = {name: self.cost(kind, name, action) for name in PEERS if name in self.names}
            if not costs:
                return None
            cheapest = min(costs, key=costs.__getitem__)
            return costs[cheapest] / SHARE[kind], f"1/{SHARE[kind]} of {VARIANTS[cheapest].title}"
        if action == "row read" and NO_OP in self.names:
            return READ * self.cost(kind, NO_OP, action), f"{READ} times {VARIANTS[NO_OP].title}"
        if action == "request":
            scale = self.bare_create(kind) / REFERENCE
            return REQUEST[kind] * scale, f"{REQUEST[kind]} where a create takes {REFERENCE:.0f}"
        return None

    def added_queries(self) -> float:
        """Return by how many queries an action runs more than without the app, at most."""
        # Any receiver makes Django load the rows that a queryset deletes.
        return max(
            self.queries[AIMING][action]
            - max(self.queries.get(name, {}).get(action, 0) for name in (BARE, NO_OP))
            for action in ACTIONS
        )


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
            yield _row("*aim*", *(f"*≤ {aim[0]:.1f}*" if aim else "" for aim in aims))


def _queries(result: Result) -> Iterable[str]:
    bare = result.queries[BARE]
    for name in result.names:
        counts = result.queries[name]
        cells = (
            f"{counts[action]:g}" if name == BARE else f"{counts[action] - bare[action]:+.3g}"
            for action in ACTIONS
        )
        yield _row(VARIANTS[name].title, *cells)


def _aims(result: Result) -> Iterable[str]:
    yield _row("what signals_demo adds", "measured", "aim", "")
    yield "| --- | ---: | ---: | --- |"
    for kind, title in KINDS.items():
        for action in ACTIONS:
            if aim := result.aim(kind, action):
                most, why = aim
                cost = result.cost(kind, AIMING, action)
                cells = f"{cost:+,.1f}", f"≤ {most:,.1f} ({why})", reached(cost <= most)
                yield _row(f"{action}: {title}", *cells)
    added = result.added_queries()
    yield _row(f"any: {QUERIES}", f"{added:+g}", "0", reached(added <= 0))


def reached(is_reached: bool) -> str:
    return "reached" if is_reached else "**not reached**"


def _remarks(result: Result) -> Iterable[str]:
    for name, reason in result.left_out.items():
        yield f"Left out: {VARIANTS[name].title}, because {reason}."
    if AIMING in result.names:
        yield "\n".join(_aims(result))
        yield (
            f"A bare create on SQLite took {result.bare_create(WAIT):.0f} µs on this machine, and"
            f" {result.bare_create(CPU):.0f} µs of CPU."
        )
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
    before, _, after = _parts(path, name)
    begin, end = _markers(name)
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def read(path: Path, name: str) -> str:
    """Return the text that `write` has put there."""
    return _parts(path, name)[1].strip()


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def _parts(path: Path, name: str) -> tuple[str, str, str]:
    """Return what is before, between and after the markers."""
    begin, end = _markers(name)
    before, found, rest = path.read_text().partition(begin)
    text, found_too, after = rest.partition(end)
    if not (found and found_too):
        raise SystemExit(f"{path} has no {begin} … {end}")
    return before, text, after
