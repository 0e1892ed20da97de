"""Databases that fail in earnest: nothing lost, nothing twice, and the project goes on."""

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.forkserver import Process
from tests.recording import Project
from tests.servers import HAS_POSTGRES, Cluster, until

pytestmark = pytest.mark.applies(settings.TEST_DATABASE == "sqlite")  # once is enough

TABLE = "signals_demo_signalevent"

# Where the project's rows and the events are. The events' SQLite waits only a moment for a lock.
SETTINGS = """
def postgres(name, **options):
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": os.environ["POSTGRES_PORT"],
        "USER": "postgres",
        "NAME": name,
        **options,
    }

place = os.environ.get("PLACE")
if place == "sqlite":
    DATABASES["events"] = sqlite("events.sqlite3")
    DATABASES["events"]["OPTIONS"]["timeout"] = 0.2
if place == "postgres":
    DATABASES["events"] = postgres("events")
if place == "all in postgres":
    DATABASES["default"] = postgres("events", **json.loads(os.environ.get("OPTIONS", "{}")))
if "events" in DATABASES:
    SIGNALS_DEMO["DATABASE"] = "events"
    DATABASE_ROUTERS = ["signals_demo.routers.SignalEventRouter"]
"""

# Saves one group after the other until it is asked to stop, and prints how many there are so far.
SAVE_ON = """
import time
number = 0
while not os.path.exists("stop"):
    Group.objects.create(name=str(number))
    number += 1
    print(number, flush=True)
    time.sleep(0.002)
"""
# Only what the saves fire, so that the number of events is known.
SAVES = {"SIGNALS": ["pre_save", "post_save"], "FLUSH_INTERVAL": 0.05}


class Place:
    """A project whose events are in a database that the test can break."""

    def __init__(self, project: Project, environment: Mapping[str, str]) -> None:
        self.project = project
        self.environment = dict(environment)

    def query(self, sql: str) -> list[Any]:
        raise NotImplementedError

    def move_the_project_there(self) -> None:
        raise NotImplementedError

    def hide_table(self) -> None:
        self.query(f"ALTER TABLE {TABLE} RENAME TO hidden")

    def show_table(self) -> None:
        self.query(f"ALTER TABLE hidden RENAME TO {TABLE}")

    def stored(self) -> int:
        (row,) = self.query(f"SELECT count(*) AS number FROM {TABLE}")
        return int(row["number"])

    def check(self, saves: int) -> None:
        """Each save has its two events, once, in order, and all say that it was committed."""
        rows = self.query(f"SELECT * FROM {TABLE} ORDER BY sequence")
        assert [row["sequence"] for row in rows] == list(range(1, 2 * saves + 1))
        assert [row["signal"] for row in rows] == ["pre_save", "post_save"] * saves
        assert {row["outcome"] for row in rows} == {"committed"}


class InSQLite(Place):
    file = "events.sqlite3"

    def move_the_project_there(self) -> None:
        self.file = "db.sqlite3"
        del self.environment["PLACE"]

    def query(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self.project.folder / self.file, timeout=20)) as own:
            own.row_factory = sqlite3.Row
            found = own.execute(sql).fetchall()
            own.commit()
            return found


class InPostgres(Place):
    cluster: Cluster

    def move_the_project_there(self) -> None:
        self.environment["PLACE"] = "all in postgres"

    def query(self, sql: str) -> list[Any]:
        return self.cluster.query("events", sql)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.migrated(tmp_path_factory.mktemp("outages") / "project")
    with (project.folder / "settings.py").open("a") as opened:
        opened.write(SETTINGS)
    project.forget()
    options = {"setting": {"ENABLED": False}, "PLACE": "sqlite"}
    project.manage("migrate", "--verbosity=0", "--database=events", **options)
    return project


@pytest.fixture
def project(migrated: Project, tmp_path: Path) -> Project:
    return migrated.copy(tmp_path / "project")


@pytest.fixture(scope="module")
def cluster(migrated: Project) -> Iterator[Cluster]:
    """Return a running server with a migrated database."""
    own = Cluster.make()
    own.start()
    try:
        own.query("postgres", "CREATE DATABASE migrated")
        environment = {"PLACE": "all in postgres", "POSTGRES_PORT": str(own.port)}
        with (migrated.folder / "settings.py").open("a") as opened:
            opened.write(
                '\nif "MIGRATE" in os.environ: DATABASES["default"]["NAME"] = "migrated"\n'
            )
        migrated.manage(
            "migrate", "--verbosity=0", setting={"ENABLED": False}, MIGRATE="yes", **environment
        )
        yield own
    finally:
        own.remove()


@pytest.fixture
def in_sqlite(project: Project) -> InSQLite:
    return InSQLite(project, {"PLACE": "sqlite"})


@pytest.fixture
def in_postgres(project: Project, cluster: Cluster) -> InPostgres:
    cluster.query("postgres", "DROP DATABASE IF EXISTS events WITH (FORCE)")
    cluster.query("postgres", "CREATE DATABASE events TEMPLATE migrated")
    place = InPostgres(project, {"PLACE": "postgres", "POSTGRES_PORT": str(cluster.port)})
    place.cluster = cluster
    return place


IN_POSTGRES = pytest.param("in_postgres", marks=pytest.mark.applies(HAS_POSTGRES))


@pytest.fixture(params=["in_sqlite", IN_POSTGRES])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


class Running:
    """A process of the project's that keeps saving while the test breaks something."""

    def __init__(self, process: Process, project: Project) -> None:
        assert process.stdout is not None
        self.process = process
        self.printed = process.stdout
        self.project = project
        self.saves = 0

    def save(self, more: int) -> None:
        """Wait until it has saved so many more."""
        for _ in range(more):
            line = self.printed.readline()
            assert line, self.project.said
            self.saves = int(line)

    def stop(self) -> str:
        """Have it end, and return what it said on stderr."""
        (self.project.folder / "stop").touch()
        for line in self.printed:
            self.saves = int(line)
        assert self.process.wait(60) == 0, self.project.said
        return self.project.said


def check_an_outage(
    place: Place, begin: Callable[[], None], end: Callable[[], None], prepare: str = ""
) -> str:
    """Break the database twice while a process saves; return what the process said of it."""
    project = place.project
    with project.running(prepare + SAVE_ON, setting=SAVES, **place.environment) as process:
        running = Running(process, project)
        running.save(50)
        until(place.stored)
        for _ in range(2):
            begin()
            running.save(200)  # the project goes on
            end()
            known = 2 * running.saves
            until(lambda known=known: place.stored() >= known)  # type: ignore[misc]
            running.save(20)
        said = running.stop()
    assert "not stored" not in said
    assert "Traceback" not in said
    place.check(running.saves)
    return said


@pytest.mark.applies(HAS_POSTGRES)
@pytest.mark.parametrize("how", ["crashes", "hangs"])
def test_a_server_that_fails_and_comes_back(in_postgres: InPostgres, how: str) -> None:
    server = in_postgres.cluster
    begin, end = (server.stop, server.start) if how == "crashes" else (server.freeze, server.thaw)
    check_an_outage(in_postgres, begin, end)


def test_a_table_that_goes_and_comes_back(place: Place) -> None:
    said = check_an_outage(place, place.hide_table, place.show_table)
    assert "Sink" not in said  # it may be before the first migrate


@pytest.mark.applies(HAS_POSTGRES)
def test_connections_that_the_server_kills_again_and_again(in_postgres: InPostgres) -> None:
    kill = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = 'events' AND pid <> pg_backend_pid()
    """
    killed = []

    def begin() -> None:
        killed.extend(in_postgres.query(kill))

    check_an_outage(in_postgres, begin, begin)
    assert len(killed) > 1


CANNOT = "Sink 'default' cannot store events and will try again: database is locked"
AGAIN = "Sink 'default' stores events again."


def test_a_lock_that_is_held_for_long_is_reported_once_and_its_end_too(
    in_sqlite: InSQLite,
) -> None:
    impatient = "from signals_demo.sinks.base import Busy\nBusy.patience = 0.1\n"
    project, reports = in_sqlite.project, count(1)
    with closing(sqlite3.connect(project.folder / "events.sqlite3")) as other:

        def end() -> None:
            expected = next(reports)
            until(lambda: project.said.count(CANNOT) == expected)
            other.rollback()

        said = check_an_outage(
            in_sqlite, lambda: other.execute("BEGIN IMMEDIATE") and None, end, impatient
        )
    assert said.splitlines() == [CANNOT, AGAIN, CANNOT, AGAIN]


def test_a_lock_that_is_held_for_a_moment_is_not_reported(in_sqlite: InSQLite) -> None:
    with closing(sqlite3.connect(in_sqlite.project.folder / "events.sqlite3")) as other:
        said = check_an_outage(
            in_sqlite, lambda: other.execute("BEGIN IMMEDIATE") and None, other.rollback
        )
    assert said == ""


def test_a_loop_of_creates_logs_nothing(project: Project) -> None:
    """With the settings of a new project, where nothing keeps the two writers apart."""
    with (project.folder / "settings.py").open("a") as settings:
        settings.write("del DATABASES['default']['OPTIONS']\n")
    project.execute("PRAGMA journal_mode=DELETE")
    code = """
    import time
    from signals_demo.sinks.base import Busy
    Busy.patience = 1.0  # it would say so after ten seconds
    until = time.monotonic() + 3
    while time.monotonic() < until:
        Group.objects.create(name=os.urandom(8).hex())
    assert flush(60)
    """
    process = project.run(code, setting={"FLUSH_INTERVAL": 0.01})
    assert process.stderr == ""
    assert project.has_no_gaps()


# The project in the same database


TRY_ON = """
import time
from django.db import DatabaseError, InterfaceError
number = 0
while not os.path.exists("stop"):
    try:
        with transaction.atomic():
            Group.objects.create(name=str(number))
    except (DatabaseError, InterfaceError):
        connection.close()
        time.sleep(0.05)
    number += 1
    print(number, flush=True)
    time.sleep(0.002)
"""


@pytest.mark.applies(HAS_POSTGRES)
@pytest.mark.parametrize("mode", ["background", "inline"])
def test_a_server_that_takes_the_project_s_rows_with_it(
    in_postgres: InPostgres, mode: str
) -> None:
    """The log says what became of each try, as the project's own table does."""
    project, server = in_postgres.project, in_postgres.cluster
    in_postgres.move_the_project_there()
    setting = SAVES | {"MODE": mode}
    with project.running(TRY_ON, setting=setting, **in_postgres.environment) as process:
        running = Running(process, project)
        running.save(50)
        for _ in range(2):
            server.stop()
            running.save(10)
            server.start()
            running.save(50)
        said = running.stop()
    assert "not stored" not in said
    assert "Traceback" not in said
    rows = in_postgres.query(f"SELECT * FROM {TABLE} ORDER BY sequence")
    if mode == "background":
        assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    there = {row["name"] for row in in_postgres.query("SELECT name FROM auth_group")}
    committed = {
        row["changes"]["name"][1]
        for row in rows
        if row["signal"] == "post_save" and row["outcome"] == "committed"
    }
    assert committed == there
    assert {row["outcome"] for row in rows} <= {"committed", "rolled_back"}


IN_A_TRANSACTION = """
with transaction.atomic(using="default"):
    Group.objects.create(name="first")
    Group.objects.create(name="second")
assert Group.objects.count() == 2
print("committed", flush=True)
while not os.path.exists("stop"):
    import time
    time.sleep(0.05)
assert flush(30)
"""


def test_inline_a_missing_table_breaks_no_transaction(place: Place) -> None:
    """The events come later, by the thread."""
    place.move_the_project_there()
    place.hide_table()
    project, setting = place.project, SAVES | {"MODE": "inline"}
    with project.running(IN_A_TRANSACTION, setting=setting, **place.environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "committed\n", project.said
        place.show_table()
        (project.folder / "stop").touch()
        assert process.wait(60) == 0, project.said
    assert len(place.query("SELECT * FROM auth_group")) == 2
    place.check(2)


# The end of the process while the database is out of order

# In between the writer begins, and what comes then waits elsewhere than what it has taken.
SAVE_AND_END = """
import time
for number in range(20):
    Group.objects.create(name=str(number))
    if number == 9:
        time.sleep(0.5)
print("saved", flush=True)
"""


def check_the_end(place: Place) -> None:
    """It comes in bounded time, and the number of lost events is said."""
    process = place.project.run(SAVE_AND_END, setting=SAVES, **place.environment)
    assert process.stdout == "saved\n"
    (number,) = re.findall(
        r"(\d+) signal events of this process were not stored: .", process.stderr
    )
    assert int(number) == 40


# More than the writer stores in the time after which it gives up if it stores nothing.
SLOWLY = """
import time
from signals_demo.sinks.database import DatabaseSink
store = DatabaseSink.store
def store_slowly(self, rows):
    time.sleep(0.25)
    store(self, rows)
DatabaseSink.store = store_slowly
for number in range(300):
    Group.objects.create(name=str(number))
"""
IN_30_BATCHES = SAVES | {"FLUSH_INTERVAL": 600, "BATCH_SIZE": 20}


def test_the_end_of_a_process_goes_on_as_long_as_something_is_stored(
    in_sqlite: InSQLite,
) -> None:
    environment = in_sqlite.environment
    process = in_sqlite.project.run(SLOWLY, setting=IN_30_BATCHES, **environment)
    assert process.stderr == ""
    assert in_sqlite.stored() == 600


def test_the_end_of_a_process_takes_no_longer_than_it_may(in_sqlite: InSQLite) -> None:
    setting = IN_30_BATCHES | {"SHUTDOWN_TIMEOUT": 1}
    process = in_sqlite.project.run(SLOWLY, setting=setting, **in_sqlite.environment)
    (left,) = re.findall(r"(\d+) signal events of this process were not stored", process.stderr)
    assert int(left) == 600 - in_sqlite.stored()
    assert 0 < int(left) < 600


def test_the_end_of_a_process_while_the_database_is_locked(in_sqlite: InSQLite) -> None:
    with closing(sqlite3.connect(in_sqlite.project.folder / "events.sqlite3")) as other:
        other.execute("BEGIN IMMEDIATE")
        check_the_end(in_sqlite)
        other.rollback()
    assert in_sqlite.stored() == 0


@pytest.mark.applies(HAS_POSTGRES)
@pytest.mark.parametrize("how", ["crashes", "hangs"])
def test_the_end_of_a_process_while_the_server_is_away(in_postgres: InPostgres, how: str) -> None:
    server = in_postgres.cluster
    begin, end = (server.stop, server.start) if how == "crashes" else (server.freeze, server.thaw)
    begin()
    try:
        check_the_end(in_postgres)
    finally:
        end()
    assert in_postgres.stored() == 0
