"""What all tests share: the choice of tests, and an honest word on what was left out."""

import os
import sys
from pathlib import Path

import pytest
from django.conf import settings

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
    terminalreporter.section("left out of this run")
    for what, command in left_out:
        terminalreporter.line(f"{what}:".ljust(27) + command)
    terminalreporter.line("docs/contributing.md says what each of them needs.")
