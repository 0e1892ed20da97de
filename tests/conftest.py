"""What all tests share: their groups, when signals are recorded, what a run leaves out."""

import atexit
import gc
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import pytest_django
from django.conf import settings
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection
from django.test import Client, SimpleTestCase, TestCase, TransactionTestCase, override_settings
from django.utils import translation

from signals_demo import flush
from signals_demo.capture import lazy
from signals_demo.delivery.writer import writer
from signals_demo.models import SignalEvent, SignalHour, SignalTrace
from tests.factories import UserFactory

lazy.load()  # these tests look at what records, whether or not they capture

# Nothing of what is imported and collected is ever garbage: do not look through it all the time.
gc.disable()

TESTS = Path(__file__).parent
BROWSER_TESTS = TESTS / "browser"

PYTEST = f"{os.path.relpath(sys.executable)} -m pytest"

# The groups by which CI selects: pyproject.toml describes them. A test that names none is in its
# folder's.
GROUPS = {"benchmarks", "one_database", "processes", "stored"}
FOLDERS = {
    "benchmarks": "benchmarks",
    "capture": "stored",
    "catalog": "one_database",
    "delivery": "stored",
    "demo": "one_database",
    "inspection": "one_database",
    "processes": "processes",
    "query": "stored",
    "rollups": "stored",
    "sinks": "stored",
    "testing": "one_database",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--browser",
        action="store_true",
        help="run the tests in tests/browser, which need Chromium, and no others",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    # Either, never both: Playwright keeps an event loop running, in which Django refuses queries.
    wanted = config.getoption("--browser")
    if _in_browser_tests(collection_path):
        return None if wanted else True
    return True if wanted and collection_path.is_file() else None


LEFT_OUT = pytest.StashKey[list[tuple[str, str]]]()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Put a test into its group."""
    if not GROUPS.intersection(marker.name for marker in item.iter_markers()):
        folder = item.path.relative_to(TESTS).parts[0]
        if group := FOLDERS.get(folder) or ("" if _needs_a_database(item) else "one_database"):
            item.add_marker(group)


def _needs_a_database(item: pytest.Item) -> bool:
    test_class = getattr(item, "cls", None)
    return (
        "db" in getattr(item, "fixturenames", ())
        or any(item.iter_markers("django_db"))
        or any(item.iter_markers("applies"))  # perhaps to one database
        or (test_class is not None and issubclass(test_class, SimpleTestCase))
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out what does not apply here, and what has to be asked for."""
    left_out = config.stash[LEFT_OUT] = []
    applying = [item for item in items if _applies(item)]
    if number := len(items) - len(applying):
        left_out.append((f"{number} of another Django or database", "CI runs them"))
    items[:] = applying
    if "benchmarks" not in config.option.markexpr:
        items[:] = [item for item in items if not any(item.iter_markers("benchmarks"))]
        if number := len(applying) - len(items):
            left_out.append((f"{number} of the benchmarks", f"{PYTEST} -m benchmarks"))


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if output := getattr(session.config, "workeroutput", None):
        output["left_out"] = session.config.stash.get(LEFT_OUT, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of xdist has left out; each leaves out the same."""
    if found := getattr(node, "workeroutput", {}).get("left_out"):
        node.config.stash[LEFT_OUT] = found


def _applies(item: pytest.Item) -> bool:
    return all(marker.args[0] for marker in item.iter_markers("applies"))


# The test that is running, for the hook below.
_running: list[pytest.Item] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    _running.append(item)
    try:
        return (yield)
    finally:
        _running.clear()


def _on_audit_event(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse to start a process for a test that is not marked as one that does."""
    if event == "subprocess.Popen" and _running:
        markers = {marker.name for marker in _running[0].iter_markers()}
        if not markers & {"benchmarks", "processes"} and not _in_browser_tests(_running[0].path):
            pytest.fail(f"This test starts {arguments[0]}: give it the marker `processes`.")


sys.addaudithook(_on_audit_event)


def _in_browser_tests(path: Path) -> bool:
    return BROWSER_TESTS in (path, *path.parents)


def ignore_no_signals() -> None:
    """Let the processes that are started from now on begin with the default handlers.

    A shell starts what runs in its background with SIGINT ignored, `nohup` with SIGHUP. Children
    inherit that, while a handler of Python's lasts no longer than its process.
    """
    for name in ("SIGHUP", "SIGINT", "SIGQUIT"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture(scope="session", autouse=True)
def children() -> None:
    """Start processes as a terminal does, wherever the tests themselves were started."""
    ignore_no_signals()


@pytest.fixture(autouse=True)
def language() -> Iterator[None]:
    """Leave no language to the next test: a request in one leaves it active in its thread."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def recording(request: pytest.FixtureRequest) -> Iterator[None]:
    """Begin each test with an empty record, and record during those that commit.

    A test in a transaction (`django_db` without `transaction=True`) could not see what the
    writer's own connection stores, and on SQLite would lock it out; a test without a database
    has nowhere to store it. Those that want something recorded set RECORD_TESTS themselves.
    """
    if not _commits(request):
        if "db" in request.fixturenames or request.node.get_closest_marker("django_db"):
            request.getfixturevalue("db")
            _empty()
        yield
        return
    request.getfixturevalue("transactional_db")
    with override_settings(SIGNALS_DEMO=settings.SIGNALS_DEMO | {"RECORD_TESTS": True}):
        flush()
        _empty()
        yield
        flush()


def _empty() -> None:
    for model in (SignalEvent, SignalTrace, SignalHour):
        models = model._default_manager.all()
        models._raw_delete(models.db)  # no signal, and nothing that refers to them


@pytest.fixture
def only_made_events(db: None, settings: Any) -> None:
    """Record nothing, so that all events are those that the test makes."""
    settings.SIGNALS_DEMO = {"ENABLED": False}
    _empty()


@pytest.fixture
def reader(client: Client) -> Client:
    """Log in as somebody who may read the log and nothing else."""
    user = UserFactory.create(username="reader", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_signalevent"))
    client.force_login(user)
    return client


def _commits(request: pytest.FixtureRequest) -> bool:
    if request.cls is not None and issubclass(request.cls, TransactionTestCase):
        return not issubclass(request.cls, TestCase)
    marker = request.node.get_closest_marker("django_db")
    return "transactional_db" in request.fixturenames or bool(
        marker and marker.kwargs.get("transaction")
    )


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None, django_db_blocker: pytest_django.DjangoDbBlocker
) -> Iterator[None]:
    """Make the test database; before it is dropped, take the writer's connection from it."""
    with django_db_blocker.unblock():
        restore = _restorer()
    with patch.object(TransactionTestCase, "_fixture_teardown", restore):
        yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


def _restorer() -> Callable[[TransactionTestCase], None]:
    """Return what empties the database after a test that commits, as quickly as it can be done.

    Django sends `post_migrate`, whose receivers look for each content type and each permission.
    All that they would make is put back instead.
    """
    made_by_migrate = [(model, list(model.objects.all())) for model in (ContentType, Permission)]

    def restore(test: TransactionTestCase) -> None:
        call_command("flush", verbosity=0, interactive=False, inhibit_post_migrate=True)
        for model, rows in made_by_migrate:
            model.objects.bulk_create(rows)

    return restore


def pytest_unconfigure() -> None:
    # The test database is gone: there is nowhere to store what came last.
    atexit.unregister(writer.shut_down)


def pytest_report_header() -> str:
    return f"database: {settings.TEST_DATABASE}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.config.getoption("--browser"):
        left_out = [("all other tests", PYTEST)]
    else:
        left_out = [("the tests in a browser", f"{PYTEST} --browser")]
        left_out += [
            (f"these tests on {name}", f"TEST_DATABASE={name} {PYTEST}")
            for name in settings.TEST_DATABASES
            if name != settings.TEST_DATABASE
        ]
    left_out += terminalreporter.config.stash.get(LEFT_OUT, [])
    terminalreporter.section("left out of this run")
    for what, command in left_out:
        terminalreporter.line(f"{what}:".ljust(34) + command)
    terminalreporter.line("docs/contributing.md says what each of them needs.")
