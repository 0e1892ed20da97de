"""Whether this process runs tests, and whether anything wants what fires there.

The recorder asks here and nowhere else. A test run stores nothing unless `RECORD_TESTS` is set.
"""

import os
import sys
import weakref
from collections.abc import Callable
from typing import Any

from django.db import connections

from signals_demo.conf import config

_PROGRAMS = ("manage.py", "django-admin", os.path.join("django", "__main__.py"))
TEST_TOOLS = "django.test.utils"
"""The module of Django's that a process imports in which there can be a test environment."""

observers: list[Callable[[Any], None]] = []
"""Each is called with every `Event` at once, on the thread that fires it, stored or not.

A test helper adds itself here for as long as it captures. Meanwhile nothing is folded.
"""


def _is_test_run() -> bool:
    # Both: a server that a test starts has the variable, a site may have the module.
    if "PYTEST_VERSION" in os.environ and "_pytest" in sys.modules:
        return True
    # The apps are ready before Django's command is found, let alone the test environment set up.
    words = getattr(sys, "argv", [])  # an interpreter inside another program may have none
    return words[1:2] == ["test"] and words[0].endswith(_PROGRAMS)


IS_TEST_RUN = _is_test_run()
"""Whether this process was started by pytest or by `manage.py test`."""


def _in_test_environment() -> bool:
    """Return whether Django's test environment is set up: other runners do that."""
    # Another thread may be importing the module, and not have reached the class yet.
    state = getattr(sys.modules.get(TEST_TOOLS), "_TestState", None)
    return hasattr(state, "saved_data")


class _EndMark:
    """Lives as long as the test environment."""


def after_test_environment(call: Callable[[], object]) -> None:
    """Have something called when the test environment that is set up now is torn down."""
    if _in_test_environment():
        mark = _EndMark()
        weakref.finalize(mark, call).atexit = False
        sys.modules[TEST_TOOLS]._TestState.saved_data.signals_demo = mark


_real_names: dict[str, object] = {}
# The databases of which the test database has come and gone.
_ended: set[str] = set()


def note_databases() -> None:
    """Note the names of the project's databases: a test database takes another one's place."""
    for alias, settings in connections.settings.items():
        _real_names.setdefault(alias, settings["NAME"])


def has_test_database(alias: str) -> bool:
    """Return whether a test database is in the place of this one; true outside of test runs."""
    if not (IS_TEST_RUN or _in_test_environment()):
        return True
    name = connections.settings[alias]["NAME"]
    return bool(name != _real_names.get(alias, name))


def note_end(alias: str, *, is_end: bool) -> None:
    """Note that a test database is gone, or that there may be another one."""
    if is_end:
        _ended.add(alias)
    else:
        _ended.discard(alias)


def is_test_database_gone(alias: str) -> bool:
    """Return whether the test database has been there, and what comes now is stored nowhere."""
    return alias in _ended and not has_test_database(alias)


def storing() -> bool:
    """Return whether events are stored."""
    return config().record_tests or not (IS_TEST_RUN or _in_test_environment())


def listening() -> bool:
    """Return whether events are wanted at all, to be stored or observed."""
    if TEST_TOOLS not in sys.modules and not IS_TEST_RUN:  # at work
        return True
    return bool(observers) or storing()
