"""Real servers, many requests at once: each event in its own request, and none missing."""

import json
import signal
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from tests.recording import Project
from tests.servers import GUNICORN, REQUESTS, ask_all_at_once, get, running, serve, until

VIEWS = """
import asyncio
import time

from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.db import transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

from signals_demo import trace


def sync(request, n):
    with transaction.atomic():
        group = Group.objects.create(name=f"sync {n} first")
        group.name = f"sync {n} second"
        group.save()
    time.sleep(0.01)
    Group.objects.create(name=f"sync {n} third")
    return HttpResponse(str(n))


async def gather(request, n):
    async def work(step):
        await asyncio.sleep(0.001 * (step % 3))
        await Group.objects.acreate(name=f"gather {n} {step}")
        Group(name=f"gather {n} made {step}")
        await sync_to_async(Group, thread_sensitive=False)(name=f"gather {n} apart {step}")

    await asyncio.gather(*(work(step) for step in range(4)))
    return HttpResponse(str(n))


def stream(request, n):
    def parts():
        for step in range(3):
            Group(name=f"stream {n} {step}")
            yield f"{step}"

    return StreamingHttpResponse(parts())


async def astream(request, n):
    async def parts():
        for step in range(3):
            Group(name=f"astream {n} {step}")
            await asyncio.sleep(0)
            yield f"{step}"

    return StreamingHttpResponse(parts())


async def slow(request, n):
    Group(name=f"slow {n} begins")
    await asyncio.sleep(60)
    return HttpResponse("never")


def fails(request, n):
    Group(name=f"fails {n}")
    raise ZeroDivisionError(f"fails {n}")


urlpatterns = [
    path(f"{view.__name__}/<int:n>/", view)
    for view in (sync, gather, stream, astream, slow, fails)
]
"""


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.migrated(tmp_path_factory.mktemp("servers") / "project", views=VIEWS)
    project.execute("DELETE FROM signals_demo_signalevent")
    return project


@pytest.fixture
def project(migrated: Project, tmp_path: Path) -> Project:
    return migrated.copy(tmp_path / "project")


@contextmanager
def wsgi(project: Project) -> Iterator[str]:
    environment = project.environment
    with serve(sys.executable, project.folder, project.folder / "log", environment) as server:
        yield server.address


@contextmanager
def asgi(project: Project) -> Iterator[str]:
    options = ["--lifespan", "off", "--no-proxy-headers", "--port", "PORT"]
    with running(project, "-m", "uvicorn", "application:asgi", *options) as (address, _process):
        yield address


def finished(project: Project, view: str) -> int:
    """Return how many requests are stored, with what became of their transactions."""
    if project.events("outcome = 'open'"):
        return 0
    return len(project.events(f"signal = 'request_finished' AND origin_name LIKE 'GET /{view}/%'"))


GROUPS = {"sync": 2, "gather": 12, "stream": 3, "astream": 3}
"""How many groups each view makes in a request."""


def check_that_nothing_mixes(project: Project, address: str, *views: str) -> None:
    """Send fifty requests at once to one view after the other, and check what is stored."""
    for view in views:
        ask_all_at_once(address, view)
        until(lambda view=view: finished(project, view) == REQUESTS)  # type: ignore[misc]
    rows = project.events()
    for view in views:
        where = f"origin_name LIKE 'GET /{view}/%' OR arguments LIKE '%\"{view} %'"
        _check(project.events(where), view, GROUPS[view])
    for recorder in {row["recorder"] for row in rows}:
        numbers = [row["sequence"] for row in rows if row["recorder"] == recorder]
        assert numbers == list(range(1, len(numbers) + 1))


def _check(rows: list[sqlite3.Row], view: str, groups: int) -> None:
    """Each request is one trace; each group that it made is in it, and none of another's."""
    requests: dict[str, str] = {}
    made: dict[str, int] = {}
    for row in rows:
        if row["signal"] == "request_started":
            assert row["trace_id"] not in requests
            requests[row["trace_id"]] = row["origin_name"]
    assert sorted(requests.values()) == sorted(f"GET /{view}/{n}/" for n in range(REQUESTS))
    for row in rows:
        if row["sender"] != "auth.Group" or row["signal"] != "pre_init":
            continue
        kwargs = json.loads(row["arguments"])["kwargs"]
        if "name" not in kwargs:
            continue
        number = kwargs["name"].split()[1]
        assert row["origin_name"] == f"GET /{view}/{number}/", kwargs
        assert requests[row["trace_id"]] == row["origin_name"]
        assert row["depth"] == 1
        made[number] = made.get(number, 0) + row["count"]
    assert made == {str(number): groups for number in range(REQUESTS)}
    for trace_id in requests:
        own = [row for row in rows if row["trace_id"] == trace_id]
        own.sort(key=lambda row: row["position"])
        assert [row["position"] for row in own] == list(range(1, len(own) + 1))
        assert (own[0]["signal"], own[0]["depth"]) == ("request_started", 0)
        assert (own[-1]["signal"], own[-1]["depth"]) == ("request_finished", 0)
        assert own[-1]["duration"] > 0
        assert {row["outcome"] for row in own} <= {"", "committed"}


def test_runserver_under_fifty_requests_at_once(project: Project) -> None:
    with wsgi(project) as address:
        check_that_nothing_mixes(project, address, "sync", "gather", "stream")


def test_uvicorn_under_fifty_requests_at_once(project: Project) -> None:
    with asgi(project) as address:
        check_that_nothing_mixes(project, address, "sync", "gather", "stream", "astream")


def test_daphne_under_fifty_requests_at_once(project: Project) -> None:
    options = ["--port", "PORT", "--application-close-timeout", "60"]
    with running(project, "-m", "daphne", *options, "application:asgi") as (address, _process):
        check_that_nothing_mixes(project, address, "sync", "gather", "astream")


@pytest.mark.parametrize(
    ("worker", "views"),
    [("sync", ["sync"]), ("gthread", ["sync", "gather"]), ("gevent", ["sync", "stream"])],
)
def test_gunicorn_under_fifty_requests_at_once(
    project: Project, worker: str, views: list[str]
) -> None:
    options = ["--worker-class", worker, "--workers", "2", "--threads", "10"]
    with running(project, *GUNICORN, *options) as (address, _process):
        check_that_nothing_mixes(project, address, *views)


@pytest.mark.parametrize("server", [wsgi, asgi])
def test_an_exception_is_in_its_request(
    project: Project, server: Callable[[Project], AbstractContextManager[str]]
) -> None:
    with server(project) as address:
        for number in range(3):
            with pytest.raises(URLError):
                get(f"{address}/fails/{number}/")
        until(lambda: finished(project, "fails") == 3)
    for row in project.events("signal = 'got_request_exception'"):
        number = row["exception"].split()[-1]
        assert row["origin_name"] == f"GET /fails/{number}/"
        assert row["depth"] == 1


@pytest.mark.parametrize("server", [wsgi, asgi])
def test_a_traceparent_is_adopted_and_the_client_s_address_known(
    project: Project, server: Callable[[Project], AbstractContextManager[str]]
) -> None:
    with (project.folder / "settings.py").open("a") as settings:
        settings.write("SIGNALS_DEMO['TRUST_TRACEPARENT'] = True\n")
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    headers = {
        "traceparent": f"00-{trace_id}-b7ad6b7169203331-01",
        "X-Forwarded-For": "198.51.100.1",
    }
    with (project.folder / "settings.py").open("a") as settings:
        settings.write('SIGNALS_DEMO = {"TRUST_TRACEPARENT": ["127.0.0.0/8"]}')
    with server(project) as address:
        with urlopen(Request(f"{address}/sync/1/", headers=headers), timeout=60) as response:
            assert response.read() == b"1"
        until(lambda: finished(project, "sync"))
    rows = project.events("origin_name = 'GET /sync/1/'")
    assert {row["trace_id"] for row in rows} == {trace_id}
    assert {row["remote_address"] for row in rows} == {"127.0.0.1"}


def test_an_aborted_request_ends_in_its_own_trace(project: Project) -> None:
    with asgi(project) as address:
        host, port = address.removeprefix("http://").split(":")
        for number in range(3):
            with socket.create_connection((host, int(port))) as client:
                client.sendall(f"GET /slow/{number}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                until(lambda number=number: project.events(f"arguments LIKE '%slow {number} be%'"))  # type: ignore[misc]
        get(f"{address}/sync/1/")
        until(lambda: finished(project, "slow") == 3)
        until(lambda: finished(project, "sync") == 1)
    for number in range(3):
        rows = project.events(f"origin_name = 'GET /slow/{number}/'")
        assert len({row["trace_id"] for row in rows}) == 1
        assert [(row["signal"], row["depth"]) for row in rows] == [
            ("request_started", 0),
            ("pre_init", 1),
            ("post_init", 1),
            ("request_finished", 0),
        ]
        assert rows[-1]["duration"] > 0
    assert not project.events("origin != 'request' AND signal LIKE 'request%'")


def test_sigterm_to_runserver_under_load_loses_nothing_that_was_captured(
    project: Project,
) -> None:
    """With its reloader, `runserver` turns SIGTERM into an exit, and so runs exit handlers.

    Without them, as with `--noreload`, what was captured in the last FLUSH_INTERVAL is lost.
    """
    done: list[int] = []
    stop = threading.Event()

    def ask(worker: int) -> None:
        number = worker * 1000
        while not stop.is_set():
            number += 1
            try:
                get(f"{address}/sync/{number}/")
            except OSError:
                return
            done.append(number)

    # What the reloader starts, without the process that starts it.
    command = ["manage.py", "runserver", "PORT"]
    setting = json.dumps({"FLUSH_INTERVAL": 600})
    with (
        running(project, *command, RUN_MAIN="true", SIGNALS_DEMO=setting) as (address, process),
        ThreadPoolExecutor(4) as pool,
    ):
        for worker in range(4):
            pool.submit(ask, worker)
        until(lambda: len(done) >= 20)
        answered = list(done)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        stop.set()
    assert process.returncode == 0
    saved = {
        json.loads(row["changes"])["name"][1]
        for row in project.events("signal = 'post_save' AND changes LIKE '%third%'")
    }
    assert {f"sync {number} third" for number in answered} <= saved
