"""Run the tests of Django or a package with and without this app, and tell which end differently.

`python -m tests.foreign.suite` with the Python of an environment that has Django and this app.
The differences that cannot be avoided are listed in expected.toml, each with its reason; any
other makes the exit status 1.
"""

import argparse
import itertools
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
import tomllib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import django

import signals_demo
from tests.foreign.packages import PACKAGES, Package

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent.parent / "docs" / "compatibility.md"
BEGIN = "<!-- Written by `python -m tests.foreign.suite --docs`. -->"
END = "<!-- The end of the list. -->"
LIMIT = 3600  # seconds for one run

MODES = {
    "installed": "the app installed, STRICT",
    "recording": "the same with RECORD_TESTS, events in a database of their own",
}

# In a traceback: a file of the installed package, in any of its folders.
OWN_LINE = re.compile(rf'{re.escape(str(Path(signals_demo.__file__).parent))}[/\\][^"]*\.py"')

Outcomes = dict[str, tuple[str, str]]


class Difference(NamedTuple):
    """A test that ends otherwise with the app than without it."""

    test: str
    bare: str
    ours: str
    why: str

    @property
    def part(self) -> str:
        """Return the part of Django's tests it belongs to, for `setUpClass (part.tests.X)` too."""
        return self.test.split("(")[-1].split(".")[0]

    @property
    def is_our_fault(self) -> bool:
        """Return whether our own code raised: nothing excuses that."""
        return OWN_LINE.search(self.why) is not None

    def __str__(self) -> str:
        return f"{self.test}: {self.bare} without the app, {self.ours} with it\n{self.why}"


class Suite:
    """The tests of one package, or those of them that `labels` name."""

    def __init__(
        self, package: Package, folder: Path, labels: Sequence[str], parallel: int
    ) -> None:
        self.package = package
        self.tests = package.source / package.folder
        self.folder = folder
        self.labels = [name for name in labels if package.has(name)]
        self.parallel = parallel

    def run(self, mode: str, labels: Sequence[str] | None = None) -> "Run":
        """Run the tests in a folder of their own."""
        work = Path(tempfile.mkdtemp(dir=self.folder))
        labels = self.labels if labels is None else labels
        began = time.monotonic()
        printed = self._run(mode, labels, work)
        written = work / "outcomes.json"
        if not written.exists():
            sys.exit(f"{printed}\nThe tests did not come to an end ({mode}).")
        outcomes: Outcomes = json.loads(written.read_text(encoding="utf-8"))
        print(f"{mode}: {len(outcomes):,} tests, {time.monotonic() - began:.0f}s", flush=True)
        return Run(mode, outcomes, work)

    def _run(self, mode: str, labels: Sequence[str], work: Path) -> str:
        settings = "--settings=foreign_settings"
        if mode == "recording":
            migrate = ["-m", "django", "migrate", "signals_demo", "--database=events", settings]
            self._python(mode, work, *migrate).check_returncode()
        parallel = f"--parallel={self.parallel}"
        return self._python(
            mode, work, *self.package.runner, settings, "--noinput", parallel, *labels
        ).stdout

    def _python(
        self, mode: str, work: Path, *arguments: str
    ) -> "subprocess.CompletedProcess[str]":
        path = [str(HERE), *self.package.path, os.environ.get("PYTHONPATH", "")]
        own = {
            "FOREIGN_MODE": mode,
            "FOREIGN_WORK": str(work),
            "FOREIGN_SETTINGS": self.package.settings,
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
        }
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.tests,
            env=os.environ | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LIMIT,
            check=False,
        )


class Run(NamedTuple):
    """One run of the tests: how each of them ended, and what was left in its folder."""

    mode: str
    outcomes: Outcomes
    work: Path

    @property
    def log(self) -> str:
        """Return what the recorder logged.

        That something was not stored is no matter where nothing is: what fires before and after
        the tests has a database without a name.
        """
        written = self.work / "recorder.log"
        text = written.read_text(encoding="utf-8") if written.exists() else ""
        return text if self.mode == "recording" or "could not be recorded" in text else ""

    def stored(self) -> tuple[int, str]:
        """Return how many events were stored, and a line that also says how many are missing."""
        with closing(sqlite3.connect(self.work / "events.sqlite3")) as database:
            rows = database.execute(
                "SELECT COUNT(*), MAX(sequence) FROM signals_demo_signalevent GROUP BY recorder"
            ).fetchall()
        kept, sent = sum(row[0] for row in rows), sum(row[1] for row in rows)
        return kept, f"{kept:,} events of {len(rows)} processes stored, {sent - kept:,} missing"


def differences(bare: Run, ours: Run) -> dict[str, Difference]:
    """Return the tests that ended otherwise; one that is missing on a side did so, too."""
    found = {}
    for test in sorted(bare.outcomes.keys() | ours.outcomes.keys()):
        was, reason = bare.outcomes.get(test, ("missing", ""))
        became, why = ours.outcomes.get(test, ("missing", ""))
        if was != became:
            found[test] = Difference(test, was, became, why or reason)
    return found


class Expected(NamedTuple):
    """Tests of a package that cannot but differ, for one reason."""

    package: str
    reason: str
    tests: list[str]
    modes: list[str]


def expected() -> list[Expected]:
    """Return the differences that cannot be avoided, in the order of the file."""
    entries = tomllib.loads((HERE / "expected.toml").read_text(encoding="utf-8"))["difference"]
    return [
        Expected(one["package"], one["reason"], one["tests"], one.get("modes", list(MODES)))
        for one in entries
    ]


def excused(package: str, mode: str) -> set[str]:
    """Return the names of the tests of a package that may differ in this mode."""
    listed = [one for one in expected() if one.package == package and mode in one.modes]
    return {test for one in listed for test in one.tests}


def judge(suite: Suite, bare: Run, ours: Run) -> bool:
    """Print what differs; return whether all of it had to be expected."""
    found = differences(bare, ours)
    allowed = excused(suite.package.name, ours.mode)
    wrong = {name: one for name, one in found.items() if one.is_our_fault or name not in allowed}
    if wrong:
        wrong = steady(suite, ours.mode, wrong)
    alike = sorted(allowed & bare.outcomes.keys() & ours.outcomes.keys() - found.keys())
    for one in wrong.values():
        print(f"\nUNEXPECTED {one}")
    for test in alike:
        print(f"\nLISTED, but it ends as it does without the app: {test}")
    if ours.log:
        print(f"\nThe recorder logged:\n{ours.log}")
    print(f"{ours.mode}: {len(found)} tests differ, {len(wrong)} of them unexpectedly")
    is_idle = False
    if ours.mode == "recording":
        kept, line = ours.stored()
        print(f"{ours.mode}: {line}")
        is_idle = kept < len(ours.outcomes)  # it would have found nothing
    return not (wrong or alike or ours.log or is_idle)


def steady(suite: Suite, mode: str, wrong: dict[str, Difference]) -> dict[str, Difference]:
    """Return the differences that come again when their parts are run once more.

    Some tests measure time, and fail now and then on a busy machine.
    """
    parts = sorted({one.part for one in wrong.values()})
    again = differences(suite.run("bare", parts), suite.run(mode, parts))
    for name in wrong.keys() - again.keys():
        print(f"differed once, but not when it was run again: {name}")
    return {name: one for name, one in again.items() if name in wrong}


def listed() -> str:
    """Return the list of differences as docs/compatibility.md shows it."""
    parts = []
    for package, entries in itertools.groupby(expected(), lambda one: one.package):
        parts.append(f"### {package}\n")
        for one in entries:
            only = "" if one.modes == list(MODES) else f" Only in `{'`, `'.join(one.modes)}`."
            reason = textwrap.fill(f"{one.reason.strip()}{only}", 100, break_on_hyphens=False)
            tests = "\n".join(one.tests)
            parts.append(f"{reason}\n\n```text\n{tests}\n```\n")
    return "\n".join(parts)


def page() -> str:
    """Return docs/compatibility.md with the list as it should be."""
    text = DOCS.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n\n{listed()}\n{END}{rest.split(END)[1]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labels", nargs="*", help="the tests to run; otherwise --parts")
    parser.add_argument("--package", choices=PACKAGES, default="django")
    parser.add_argument("--parts", choices=["quick", "all"], default="quick")
    parser.add_argument("--mode", choices=MODES, action="append", help="default: both")
    parser.add_argument("--parallel", type=int, default=1, help="processes of each run")
    parser.add_argument("--docs", action="store_true", help="write the list into the docs, only")
    options = parser.parse_args()
    if options.docs:
        DOCS.write_text(page(), encoding="utf-8")
        return 0
    package = PACKAGES[options.package]
    labels = options.labels or ([] if options.parts == "all" else package.labels)
    print(f"Python {sys.version.split()[0]}, Django {django.get_version()}", flush=True)
    print(f"The tests of {package.name} {package.version}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        suite = Suite(package, Path(folder), labels, options.parallel)
        bare = suite.run("bare")
        verdicts = [judge(suite, bare, suite.run(mode)) for mode in options.mode or MODES]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
