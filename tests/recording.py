"""What the tests of recording and writing share."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django.db import transaction
from django.test import override_settings

import signals_demo
from signals_demo import flush
from signals_demo.catalog.outcomes import COMMITTED
from signals_demo.delivery.open_outcomes import Range
from signals_demo.delivery.writer import writer
from signals_demo.events import Event, Row
from signals_demo.models import SignalEvent
from signals_demo.serialize.text import encode
from signals_demo.sinks.memory import MemorySink
from signals_demo.tracing.trace import Trace
from tests.forkserver import Process, fork_server

MEMORY = {"memory": {"BACKEND": "signals_demo.sinks.memory.MemorySink"}}


def recorded(**keys: Any) -> override_settings:
    """Record with these keys of the setting, and raise the recorder's own faults."""
    return override_settings(SIGNALS_DEMO={"RECORD_TESTS": True, "STRICT": True} | keys)


def stored(unit: Trace) -> list[SignalEvent]:
    """Wait for the writer, and return the rows of a trace in the database."""
    assert flush(60)
    return list(SignalEvent.objects.in_trace(unit.trace_id))


def kept(unit: Trace) -> list[Row]:
    """Wait for the writer, and return the rows of a trace in the memory sink."""
    assert flush(60)
    rows = [row for row in list(MemorySink.rows) if row.trace_id == unit.trace_id]
    return sorted(rows, key=lambda row: row.position)


def left_open(*units: Trace) -> list[Range]:
    """Return what is remembered of rows of these traces that are stored as open."""
    traces = {unit.trace_id for unit in units}
    found = [
        each for _outcome, ranges in writer.pipeline.open_outcomes.ranges() for each in ranges
    ]
    return [each for each in found if each.trace_id in traces]


def row_maker() -> Callable[..., Row]:
    """Return what makes rows of one trace, numbered 1, 2, 3 …, with the fields given."""
    recorder = uuid.uuid4()
    numbers = iter(range(1, 100_000))

    def make(**fields: Any) -> Row:
        number = next(numbers)
        values: dict[str, Any] = {
            "recorder": recorder,
            "sequence": number,
            "occurred_at": datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
            "signal": "post_save",
            "sender": "auth.User",
            "trace_id": "ab" * 16,
            "span_id": "1a" * 8,
            "position": number,
            "depth": 1,
            "count": 1,
            "duration": timedelta(days=2, hours=3, microseconds=42),
            "origin": "request",
            "origin_name": "GET /",
            "actor_pk": "7",
            "actor": "Zoë \N{SNOWMAN} 𝄞",
            "remote_address": "::1",
            "object_pk": "5",
            "database": "default",
            "outcome": COMMITTED,
            "call_site": "shop/views.py:42 in checkout",
            "arguments": '{"using":"default","text":"Zoë 𝄞"}',
            "changes": '{"name":[null,"Ada"]}',
            "exception": "",
            "digest": "",
        }
        return Row(**values | fields)

    return make


def made_event(*, arguments: Any = None, changes: Any = None, **fields: Any) -> Event:
    """Return an event with these fields."""
    values: dict[str, Any] = {
        "sequence": 1,
        "time": 1_800_000_000_123_456_789,
        "signal": "post_save",
        "sender": "auth.User",
        "arguments": encode(arguments or {}),
        "object_pk": "5",
        "database": "default",
        "exception": "",
        "trace": Trace("block", "unit", trace_id="ab" * 16),
        "position": 3,
        "depth": 2,
        "duration": None,
        "outcome": None,
        "site": None,
        "changes": encode(changes or {}),
        "count": 1,
    }
    return Event(**values | fields)


def outcomes(rows: Iterable[Row | SignalEvent], *signals: str) -> list[tuple[str, str]]:
    """Return signal and outcome of the rows of these signals."""
    return [(row.signal, row.outcome) for row in rows if row.signal in signals]


def saves(rows: Iterable[Row | SignalEvent]) -> list[tuple[str, str]]:
    """Return signal and outcome of what saves have fired."""
    return outcomes(rows, "pre_save", "post_save")


class Boom(Exception):
    """What tests raise to have something roll back."""


def rolled_back(using: str = "default", **options: Any) -> "RolledBack":
    """Open an `atomic` block that is left by an exception."""
    return RolledBack(transaction.atomic(using, **options))


class RolledBack:
    """An `atomic` block that is left by an exception, which goes no further."""

    def __init__(self, block: transaction.Atomic) -> None:
        self.block = block

    def __enter__(self) -> None:
        self.block.__enter__()

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if error is None:
            self.block.__exit__(Boom, Boom(), None)
        else:
            self.block.__exit__(kind, error, traceback)


# Projects of their own, for what has to be seen from outside the process.

SETTINGS = """
import json, os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "protects nothing"
DEBUG = False
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    "signals_demo",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "signals_demo.middleware.SignalTraceMiddleware",
]
ROOT_URLCONF = "views"
WSGI_APPLICATION = "application.wsgi"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static"
USE_TZ = True

def sqlite(name):
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DATABASE_FILE", BASE_DIR / name),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }

DATABASES = {"default": sqlite("db.sqlite3")}
SIGNALS_DEMO = json.loads(os.environ.get("SIGNALS_DEMO", "{}"))
"""

APPLICATION = """
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

wsgi = get_wsgi_application()
asgi = get_asgi_application()
"""

MANAGE = """
import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
execute_from_command_line(sys.argv)
"""

SETUP = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
import django
django.setup()
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, connection, connections, transaction
from signals_demo import flush, suppress, trace
"""


@dataclass(frozen=True)
class Project:
    """A small project on disk, with SQLite, whose processes the tests start."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, *, views: str = "urlpatterns = []") -> "Project":
        folder.mkdir(exist_ok=True)
        files = {"settings": SETTINGS, "application": APPLICATION, "manage": MANAGE}
        for name, text in (files | {"views": textwrap.dedent(views)}).items():
            (folder / f"{name}.py").write_text(text)
        return cls(folder)

    @classmethod
    def migrated(cls, folder: Path, *, views: str = "urlpatterns = []") -> "Project":
        """Make one with its tables, and with the events of the `migrate` that has made them."""
        project = cls.make(folder, views=views)
        (folder / "db.sqlite3").write_bytes(_migrated_database())
        return project

    def copy(self, folder: Path) -> "Project":
        """Return a copy of it, with its database, in a folder that does not exist yet."""
        return Project(Path(shutil.copytree(self.folder, folder)))

    @property
    def environment(self) -> dict[str, str]:
        own = ("DJANGO_", "PYTHON", "PYTEST", "COV_", "SIGNALS_DEMO")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        where = Path(signals_demo.__file__).resolve().parent.parent
        return kept | {
            "PYTHONPATH": f"{self.folder}{os.pathsep}{where}",
            "PYTHONUNBUFFERED": "1",
            "PYTHONUTF8": "1",
        }

    def call(
        self, *command: str, setting: Mapping[str, Any] | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments, and wait for its end."""
        own = self.environment | {"SIGNALS_DEMO": json.dumps(setting or {})} | environment
        if command[0].endswith(".py"):
            return fork_server().run(*command, cwd=self.folder, env=own, timeout=120)
        if command[:2] == ("-m", "pytest"):
            return fork_server("pytest").run(*command, cwd=self.folder, env=own, timeout=120)
        return subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env=own,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def manage(self, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a management command, which has to succeed."""
        return _succeeded(self.call("manage.py", *command, **options))

    def run(self, code: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run some code after `django.setup()`, which has to succeed."""
        return _succeeded(self.attempt(code, **options))

    def attempt(self, code: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run some code after `django.setup()`."""
        script = self.folder / "script.py"
        script.write_text(SETUP + textwrap.dedent(code))
        return self.call("script.py", **options)

    @contextmanager
    def running(
        self, code: str, *, setting: Mapping[str, Any] | None = None, **environment: str
    ) -> Iterator[Process]:
        """Run some code after `django.setup()`, beside the test.

        What it prints can be read; its standard error is in the file `said`.
        """
        script = self.folder / "script.py"
        script.write_text(SETUP + textwrap.dedent(code))
        own = {"SIGNALS_DEMO": json.dumps(setting or {})}
        with self.beside(str(script), **own | environment) as process:
            yield process

    @contextmanager
    def beside(self, *command: str, **environment: str) -> Iterator[Process]:
        """Run a script with its arguments beside the test, until the block ends."""
        own = self.environment | environment
        with (
            (self.folder / "said").open("w") as said,
            fork_server().start(*command, cwd=self.folder, env=own, stderr=said) as process,
        ):
            try:
                yield process
            finally:
                process.kill_with_children()

    @property
    def said(self) -> str:
        return (self.folder / "said").read_text()

    def query(self, sql: str, name: str = "db.sqlite3") -> list[sqlite3.Row]:
        """Return what a database answers, from outside Django."""
        with closing(sqlite3.connect(self.folder / name, timeout=20)) as opened:
            opened.row_factory = sqlite3.Row
            return opened.execute(sql).fetchall()

    def execute(self, sql: str) -> None:
        """Change the database from outside Django."""
        with closing(sqlite3.connect(self.folder / "db.sqlite3", timeout=20)) as opened:
            opened.execute(sql)
            opened.commit()

    def forget(self) -> None:
        """Delete all that was recorded."""
        for table in ("signalevent", "signaltrace", "signalhour"):
            self.execute(f"DELETE FROM signals_demo_{table}")

    def events(self, where: str = "1") -> list[sqlite3.Row]:
        """Return the rows that were stored, in the order in which they were captured."""
        return self.query(
            f"SELECT * FROM signals_demo_signalevent WHERE {where} ORDER BY recorder, sequence"
        )

    def gaps(self) -> dict[str, int]:
        """Return how many numbers are missing of each recorder: they are 1, 2, 3 …"""
        numbers: dict[str, list[int]] = {}
        for row in self.events():
            numbers.setdefault(row["recorder"], []).append(row["sequence"])
        assert all(len(found) == len(set(found)) for found in numbers.values())
        return {recorder: max(found) - len(found) for recorder, found in numbers.items()}

    def has_no_gaps(self) -> bool:
        return not any(self.gaps().values())


@cache
def _migrated_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        project = Project.make(Path(folder))
        project.manage("migrate", "--verbosity=0")
        with closing(sqlite3.connect(project.folder / "db.sqlite3")) as opened:
            return opened.serialize()


def _succeeded(
    process: subprocess.CompletedProcess[str],
) -> subprocess.CompletedProcess[str]:
    assert process.returncode == 0, process.stdout + process.stderr
    return process
