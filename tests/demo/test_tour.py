"""The tour in a terminal, as a person runs it."""

import os
import re
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from django.core.management.base import OutputWrapper

from project.playground.management.commands.tour import wants_colour
from signals_demo.catalog import built_in
from tests.forkserver import fork_server
from tests.servers import clean_environment

ROOT = Path(__file__).resolve().parent.parent.parent


def tour(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = clean_environment(**environment)
    return fork_server().run("manage.py", "tour", *options, cwd=ROOT, env=own, timeout=180)


@pytest.mark.processes
def test_the_tour_sees_every_signal(tmp_path: Path) -> None:
    database = tmp_path / "untouched.sqlite3"
    done = tour("--force-color", DEMO_DATABASE=str(database))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    printed = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    assert printed != done.stdout
    table = printed.partition("Signals seen")[2].splitlines()
    seen = {line.split()[0]: int(line.split()[-1]) for line in table if line.startswith("  ")}
    assert list(seen) == list(built_in())
    assert all(seen.values())
    assert f"All {len(seen)} signals of this Django version were seen." in printed
    # Nested: what a request fires stands under its beginning.
    assert re.search(r"^  request_started +ClientHandler$", printed, re.MULTILINE)
    assert re.search(r"^    class_prepared +playground.Leaflet$", printed, re.MULTILINE)
    assert "(nothing)" in printed
    assert not database.exists()


@pytest.mark.processes
def test_a_missing_signal_is_a_failure_and_all_that_verbosity_0_prints(tmp_path: Path) -> None:
    heard = [name for name in built_in() if name not in ("m2m_changed", "user_logged_out")]
    (tmp_path / "deaf_settings.py").write_text(
        f"from project.settings import *\nSIGNALS_DEMO = {{'SIGNALS': {heard}}}\n"
    )
    done = tour(
        "--verbosity",
        "0",
        DJANGO_SETTINGS_MODULE="deaf_settings",
        PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]),
    )
    assert done.returncode == 1
    assert done.stderr == "CommandError: Not seen: user_logged_out, m2m_changed\n"
    assert done.stdout == ""


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("output", "options", "no_color", "coloured"),
    [
        (Terminal(), {}, "", True),
        (Terminal(), {}, "1", False),
        (Terminal(), {"no_color": True}, "", False),
        (StringIO(), {}, "", False),
        (StringIO(), {"force_color": True}, "1", True),
    ],
)
def test_when_there_is_colour(
    monkeypatch: pytest.MonkeyPatch,
    output: StringIO,
    options: dict[str, bool],
    no_color: str,
    *,
    coloured: bool,
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    choice = {"no_color": False, "force_color": False} | options
    assert wants_colour(OutputWrapper(output), choice) is coloured
