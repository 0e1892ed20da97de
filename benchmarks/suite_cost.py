"""What the app costs a suite that does not use its helpers: `python benchmarks/suite_cost.py`.

A project with 1,000 trivial database tests is run with the app installed and without, in turns.
Without it, the pytest plugin is off as well. The table shows the shortest of the rounds, start and
end of the process included: what else goes on in the machine only ever makes a run longer. On a
machine that is busy throughout, `--instructions` counts what the processor is told to do instead.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
SETTINGS = """
SECRET_KEY = "protects nothing"
INSTALLED_APPS = [{app}"django.contrib.auth", "django.contrib.contenttypes"]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}}
USE_TZ = True
"""
TESTS = {
    "unittest": """
from django.contrib.auth.models import Group
from django.test import TestCase

class GroupTests(TestCase):
    pass

def check(self):
    Group.objects.create(name="editors")
    self.assertEqual(Group.objects.get().name, "editors")

for number in range({count}):
    setattr(GroupTests, f"test_{{number}}", check)
""",
    "pytest": """
import pytest
from django.contrib.auth.models import Group

@pytest.mark.parametrize("number", range({count}))
def test_groups(db, number):
    Group.objects.create(name="editors")
    assert Group.objects.get().name == "editors"
""",
}
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly")
COMMANDS = {"unittest": ("-m", "django", "test"), "pytest": PYTEST}
VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
Times = tuple[float, float]
VARIANTS = ("without the app", "with the app")


def make(folder: Path, kind: str, variant: str, count: int, *, helpers: bool) -> Path:
    project = folder / f"{kind} {variant}"
    project.mkdir()
    with_app = variant == "with the app"
    app = '"signals_demo", ' if with_app else ""
    (project / "settings.py").write_text(SETTINGS.format(app=app))
    imported = "import signals_demo.testing" if with_app and helpers else ""
    (project / "test_groups.py").write_text(imported + TESTS[kind].format(count=count))
    return project


def command_of(kind: str, variant: str) -> list[str]:
    command = [sys.executable, *COMMANDS[kind]]
    if kind == "pytest" and variant == "without the app":
        command += ["-p", "no:signals_demo"]
    return command


def environment_of(project: Path) -> dict[str, str]:
    path = os.pathsep.join([str(project), str(CHECKOUT)])
    own = {"PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "settings", "PYTHONHASHSEED": "0"}
    # Or each run would compile this app anew, and only this one: the others are installed.
    keeps = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return keeps | own


def run(project: Path, kind: str, variant: str) -> tuple[float, float]:
    """Run the suite once and return the seconds of CPU time and of the clock that it took."""
    command, environment = command_of(kind, variant), environment_of(project)
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=project, env=environment, capture_output=True, check=True)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def instructions(project: Path, kind: str, variant: str) -> int:
    """Run the suite once under valgrind and return how many instructions that took."""
    command = [*VALGRIND, *command_of(kind, variant)]
    environment = environment_of(project)
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=True
    )
    (counted,) = re.findall(r"I +refs: +([\d,]+)", done.stderr)
    return int(counted.replace(",", ""))


@contextmanager
def projects_of(kind: str, count: int, *, helpers: bool) -> Iterator[dict[str, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        projects = {
            variant: make(Path(folder), kind, variant, count, helpers=helpers)
            for variant in VARIANTS
        }
        for variant in VARIANTS:  # once for the compiled files
            run(projects[variant], kind, variant)
        yield projects


def compare(kind: str, projects: dict[str, Path], rounds: int) -> dict[str, list[Times]]:
    found: dict[str, list[Times]] = {variant: [] for variant in VARIANTS}
    for number in range(rounds):
        # Each variant is as often the first of its pair as the second.
        for variant in VARIANTS if number % 2 else reversed(VARIANTS):
            found[variant].append(run(projects[variant], kind, variant))
    return found


def print_instructions(kind: str, projects: dict[str, Path]) -> float:
    without, with_app = (instructions(projects[name], kind, name) for name in VARIANTS)
    ratio = with_app / without
    print(f"| {kind} | {without / 1e6:,.0f} M | {with_app / 1e6:,.0f} M | {ratio - 1:+.1%} |")
    return ratio


def print_times(kind: str, found: dict[str, list[Times]]) -> float:
    cells, ratios = [], []
    for measure in (0, 1):  # CPU time, time
        without, with_app = (min(run[measure] for run in found[name]) for name in VARIANTS)
        ratios.append(with_app / without)
        cells += [f"{without:.2f} s", f"{with_app:.2f} s", f"{(ratios[-1] - 1) * 100:+.1f} %"]
    print(f"| {kind} | " + " | ".join(cells) + " |")
    return ratios[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--count", type=int, default=1000, help="tests in the suite")
    parser.add_argument("--suite", choices=COMMANDS)
    parser.add_argument("--helpers", action="store_true", help="have the tests import the helpers")
    parser.add_argument("--instructions", action="store_true", help="count them, with valgrind")
    parser.add_argument("--at-most", type=float, help="per cent more that are allowed")
    options = parser.parse_args()
    if options.instructions:
        print(
            "| suite | instructions without | with the app | more |\n| --- | ---: | ---: | ---: |"
        )
    else:
        print("| suite | CPU time without | with the app | more | time without | with | more |")
        print("| --- |" + " ---: |" * 6)
    ratios = []
    for kind in COMMANDS if options.suite is None else [options.suite]:
        with projects_of(kind, options.count, helpers=options.helpers) as projects:
            if options.instructions:
                ratios.append(print_instructions(kind, projects))
            else:
                ratios.append(print_times(kind, compare(kind, projects, options.rounds)))
    if options.at_most is not None and max(ratios) > 1 + options.at_most / 100:
        raise SystemExit(f"More than {options.at_most} % slower.")


if __name__ == "__main__":
    main()
