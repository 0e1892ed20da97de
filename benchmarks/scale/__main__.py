"""The pages of the log with 10,000 events and with ten million: `python -m benchmarks.scale`.

Creates the events, reads each page of the admin with each filter, and prints the worst pages of
each database. docs/benchmarks.md says what it measures.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import databases, report
from benchmarks.environment import CHECKOUT, python_with_peers
from benchmarks.scale import project, tables
from benchmarks.scale.tables import SMALL, Comparison

FULL = {"postgresql": 10_000_000, "sqlite": 1_000_000}
UNTIMED = 2  # tries at the beginning
PLACE = CHECKOUT / "benchmarks" / ".venv-scale"


class Log:
    """One database with events in it, and a process that reads its pages."""

    def __init__(self, python: str, engine: str, events: int, options: argparse.Namespace) -> None:
        self.engine, self.events = engine, events
        self.folder = options.folder / f"{engine}-{events}"
        self._command = [python, "-m", "benchmarks.scale.measure"]
        self._where = [engine, str(events), str(self.folder)]
        self._only = ["--only", options.only]

    def fill(self, *, anew: bool) -> None:
        """Make the events, unless an earlier run has left them."""
        if anew or not self.folder.exists():
            self.drop()
            if trouble := databases.create(self.engine, [project.variant(self.events)]):
                raise SystemExit(trouble)
        self.folder.mkdir(parents=True, exist_ok=True)
        print(f"{self.engine}, {self.events:,} events:", file=sys.stderr, flush=True)
        subprocess.run([*self._command, "fill", *self._where], cwd=CHECKOUT, check=True)

    def drop(self) -> None:
        databases.drop(self.engine, [project.variant(self.events)])
        for file in self.folder.glob("*"):
            file.unlink()
        if self.folder.exists():
            self.folder.rmdir()

    def __enter__(self) -> "Log":
        self._process = subprocess.Popen(
            [*self._command, "measure", *self._where, *self._only],
            cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.versions = self._answer()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._process.communicate()

    def ask(self, what: str) -> Any:
        """Return what the pages take, or how many queries they run."""
        print(what, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.engine}, {self.events:,} events: the process has ended")
        return json.loads(line)

    def plans(self) -> dict[str, Any]:
        print("reading each page, and how it was answered", file=sys.stderr)
        result = subprocess.run(
            [*self._command, "plans", *self._where, *self._only],
            cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(result.stdout)
        return found


def compare(small: Log, full: Log, tries: int) -> Comparison:
    """Let both sizes take turns, so that a slow minute of the machine slows both."""
    with small, full:
        found = Comparison(full.engine, full.events, full.versions)
        for number in range(UNTIMED + tries):
            print(f"{full.engine}: try {number + 1} of {UNTIMED + tries}", file=sys.stderr)
            times = small.ask("times"), full.ask("times")
            if number >= UNTIMED:
                found.tries.append(times)
        found.queries = small.ask("queries"), full.ask("queries")
    found.load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    add = parser.add_argument
    add("--database", choices=(*databases.ENGINES, "both"), default="both")
    add("--events", type=int, help="ten million on PostgreSQL, one million on SQLite")
    add("--tries", type=int, default=9, help="of each page, after two more (%(default)s)")
    add("--only", default="", metavar="TEXT", help="only pages whose name contains it")
    add("--plans", action="store_true", help="print how PostgreSQL answers the queries instead")
    add(
        "--keep", action="store_true", help="leave the databases for the next run, which uses them"
    )
    add("--folder", type=Path, default=PLACE, help="where SQLite has its files (%(default)s)")
    add("--here", action="store_true", help="use this Python and what is installed there")
    add(
        "--write",
        type=Path,
        metavar="FILE",
        help="write the tables into FILE, between its markers",
    )
    options = parser.parse_args()
    if options.plans:
        if options.write:
            parser.error("--plans are only printed")
        options.database = "postgresql"
    return options


def _results(options: argparse.Namespace, stack: ExitStack) -> Iterator[str]:
    python = sys.executable if options.here else python_with_peers()
    engines = databases.ENGINES if options.database == "both" else (options.database,)
    for engine in engines:
        numbers = [SMALL, options.events or FULL[engine]][options.plans :]
        logs = [Log(python, engine, number, options) for number in numbers]
        for log in logs:
            if not options.keep:
                stack.callback(log.drop)
            log.fill(anew=not options.keep)
        if options.plans:
            yield tables.plans(logs[-1].plans())
        else:
            yield tables.table(compare(*logs, options.tries))


def main() -> None:
    options = arguments()
    found = []
    with ExitStack() as stack:
        for text in _results(options, stack):
            print(text, flush=True)
            found.append(text)
    if options.write:
        report.write(options.write, "scale", "\n\n".join(found))


if __name__ == "__main__":
    main()
