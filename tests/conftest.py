"""What all tests share: when signals are recorded, which tests are run, what was left out."""

import atexit
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_django
from django.conf import settings
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client, TestCase, TransactionTestCase, override_settings
from django.utils import translation

from signals_demo import flush
from signals_demo.capture import lazy
from signals_demo.delivery.writer import writer
from signals_demo.models import SignalEvent, SignalHour, SignalTrace
from tests.factories import UserFactory

lazy.awaken()  # these tests look at what records, whether or not they capture

BROWSER_TESTS = Path(__file__).parent / "browser"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--browser",
        action="store_true",
        help="run the tests in tests/browser, which need Chromium, and no others",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    # Either, never both: Playwright keeps an event loop running, in which Django refuses queries.
    wanted = config.getoption("--browser")
    if BROWSER_TESTS in (collection_path, *collection_path.parents):
        return None if wanted else True
    return True if wanted and collection_path.is_file() else None


NOT_APPLICABLE = pytest.StashKey[int]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out the tests whose `applies` marker says that here is nothing to test."""
    found = [item for item in items if _applies(item)]
    config.stash[NOT_APPLICABLE] = len(items) - len(found)
    items[:] = found


def _applies(item: pytest.Item) -> bool:
    return all(marker.args[0] for marker in item.iter_markers("applies"))


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
    SignalEvent.objects.all().delete()
    SignalTrace.objects.all().delete()
    SignalHour.objects.all().delete()


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
    yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


def pytest_unconfigure() -> None:
    # The test database is gone: there is nowhere to store what came last.
    atexit.unregister(writer.shut_down)


def pytest_report_header() -> str:
    return f"database: {settings.TEST_DATABASE}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    pytest_command = f"{os.path.relpath(sys.executable)} -m pytest"
    if terminalreporter.config.getoption("--browser"):
        left_out = [("all other tests", pytest_command)]
    else:
        left_out = [("the tests in a browser", f"{pytest_command} --browser")]
        left_out += [
            (f"these tests on {name}", f"TEST_DATABASE={name} {pytest_command}")
            for name in settings.TEST_DATABASES
            if name != settings.TEST_DATABASE
        ]
    if number := terminalreporter.config.stash.get(NOT_APPLICABLE, 0):
        left_out.append((f"{number} of another Django or database", "CI runs them"))
    terminalreporter.section("left out of this run")
    for what, command in left_out:
        terminalreporter.line(f"{what}:".ljust(34) + command)
    terminalreporter.line("docs/contributing.md says what each of them needs.")
