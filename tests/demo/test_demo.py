"""The command `demo`, as a person runs it."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.forkserver import fork_server
from tests.servers import clean_environment, free_port

pytestmark = pytest.mark.processes

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "demo.sqlite3"


def demo(database: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = clean_environment(DEMO_DATABASE=str(database), **environment)
    return fork_server().run("manage.py", "demo", *options, cwd=ROOT, env=own, timeout=60)


def rows(database: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as opened:
        found = opened.execute(sql).fetchall()
        opened.commit()
        return found


def test_it_sets_up_and_serves(database: Path, tmp_path: Path) -> None:
    port = free_port()
    log = tmp_path / "log"
    with (
        log.open("w") as output,
        subprocess.Popen(
            [sys.executable, "manage.py", "demo", str(port)],
            cwd=ROOT,
            env=clean_environment(DEMO_DATABASE=str(database)),
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            page = _get(f"http://127.0.0.1:{port}/", process)
        finally:
            process.terminate()
    assert "Press a button, see which signals fire" in page
    printed = log.read_text()
    # Its reloader runs the command a second time, which does not set up again.
    assert printed.count("The demo is set up.") == 1
    assert f"http://localhost:{port}/admin/  log in as admin, password admin" in printed


def test_a_second_run_is_harmless(database: Path) -> None:
    assert demo(database, "--no-serve").returncode == 0
    rows(database, "UPDATE auth_user SET password = 'changed', email = 'kept@example.com'")
    rows(database, "UPDATE playground_book SET copies = 40")
    rows(database, "DELETE FROM playground_book_tags")
    done = demo(database, "--no-serve")
    assert (done.returncode, done.stderr) == (0, "")
    assert rows(database, "SELECT username, password, email FROM auth_user") == [
        ("admin", "changed", "kept@example.com")
    ]
    assert rows(database, "SELECT DISTINCT copies FROM playground_book") == [(40,)]
    assert rows(database, "SELECT DISTINCT origin_name FROM signals_demo_signalevent") == [
        ("demo",)
    ]


def test_verbosity_0_prints_nothing_but_errors(database: Path, tmp_path: Path) -> None:
    done = demo(database, "--no-serve", "--verbosity", "0")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    port, log = free_port(), tmp_path / "log"
    with (
        log.open("w") as output,
        subprocess.Popen(
            [sys.executable, "manage.py", "demo", str(port), "--verbosity", "0"],
            cwd=ROOT,
            env=clean_environment(DEMO_DATABASE=str(database)),
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            _get(f"http://127.0.0.1:{port}/", process)
        finally:
            process.terminate()
    assert log.read_text() == ""


def test_a_port_that_is_taken(database: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = demo(database, str(port))
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"Cannot serve on port {port}: it is in use." in done.stderr
    assert f"manage.py demo {port + 1}" in done.stderr
    assert not database.exists()


@pytest.mark.parametrize("command", ["demo", "tour"])
def test_not_without_debug(database: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "real_site.py").write_text("from project.settings import *\nDEBUG = False\n")
    environment = clean_environment(
        DEMO_DATABASE=str(database),
        DJANGO_SETTINGS_MODULE="real_site",
        PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]),
    )
    done = fork_server().run("manage.py", command, cwd=ROOT, env=environment, timeout=60)
    assert done.returncode == 1
    assert "Set DEBUG = True" in done.stderr
    assert not database.exists()


def _get(url: str, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urlopen(url) as response:
                return response.read().decode()
        except URLError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
