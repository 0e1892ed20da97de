"""Servers that fork workers: what a worker captures is stored, however it ends."""

import os
import signal
import sqlite3
from contextlib import closing
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.conf import settings

from tests.recording import Project
from tests.servers import GUNICORN, Load, get, running, until

pytestmark = pytest.mark.applies(settings.TEST_DATABASE == "sqlite")  # once is enough

# A host that keeps books of its own: one byte for each firing, which the system has at once.
VIEWS = """
import os
from pathlib import Path

from django.contrib.auth.models import Group
from django.core.signals import request_finished, request_started
from django.db.models.signals import post_init, post_save, pre_init, pre_save
from django.http import HttpResponse
from django.urls import path

book = os.open(Path(__file__).with_name("fired"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(**kwargs):
    os.write(book, b".")


for signal in (request_started, request_finished):
    signal.connect(note)
for signal in (pre_init, post_init, pre_save, post_save):
    signal.connect(note, sender=Group)

if "SAVE_WHEN_LOADED" in os.environ:
    Group.objects.create(name=f"loaded by {os.getpid()}")


def work(request, number):
    for step in range(3):
        Group(name=f"{number} {step}")
    return HttpResponse(str(os.getpid()))


def save(request, number):
    Group.objects.create(name=f"{number} of {os.urandom(8).hex()}")
    return HttpResponse(str(os.getpid()))


urlpatterns = [path(f"{view.__name__}/<int:number>/", view) for view in (work, save)]
"""

COUNTED = """
    signal IN ('request_started', 'request_finished') OR sender = 'auth.Group'
    AND signal IN ('pre_init', 'post_init', 'pre_save', 'post_save')
"""


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.migrated(tmp_path_factory.mktemp("prefork") / "project", views=VIEWS)
    # Otherwise, with --preload, Django itself would mix up the connections of gevent's greenlets.
    (project.folder / "patched.py").write_text("from gevent import monkey; monkey.patch_all()")
    with (project.folder / "application.py").open("a") as application:
        application.write("import views\n")  # before the first request, in a master too
    return project


@pytest.fixture
def project(loaded: Project, tmp_path: Path) -> Project:
    copy = loaded.copy(tmp_path / "project")
    copy.execute("DELETE FROM signals_demo_signalevent")
    (copy.folder / "fired").write_bytes(b"")
    return copy


def fired(project: Project) -> int:
    return (project.folder / "fired").stat().st_size


def stored(project: Project) -> int:
    (row,) = project.query(f"SELECT sum(count) FROM signals_demo_signalevent WHERE {COUNTED}")
    return row[0] or 0


def check_numbers(project: Project) -> None:
    """Each process numbers its events 1, 2, 3 …"""
    numbers: dict[str, list[int]] = {}
    for row in project.events():
        numbers.setdefault(row["recorder"], []).append(row["sequence"])
    for found in numbers.values():
        assert found == list(range(1, len(found) + 1))


def log(project: Project) -> str:
    return (project.folder / "log").read_text()


def gunicorn(*options: str) -> list[str]:
    return [*GUNICORN, "--workers", "2", *options]


WORKERS = [
    pytest.param([], id="sync"),
    pytest.param(["--threads", "4"], id="threads"),
    pytest.param(["--worker-class", "gevent", "--config", "patched.py"], id="gevent"),
]


def check_the_books(project: Project) -> None:
    """What the host has seen fire is what was stored, each process by itself without gaps."""
    assert stored(project) == fired(project) > 0, log(project)
    check_numbers(project)


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["lazy", "preload"])
@pytest.mark.parametrize("options", WORKERS)
def test_gunicorn_stopped_under_load_stores_all_that_was_captured(
    project: Project, options: list[str], preload: list[str]
) -> None:
    """Its workers one by one, then its master; with --preload the app is forked with events."""
    command = gunicorn(*options, *preload)
    with (
        running(project, *command, SAVE_WHEN_LOADED="yes") as (address, master),
        Load(f"{address}/save/1/") as load,
    ):
        for _ in range(2):
            load.more()
            os.kill(int(get(f"{address}/work/1/")), signal.SIGTERM)
        load.more()
        master.terminate()
        master.wait(60)
    assert "not stored" not in log(project)
    check_the_books(project)


@pytest.mark.parametrize("options", WORKERS[:2])  # a lock of SQLite's holds up all of gevent
def test_a_gunicorn_worker_told_to_end_waits_for_a_locked_database(
    project: Project, options: list[str]
) -> None:
    with running(project, *gunicorn(*options)) as (address, master):
        get(f"{address}/save/1/")
        with closing(sqlite3.connect(project.folder / "db.sqlite3")) as other:
            other.execute("BEGIN IMMEDIATE")
            for number in range(20):
                get(f"{address}/work/{number}/")
            master.terminate()
            until(lambda: "Worker exiting" in log(project))
            other.rollback()
        master.wait(60)
    assert "not stored" not in log(project)
    check_the_books(project)


# uWSGI, which forks without telling Python


def uwsgi(*options: str) -> list[str]:
    run = "import pyuwsgi; pyuwsgi.run()"
    command = ["-c", run, "--http-socket", "127.0.0.1:PORT", "--module", "application:wsgi"]
    end_with_the_request = ["--hook-master-start", "unix_signal:15 gracefully_kill_them_all"]
    return [
        *command,
        "--master",
        "--need-app",
        "--disable-logging",
        *end_with_the_request,
        *options,
    ]


# Until 2.0.27 its threads are off unless they are asked for.
HAS_UWSGI_WITHOUT_THREADS = find_spec("pyuwsgi") is not None and (
    tuple(map(int, version("pyuwsgi").split(".")[:3])) < (2, 0, 27)
)
HAS_UWSGI = pytest.mark.applies(find_spec("pyuwsgi") is not None)
FORKS = [
    pytest.param([], id="silent"),
    pytest.param(["--py-call-uwsgi-fork-hooks"], id="heard"),
    pytest.param(["--lazy-apps"], id="lazy"),
]


@HAS_UWSGI
@pytest.mark.parametrize("options", FORKS)
def test_uwsgi_stopped_under_load_stores_all_that_was_captured(
    project: Project, options: list[str]
) -> None:
    command = uwsgi("--processes", "2", *options)
    with (
        running(project, *command) as (address, master),
        Load(f"{address}/save/1/") as load,
    ):
        until(lambda: len({get(f"{address}/work/1/") for _ in range(20)}) == 2)
        load.more()
        master.terminate()
        master.wait(60)
    assert "not stored" not in log(project)
    check_the_books(project)
    rows = project.events("signal = 'request_finished'")
    assert len({row["recorder"] for row in rows}) == 2
    assert len({row["trace_id"] for row in rows}) == len(rows)


@HAS_UWSGI
def test_a_uwsgi_process_at_rest_has_stored_everything_and_locks_nothing(
    project: Project,
) -> None:
    """Before 2.0.27, and unless they are enabled, its threads stand still between requests."""
    with running(project, *uwsgi("--lazy-apps")) as (address, _):
        for number in range(5):
            get(f"{address}/save/{number}/")
            until(lambda: stored(project) == fired(project))
            project.execute("UPDATE auth_group SET name = name || 'x'")
    check_the_books(project)


@pytest.mark.applies(HAS_UWSGI_WITHOUT_THREADS)
def test_what_a_uwsgi_master_without_threads_loads_is_said_to_be_left_out(
    project: Project,
) -> None:
    with running(project, *uwsgi(), SAVE_WHEN_LOADED="yes") as (address, _):
        for number in range(5):
            get(f"{address}/save/{number}/")
        # All but the four signals of the save that the master has made.
        until(lambda: stored(project) == fired(project) - 4)
    assert log(project).count("The master of uWSGI runs no threads") == 1
    check_numbers(project)
