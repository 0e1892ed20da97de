"""What recording costs when it never stops: `python -m benchmarks.sustained`.

Prints how many events a second one process stores, the memory of one very long transaction, and
the 99th percentile of a request under load, also where events come faster than they are stored.
docs/benchmarks.md says how each is taken.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import databases, latency, report, saturation
from benchmarks.environment import CHECKOUT, python_with_peers
from benchmarks.memory import expected
from benchmarks.variants import BARE, VARIANTS

BACKGROUND, UNFOLDED, CAPTURING = "background", "unfolded", "capturing"


class Run:
    """One run of this command."""

    def __init__(self, python: str, options: argparse.Namespace, folder: str) -> None:
        self.python = python
        self.options = options
        self._folder = Path(folder)
        self._folders = 0

    def folder(self) -> Path:
        self._folders += 1
        return self._folder / str(self._folders)

    def process(self, module: str, variant: str, number: int) -> Any:
        """Run a module of this package for one variant, and return what it prints."""
        folder = self.folder()
        folder.mkdir()
        self.empty(variant)
        result = subprocess.run(
            [
                *(self.python, "-m", f"benchmarks.{module}"),
                *(variant, self.options.database, str(folder), str(number)),
            ],
            cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        return json.loads(result.stdout.splitlines()[-1])

    def empty(self, *variants: str) -> None:
        if trouble := databases.create(self.options.database, list(variants), self.python):
            raise SystemExit(trouble)


def throughput(run: Run) -> Iterator[str]:
    rounds = [
        {name: run.process("throughput", name, run.options.events) for name in (BARE, UNFOLDED)}
        for _ in range(run.options.rounds)
    ]
    yield "| workload of one process | events stored per second | CPU per event, µs | lost |"
    yield "| --- | ---: | ---: | ---: |"
    for way in rounds[0][BARE]:
        rates, costs, lost = [], [], []
        for found in rounds:
            (_, bare_cpu, _), (seconds, cpu, events) = found[BARE][way], found[UNFOLDED][way]
            rates.append(events / seconds)
            costs.append((cpu - bare_cpu) / events * 1e6)
            lost.append(run.options.events - events)
        yield f"| {way} | {median(rates):,.0f} | {median(costs):.1f} | {max(lost):,} |"
    yield "\nAim: 25,000 events per second, 40 µs of CPU each.\n"


def memory(run: Run) -> Iterator[str]:
    saves = run.options.saves
    bare = run.process("memory", BARE, saves)
    ours = run.process("memory", BACKGROUND, saves)
    yield f"| one transaction, {saves:,} saves | peak memory, MB | more than bare Django, MB |"
    yield "| --- | ---: | ---: |"
    yield f"| bare Django | {bare['during']:.0f} | |"
    for when, title in (("during", "until it commits"), ("after", "until all is stored")):
        more = ours[when] - bare[when]
        yield f"| signals_demo, {title} | {ours[when]:.0f} | {more:+.0f} |"
    right = "all correct" if ours["outcomes"] == expected(saves) else "WRONG"
    counts = ", ".join(f"{number:,} {name}" for name, number in ours["outcomes"].items())
    yield f"\nOutcomes: {counts}; {right}. Aim: at most 60 MB more.\n"


def p99(run: Run) -> Iterator[str]:
    names = (BARE, CAPTURING, BACKGROUND)
    rounds = _rounds_of_load(run, names)
    yield f"| {run.options.rate} requests per second | median, ms | p99, ms |"
    yield "| --- | ---: | ---: |"
    for name in names:
        middle, high = (median(found[name][which] for found in rounds) for which in (0, 1))
        yield f"| {VARIANTS[name].title} | {middle:.2f} | {high:.2f} |"
    for name in (BARE, CAPTURING):
        more = median(found[BACKGROUND][1] / found[name][1] - 1 for found in rounds)
        yield f"\np99 in background mode, compared with {VARIANTS[name].title}: {more:+.1%}."
    yield "\nAim: at most 5 % more than when storing nothing.\n"


def _rounds_of_load(run: Run, names: tuple[str, ...]) -> list[dict[str, tuple[float, float]]]:
    """Let the servers take turns; return the median and the p99 of each, for each round."""
    rate, seconds = run.options.rate, run.options.seconds
    run.empty(*names)
    servers = {
        name: latency.Server(run.python, name, run.options.database, run.folder())
        for name in names
    }
    try:
        latency.warm_up(list(servers.values()), rate)
        return [
            {
                name: latency.p50_and_p99(latency.load(server.port, rate, seconds))
                for name, server in servers.items()
            }
            for _ in range(run.options.rounds)
        ]
    finally:
        for server in servers.values():
            server.end()


def saturated(run: Run) -> Iterator[str]:
    options = run.options
    run.empty(BACKGROUND)
    place = BACKGROUND, options.database, run.folder()
    yield from saturation.rows(run.python, place, options.rates, options.seconds)
    yield "\nAim: a lag of at most a second, nothing lost.\n"


PARTS: dict[str, Callable[[Run], Iterator[str]]] = {
    "throughput": throughput, "memory": memory, "p99": p99, "saturation": saturated,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sustained", description=__doc__)
    add = parser.add_argument
    add("parts", nargs="*", help=f"of {', '.join(PARTS)}; all, if none is named")
    add("--database", choices=databases.ENGINES, default="postgresql")
    add("--rounds", type=int, default=5, help="of throughput and p99 (%(default)s)")
    add("--events", type=int, default=100_000, help="of throughput (%(default)s)")
    add("--saves", type=int, default=1_000_000, help="of memory (%(default)s)")
    add("--rate", type=int, default=100, help="requests per second of p99 (%(default)s)")
    add(
        "--rates",
        type=lambda text: [int(each) for each in text.split(",")],
        default=[20, 100, 400, 800, 1600],
        help="requests per second of saturation (20,100,400,800,1600)",
    )
    add("--seconds", type=float, default=10, help="of load in each round (%(default)s)")
    add("--here", action="store_true", help="use this Python and what is installed there")
    add(
        "--write",
        type=Path,
        metavar="FILE",
        help="write the figures into FILE, between the markers of each part",
    )
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"{', '.join(unknown)} is none of {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        python = sys.executable if options.here else python_with_peers()
        run = Run(python, options, folder)
        for part in options.parts or PARTS:
            lines = []
            for line in PARTS[part](run):
                print(line, flush=True)
                lines.append(line)
            if options.write:
                about = f"On {options.database}:\n\n"
                report.write(options.write, part, about + "\n".join(lines).strip())
        databases.drop(options.database, [BARE, BACKGROUND, UNFOLDED, CAPTURING], python)


if __name__ == "__main__":
    main()
