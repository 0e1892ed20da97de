"""The built wheel in a project that `startproject` has just made, one line added.

It installs Django from the package index, as a person does, so it costs some seconds; the
plain test command still runs it, because nothing else shows that the wheel is whole.
"""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
import venv
import zipfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import django
import pytest

import signals_demo
from tests.servers import Server, clean_environment, serve

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPTS = ROOT / "tests" / "scripts"
EVENTS = "/admin/signals_demo/signalevent/"
PASSWORD = "plum-Tractor-7781"
WRONG_PASSWORD = "quince-Ladder-5530"
NEW_PASSWORD = "medlar-Bucket-9046"
BEARER = "bearer-walnut-1265"


@dataclass(frozen=True, slots=True)
class Project:
    """A Django project of somebody's own, with a virtual environment."""

    folder: Path
    python: Path

    @property
    def settings(self) -> Path:
        return self.folder / "mysite" / "settings.py"

    def run(self, *arguments: object, **environment: str) -> str:
        """Run Python in the project and return what it printed."""
        done = subprocess.run(
            [self.python, *map(str, arguments)],
            cwd=self.folder,
            env=clean_environment(**environment),
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def install(self, *packages: object) -> None:
        """Install packages with the pip of the tests, which takes half as long as an own one."""
        pip = [sys.executable, "-m", "pip", "--python", self.python]
        subprocess.run(
            [*pip, "install", "--quiet", "--no-compile", *map(str, packages)],
            env=clean_environment(),
            check=True,
            timeout=180,
        )

    def script(self, name: str) -> str:
        return self.run(
            SCRIPTS / name,
            DJANGO_SETTINGS_MODULE="mysite.settings",
            PYTHONPATH=str(self.folder),
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return every stored event, oldest first, as the database has it."""
        with closing(sqlite3.connect(self.folder / "db.sqlite3")) as database:
            database.row_factory = sqlite3.Row
            rows = database.execute("SELECT * FROM signals_demo_signalevent ORDER BY id")
            return [dict(row) for row in rows]

    def copy(self, folder: Path) -> "Project":
        return Project(shutil.copytree(self.folder, folder), self.python)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that TEST_WHEEL names, or else one built from this checkout."""
    if given := os.environ.get("TEST_WHEEL"):
        return Path(given).resolve(strict=True)
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project with the wheel, as its first `migrate` left it."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder / "venv")
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    project = Project(folder / "site", python)
    project.folder.mkdir()
    project.install(wheel, f"Django=={django.__version__}", "pytest-django")
    project.run("-m", "django", "startproject", "mysite", ".")
    settings = project.settings.read_text(encoding="utf-8")
    one_line_more = settings.replace(
        "INSTALLED_APPS = [\n", "INSTALLED_APPS = [\n    'signals_demo',\n"
    )
    assert one_line_more.count("\n") == settings.count("\n") + 1
    project.settings.write_text(one_line_more, encoding="utf-8")
    project.run("manage.py", "migrate", "--verbosity=0")
    project.run(
        *("manage.py", "createsuperuser", "--noinput", "--verbosity=0"),
        *("--username=admin", "--email=admin@example.com"),
        DJANGO_SUPERUSER_PASSWORD=PASSWORD,
    )
    return project


@pytest.fixture
def project(installed: Project, tmp_path: Path) -> Project:
    """A copy of the project, for one test alone."""
    return installed.copy(tmp_path / "site")


@pytest.fixture(scope="module")
def without(installed: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The SQL of everyday code in the same project, the app taken away."""
    copy = installed.copy(tmp_path_factory.mktemp("without") / "site")
    with copy.settings.open("a") as settings:
        settings.write("INSTALLED_APPS.remove('signals_demo')\n")
    queries: dict[str, list[str]] = json.loads(copy.script("everyday.py"))
    return queries


@dataclass
class Visitor:
    """A browser without a screen: it keeps cookies and every secret that it was given."""

    server: Server
    cookies: CookieJar = field(default_factory=CookieJar)
    secrets: set[str] = field(default_factory=set)

    def get(self, path: str) -> str:
        return self._open(Request(self.server.address + path))

    def post(self, path: str, *, form: str = "", **fields: str) -> str:
        """Open the page that has the form (`path` itself, or `form`), and send it."""
        self.get(form or path)
        fields["csrfmiddlewaretoken"] = next(
            cookie.value or "" for cookie in self.cookies if cookie.name == "csrftoken"
        )
        return self._open(Request(self.server.address + path, data=urlencode(fields).encode()))

    def _open(self, request: Request) -> str:
        request.add_header("Authorization", f"Bearer {BEARER}")
        try:
            with build_opener(HTTPCookieProcessor(self.cookies)).open(request, timeout=30) as got:
                page: str = got.read().decode()
        except HTTPError as error:
            with error:
                pytest.fail(f"{request.full_url}: {error.code}\n{self.server.printed[-5000:]}")
        self.secrets.update(cookie.value for cookie in self.cookies if cookie.value)
        self.secrets.update(re.findall(r'csrfmiddlewaretoken" value="(\w+)"', page))
        return page


@dataclass(frozen=True, slots=True)
class Visit:
    """What a visit to the fresh project's admin left behind."""

    rows: list[dict[str, Any]]
    listed: str
    printed: str
    secrets: set[str]


@pytest.fixture(scope="module")
def visit(installed: Project, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    """A person logs in to the admin, after one failure, and changes some things."""
    folder = tmp_path_factory.mktemp("visit")
    project = installed.copy(folder / "site")
    with serve(project.python, project.folder, folder / "log", clean_environment()) as server:
        visitor = Visitor(server, secrets={PASSWORD, WRONG_PASSWORD, NEW_PASSWORD, BEARER})
        visitor.post("/admin/login/?next=/admin/", username="admin", password=WRONG_PASSWORD)
        visitor.post("/admin/login/?next=/admin/", username="admin", password=PASSWORD)
        visitor.post("/admin/auth/group/add/", name="Editors")
        visitor.post("/admin/auth/group/1/delete/", post="yes")
        visitor.post(
            "/admin/auth/user/add/",
            username="grace",
            usable_password="true",
            password1=NEW_PASSWORD,
            password2=NEW_PASSWORD,
        )
        visitor.post("/admin/auth/user/2/delete/", post="yes")
        visitor.post("/admin/logout/", form="/admin/")
        time.sleep(1)  # The promise: everything is in the admin within a second.
        rows = project.rows()
        visitor.post("/admin/login/?next=/admin/", username="admin", password=PASSWORD)
        listed = visitor.get(f"{EVENTS}?q=auth.Group")
    return Visit(rows, listed, server.printed, visitor.secrets)


def of_page(rows: Sequence[dict[str, Any]], origin_name: str) -> list[dict[str, Any]]:
    """Return the events of the last request that is called `origin_name`, in order."""
    traces = [row["trace_id"] for row in rows if row["origin_name"] == origin_name]
    assert traces, f"{origin_name} is not among {sorted({row['origin_name'] for row in rows})}"
    events = [row for row in rows if row["trace_id"] == traces[-1]]
    return sorted(events, key=lambda row: row["position"])


def signals(events: Sequence[dict[str, Any]], sender: str) -> list[str]:
    """Return the signals of one sender, without those of instances being made."""
    return [
        event["signal"]
        for event in events
        if event["sender"] == sender and not event["signal"].endswith("_init")
    ]


def test_the_wheel_holds_the_app_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    packed = {name for name in names if ".dist-info/" not in name}
    app = Path(signals_demo.__file__).parent
    assert packed == {
        path.relative_to(app.parent).as_posix()
        for path in app.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    for kind in ("py.typed", "migrations/0001_initial.py", "templates/", "static/"):
        assert any(name.startswith(f"signals_demo/{kind}") for name in packed), kind


def test_a_fresh_project_has_nothing_to_mend(project: Project) -> None:
    assert "no issues" in project.run("manage.py", "check", "--fail-level=WARNING")
    assert "No changes" in project.run("manage.py", "makemigrations", "--check", "--dry-run")


def test_makemigrations_before_the_first_migrate_says_nothing_else(project: Project) -> None:
    command = [project.python, "manage.py", "makemigrations"]
    done = subprocess.run(
        command,
        cwd=project.folder, env=clean_environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("No changes detected\n", "")


def test_the_first_migrate_is_recorded(installed: Project) -> None:
    migrate = [row for row in installed.rows() if row["origin_name"] == "migrate"]
    assert {row["origin"] for row in migrate} == {"command"}
    found = [row["signal"] for row in migrate if row["sender"] == "signals_demo"]
    assert found == ["pre_migrate", "post_migrate"]


def test_a_failed_login(visit: Visit) -> None:
    failed = [row for row in visit.rows if row["signal"] == "user_login_failed"]
    assert [row["origin_name"] for row in failed] == ["POST /admin/login/"]


def test_a_login_and_a_logout(visit: Visit) -> None:
    found = [
        (row["signal"], row["origin_name"], row["actor"], row["remote_address"])
        for row in visit.rows
        if row["signal"] in ("user_logged_in", "user_logged_out")
    ]
    assert found == [
        ("user_logged_in", "POST /admin/login/", "admin", "127.0.0.1"),
        ("user_logged_out", "POST /admin/logout/", "admin", "127.0.0.1"),
    ]


@pytest.mark.parametrize(
    ("path", "sender", "expected"),
    [
        ("/admin/auth/group/add/", "auth.Group", ["pre_save", "post_save"]),
        ("/admin/auth/group/1/delete/", "auth.Group", ["pre_delete", "post_delete"]),
        ("/admin/auth/user/add/", "auth.User", ["pre_save", "post_save"]),
        ("/admin/auth/user/2/delete/", "auth.User", ["pre_delete", "post_delete"]),
    ],
)
def test_a_change_in_the_admin(visit: Visit, path: str, sender: str, expected: list[str]) -> None:
    events = of_page(visit.rows, f"POST {path}")
    assert events[0]["signal"] == "request_started"
    assert events[-1]["signal"] == "request_finished"
    assert len({event["position"] for event in events}) == len(events)
    assert signals(events, sender) == expected
    assert signals(events, "admin.LogEntry") == ["pre_save", "post_save"]


def test_the_admin_lists_the_events(visit: Visit) -> None:
    for signal in ("pre_save", "post_save", "pre_delete", "post_delete"):
        assert signal in visit.listed


def test_the_server_had_nothing_to_complain_of(visit: Visit) -> None:
    assert "Traceback" not in visit.printed
    assert "signals_demo" not in visit.printed.replace(EVENTS, "")


def test_no_secret_is_stored(visit: Visit) -> None:
    assert len(visit.secrets) > 10
    stored = json.dumps([list(map(str, row.values())) for row in visit.rows])
    assert [secret for secret in visit.secrets if secret in stored] == []
    assert "pbkdf2_sha256$" not in stored


def test_nothing_is_recorded_of_the_record(visit: Visit) -> None:
    assert [row for row in visit.rows if "SignalEvent" in row["sender"]] == []


def test_host_code_runs_as_many_queries_with_the_app(
    project: Project, without: dict[str, list[str]]
) -> None:
    queries = json.loads(project.script("everyday.py"))
    more = {name: len(queries[name]) - len(without[name]) for name in queries}
    # Django's own doing, where anybody listens to m2m_changed (see the README).
    assert {name: number for name, number in more.items() if number} == {"add to a relation": 1}


def test_host_code_of_excluded_models_runs_the_same_queries(
    project: Project, without: dict[str, list[str]]
) -> None:
    with project.settings.open("a") as settings:
        settings.write("SIGNALS_DEMO = {'EXCLUDE_MODELS': ['admin.*', 'auth.*']}\n")
    assert json.loads(project.script("everyday.py")) == without


def test_two_thousand_saves_end(project: Project) -> None:
    project.script("many_saves.py")
    rows = project.rows()
    assert not any("SignalEvent" in row["sender"] for row in rows)
    for signal in ("pre_save", "post_save"):
        saves = [
            row["count"]
            for row in rows
            if row["sender"] == "auth.Group" and row["signal"] == signal
        ]
        assert sum(saves) == 2_000


TEST_OF_SOMEBODY = """
import pytest
from django.contrib.auth.models import User


@pytest.mark.django_db
def test_creating_a_user(capsignals):
    User.objects.create_user("ada")
    assert capsignals.names == ["pre_init", "post_init", "pre_save", "post_save"]
"""


def test_pytest_has_the_fixture(project: Project) -> None:
    before = project.rows()
    (project.folder / "test_users.py").write_text(TEST_OF_SOMEBODY, encoding="utf-8")
    said = project.run("-m", "pytest", "--ds=mysite.settings", "-W", "error")
    assert "1 passed" in said
    assert project.rows() == before
