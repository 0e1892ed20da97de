"""How many instructions recording takes: `python -m benchmarks.instructions`.

Counts them with valgrind, on the caller's thread for each action, and on the background thread for
all of them. Other work of the machine does not change them. `--check` compares them with those
in CHANGELOG.md. docs/benchmarks.md says how they are counted.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from benchmarks import counted, report
from benchmarks.environment import CHECKOUT
from benchmarks.variants import BARE

OURS = "background"
WORKER = "the background thread, for all of them"
NOTED = CHECKOUT / "CHANGELOG.md"
TOLERANCE = 0.05
LAYOUT = 0.01
"""By so much of bare Django's count does the same work differ from one checkout to the next, where
code and data lie elsewhere in memory."""
ROW = re.compile(r"^\| ([a-z ,]+) \| ([\d,.]+) \| \+([\d,.]+) \|", re.MULTILINE)


class Count(NamedTuple):
    """Thousands of instructions."""

    bare: float
    more: float

    @property
    def ratio(self) -> float:
        """What recording adds, where bare Django is 1: Python's build and Django count in both."""
        return self.more / self.bare


Counts = dict[str, Count]


class Run(NamedTuple):
    """The instructions of one process."""

    actions: dict[str, float]
    """The caller's, for each action."""
    caller: int
    """The caller's, for all of them."""
    worker: int


def _run(variant: str, folder: Path) -> Run:
    folder.mkdir()
    tables = [sys.executable, "-m", "benchmarks.project", variant, "sqlite", str(folder)]
    subprocess.run(tables, cwd=CHECKOUT, check=True, stdout=subprocess.DEVNULL)
    valgrind = [
        *("valgrind", "--tool=callgrind", "--separate-threads=yes"),
        *(f"--zero-before={counted.BEGIN}", f"--dump-before={counted.END}"),
        f"--callgrind-out-file={folder / 'counts'}",
    ]
    result = subprocess.run(
        [*valgrind, sys.executable, "-m", "benchmarks.counted", variant, str(folder)],
        cwd=CHECKOUT, env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode:
        raise SystemExit(f"{variant} failed:\n{result.stderr}")
    bursts, caller = defaultdict(list), 0
    for number, (action, times) in enumerate(json.loads(result.stdout.splitlines()[-1]), 1):
        total = _total(folder / f"counts.{number}-01")
        bursts[action].append(total / times)
        caller += total
    # The fewest: what is needed once, or now and then, is not in each.
    actions = {action: min(found) for action, found in bursts.items()}
    others = [file for file in folder.glob("counts-*") if file.name != "counts-01"]
    return Run(actions, caller, sum(map(_total, others)))


def _total(file: Path) -> int:
    with file.open() as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("summary:"))


def count() -> Counts:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, ThreadPoolExecutor() as pool:
        bare, ours = pool.map(lambda variant: _run(variant, Path(folder, variant)), (BARE, OURS))
    counts = {
        action: Count(few / 1000, (ours.actions[action] - few) / 1000)
        for action, few in bare.actions.items()
    }
    return counts | {WORKER: Count(bare.caller / 1000, ours.worker / 1000)}


def versions() -> str:
    return f"Python {sys.version.split()[0]}, Django {version('Django')}"


def table(counts: Counts) -> str:
    rows = [
        f"| {action} | {count.bare:,.1f} | +{count.more:,.1f} | {count.ratio:+.1%} |"
        for action, count in counts.items()
    ]
    heads = [
        "| | bare Django | signals_demo | in % of bare Django |",
        "| --- | ---: | ---: | ---: |",
    ]
    return "\n".join([f"{versions()}, SQLite:", "", *heads, *rows])


def noted() -> tuple[str, Counts]:
    """Return what CHANGELOG.md says: the versions, and the counts."""
    text = report.read(NOTED, "instructions")
    found = {
        action: Count(*(float(each.replace(",", "")) for each in figures))
        for action, *figures in ROW.findall(text)
    }
    return text.splitlines()[0], found


def check(counts: Counts) -> None:
    """Print the counts beside those of CHANGELOG.md; fail if one has grown without a note."""
    said, before = noted()
    print(f"In CHANGELOG.md: {said}\n\n| | noted | now | |\n| --- | ---: | ---: | ---: |")
    grown = []
    for action, now in counts.items():
        old = before.get(action, Count(1, 0))
        change = now.ratio / old.ratio - 1 if old.more else float("inf")
        print(f"| {action} | {old.ratio:+.1%} | {now.ratio:+.1%} | {change:+.1%} |")
        if now.ratio > old.ratio * (1 + TOLERANCE) + LAYOUT:
            grown.append(f"{action} ({change:+.1%})")
    if grown:
        raise SystemExit(
            f"Recording takes more instructions than CHANGELOG.md says: {', '.join(grown)}. If"
            " that is worth it, run `python -m benchmarks.instructions --write CHANGELOG.md`, and"
            " say below the table why."
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    add = parser.add_argument
    add(
        "--check",
        action="store_true",
        help="fail if one has grown by more than 5 %% of itself and 1 %% of bare Django",
    )
    add(
        "--write",
        type=Path,
        metavar="FILE",
        nargs="+",
        default=[],
        help="write the table into each FILE, between its markers",
    )
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        parser.error("valgrind is not installed")
    counts = count()
    print(table(counts), flush=True)
    for file in options.write:
        report.write(file, "instructions", table(counts))
    if options.check:
        check(counts)


if __name__ == "__main__":
    main()
