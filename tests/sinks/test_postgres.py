"""PostgreSQL as sites use it: connections that persist or are pooled, cursors on the server."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from tests.recording import Project
from tests.servers import GUNICORN, REQUESTS, ask_all_at_once, get, running, until

pytestmark = [
    pytest.mark.applies(connection.vendor == "postgresql"),
    pytest.mark.processes,
    pytest.mark.stored,
]

VIEWS = """
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.http import HttpResponse
from django.urls import path


def save(request, number):
    with transaction.atomic():
        Group.objects.create(name=f"group {number}")
    Group.objects.create(name=f"another {number}")
    return HttpResponse(str(number))


def read(request, number):
    # A cursor on the server, which is read piece by piece; meanwhile there are other queries.
    for place, permission in enumerate(Permission.objects.iterator(chunk_size=3)):
        if place % 5 == 0:
            Group.objects.create(name=f"group {number} {place}")
    return HttpResponse(str(place + 1))


urlpatterns = [path(f"{view.__name__}/<int:number>/", view) for view in (save, read)]
"""

SETTINGS = """
DATABASES = {"default": json.loads(os.environ["DATABASE"])}
"""


class OnServer:
    """A project whose database is on the server that the tests use."""

    def __init__(self, folder: Path, number: int) -> None:
        given = settings.TEST_DATABASES["postgresql"]
        keys = ("ENGINE", "HOST", "PORT", "USER", "PASSWORD")
        self.database = {key: given[key] for key in keys}
        self.database["NAME"] = f"{given['NAME']}_project"
        self.project = Project.make(folder, views=VIEWS)
        with (folder / "settings.py").open("a") as opened:
            opened.write(SETTINGS)

    def environment(self, **options: Any) -> dict[str, str]:
        return {"DATABASE": json.dumps(self.database | options)}

    def query(self, sql: str, database: str = "") -> list[dict[str, Any]]:
        import psycopg

        given = self.database
        with psycopg.connect(
            host=given["HOST"],
            port=given["PORT"] or None,
            user=given["USER"],
            password=given["PASSWORD"],
            dbname=database or given["NAME"],
            autocommit=True,
            row_factory=psycopg.rows.dict_row,
        ) as opened:
            cursor = opened.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def events(self, where: str = "true") -> list[dict[str, Any]]:
        return self.query(
            f"SELECT * FROM signals_demo_signalevent WHERE {where} ORDER BY recorder, sequence"
        )

    def finished(self) -> int:
        """Return how many requests are stored, with what became of their transactions."""
        if self.events("outcome = 'open'"):
            return 0
        return len(self.events("signal = 'request_finished'"))


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnServer]:
    made = OnServer(tmp_path_factory.mktemp("postgres") / "project", os.getpid())
    name = made.database["NAME"]
    made.query(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", "postgres")
    made.query(f"CREATE DATABASE {name}", "postgres")
    try:
        made.project.manage("migrate", "--verbosity=0", **made.environment())
        yield made
    finally:
        made.query(f"DROP DATABASE {name} WITH (FORCE)", "postgres")


@pytest.fixture
def site(migrated: OnServer) -> OnServer:
    migrated.query("TRUNCATE signals_demo_signalevent, auth_group CASCADE")
    return migrated


def check_requests(site: OnServer) -> None:
    """Each request is a trace by itself, complete and in order."""
    rows = site.events()
    traces: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["origin"] == "request":
            traces.setdefault(row["trace_id"], []).append(row)
    assert len(traces) == len({own[0]["origin_name"] for own in traces.values()}) == REQUESTS
    for own in traces.values():
        own.sort(key=lambda row: int(row["position"]))
        assert [row["position"] for row in own] == list(range(1, len(own) + 1))
        assert len({row["origin_name"] for row in own}) == 1
        assert own[0]["signal"] == "request_started"
        assert own[-1]["signal"] == "request_finished"
        assert {row["outcome"] for row in own} <= {"", "committed"}
    for recorder in {row["recorder"] for row in rows}:
        numbers = [row["sequence"] for row in rows if row["recorder"] == recorder]
        assert numbers == list(range(1, len(numbers) + 1))


CONNECTIONS = [
    pytest.param({"CONN_MAX_AGE": 600}, id="persistent"),
    pytest.param({"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}, id="health checks"),
    pytest.param({"OPTIONS": {"pool": True}}, id="pool"),
    pytest.param({"OPTIONS": {"pool": True, "server_side_binding": True}}, id="binding"),
]


@pytest.mark.parametrize("options", CONNECTIONS)
@pytest.mark.parametrize(("view", "saves"), [("save", 2), ("read", None)])
def test_fifty_requests_at_once(
    site: OnServer, options: dict[str, Any], view: str, saves: int | None
) -> None:
    command = [*GUNICORN, "--worker-class", "gthread", "--threads", "4"]
    with running(site.project, *command, **site.environment(**options)) as (address, _process):
        ask_all_at_once(address, view)
        until(lambda: site.finished() == REQUESTS)
    check_requests(site)
    for row in site.query("SELECT count(*) AS saves FROM auth_group"):
        assert len(site.events("signal = 'post_save'")) == row["saves"]
    if saves is not None:
        assert len(site.events("signal = 'post_save'")) == saves * REQUESTS
        return
    (row,) = site.query("SELECT count(*) AS permissions FROM auth_permission")
    counted: Counter[tuple[str, str]] = Counter()
    for event in site.events("sender = 'auth.Permission' AND signal LIKE '%_init'"):
        counted[event["trace_id"], event["signal"]] += event["count"]
    assert len(counted) == 2 * REQUESTS
    assert set(counted.values()) == {row["permissions"]}


def test_rows_read_through_a_cursor_on_the_server_fold(site: OnServer) -> None:
    site.project.run(
        """
        from django.contrib.auth.models import Permission
        with trace("reading"):
            for _ in range(10):
                for permission in Permission.objects.iterator(chunk_size=3):
                    pass
        """,
        **site.environment(),
    )
    (row,) = site.query("SELECT count(*) AS permissions FROM auth_permission")
    for signal in ("pre_init", "post_init"):
        rows = site.events(f"signal = '{signal}' AND origin_name = 'reading'")
        assert len(rows) < 10
        assert sum(event["count"] for event in rows) == 10 * row["permissions"]


def test_a_pool_of_one_connection_is_left_to_the_project(site: OnServer) -> None:
    pool = {"min_size": 1, "max_size": 1, "timeout": 5}
    command = [*GUNICORN, "--worker-class", "gthread", "--threads", "2"]
    environment = site.environment(OPTIONS={"pool": pool})
    with running(site.project, *command, **environment) as (address, _process):
        for number in range(REQUESTS):
            assert get(f"{address}/save/{number}/") == str(number)
            if number % 10 == 0:
                until(lambda number=number: site.finished() == number + 1)  # type: ignore[misc]
        until(lambda: site.finished() == REQUESTS)
    check_requests(site)
