"""What recording costs the host, beside other apps: `python -m benchmarks.compare`.

Run it from the top of the repository, with any Python that Django supports: it installs Django and
the peers into an environment of its own. PostgreSQL is the server of PGHOST, PGPORT, PGUSER and
PGPASSWORD. docs/benchmarks.md says how the figures are taken.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import databases, report
from benchmarks.environment import CHECKOUT, python_with_peers
from benchmarks.variants import BARE, COMPARED


class Worker:
    """The process of one variant."""

    def __init__(self, python: str, variant: str, engine: str, folder: Path, burst: int) -> None:
        folder.mkdir(parents=True)
        self.variant = variant
        self._errors = folder / "errors.txt"
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [
                    *(python, "-m", "benchmarks.worker"),
                    *(variant, engine, str(folder), str(burst)),
                ],
                cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                text=True,
            )  # fmt: skip

    def answer(self) -> Any:
        """Return its next answer, or end with what it said in its last moments."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.variant} failed:\n{self._errors.read_text()}")
        return json.loads(line)

    def ask(self, word: str) -> Any:
        assert self._process.stdin is not None
        print(word, file=self._process.stdin, flush=True)
        return self.answer()

    def end(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(60)


def start(
    python: str, engine: str, names: list[str], folder: str, burst: int
) -> dict[str, Worker]:
    started = {name: Worker(python, name, engine, Path(folder, name), burst) for name in names}
    if engine != "sqlite":
        folder_of_yardstick = Path(folder, report.YARDSTICK)
        started[report.YARDSTICK] = Worker(python, BARE, "sqlite", folder_of_yardstick, burst)
    return started


def measure(python: str, engine: str, names: list[str], rounds: int, burst: int) -> report.Result:
    """Let the variants take turns, and return what they measured."""
    result = report.Result(engine)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        workers = start(python, engine, names, folder, burst)
        for name, worker in list(workers.items()):
            said = worker.answer()
            if "left out" in said:
                result.left_out[name] = said["left out"]
                workers.pop(name).end()
            elif name != report.YARDSTICK:
                result.versions.update(said["versions"])
        for number in range(rounds):
            print(f"{engine}: round {number + 1} of {rounds}", file=sys.stderr)
            result.rounds.append({name: worker.ask("turn") for name, worker in workers.items()})
        result.queries = {name: worker.ask("queries") for name, worker in workers.items()}
        for worker in workers.values():
            worker.end()
    return result


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    add = parser.add_argument
    add("--database", choices=(*databases.ENGINES, "both"), default="both")
    add("--rounds", type=int, default=10, help="turns of each variant (%(default)s)")
    add("--count", type=int, default=50, help="actions of each kind in a turn (%(default)s)")
    add(
        "--only",
        default=",".join(COMPARED),
        help="variants to measure; bare is always one (%(default)s)",
    )
    add("--here", action="store_true", help="use this Python and the other apps installed there")
    add(
        "--write",
        type=Path,
        metavar="FILE",
        help="write the tables into FILE, between its markers",
    )
    options = parser.parse_args()
    options.only = list(dict.fromkeys([BARE, *options.only.split(",")]))
    if unknown := set(options.only) - set(COMPARED):
        parser.error(f"--only: {', '.join(unknown)} is none of {', '.join(COMPARED)}")
    return options


def main() -> None:
    options = arguments()
    python = sys.executable if options.here else python_with_peers()
    # Asked before this command makes the machine busy itself.
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    engines = databases.ENGINES if options.database == "both" else (options.database,)
    tables = []
    for engine in engines:
        if trouble := databases.create(engine, options.only, python):
            tables.append(f"Left out: {engine}. {trouble}")
        else:
            result = measure(python, engine, options.only, options.rounds, options.count)
            result.busy = busy
            databases.drop(engine, options.only, python)
            tables.append(report.table(result))
        print(tables[-1], flush=True)
    if options.write:
        report.write(options.write, "compare", "\n\n".join(tables))


if __name__ == "__main__":
    main()
