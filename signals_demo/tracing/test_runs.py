"""Whether this process runs tests, and whether anything wants what fires there.

The recorder asks here and nowhere else. A test run stores nothing unless `RECORD_TESTS` is set.
"""

import os
import sys
import weakref
from collections.abc import Callable
from typing import Any

from signals_demo.conf import config

_PROGRAMS = ("manage.py", "django-admin", os.path.join("django", "__main__.py"))
_TEST_TOOLS = "django.test.utils"

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
    state = getattr(sys.modules.get(_TEST_TOOLS), "_TestState", None)
    return hasattr(state, "saved_data")


class _EndMark:
    """Lives as long as the test environment."""


def after_test_environment(call: Callable[[], object]) -> None:
    """Have something called when the test environment that is set up now is torn down."""
    if _in_test_environment():
        mark = _EndMark()
        weakref.finalize(mark, call).atexit = False
        sys.modules[_TEST_TOOLS]._TestState.saved_data.signals_demo = mark


def storing() -> bool:
    """Return whether events are stored."""
    return config().record_tests or not (IS_TEST_RUN or _in_test_environment())


def listening() -> bool:
    """Return whether events are wanted at all, to be stored or observed."""
    if _TEST_TOOLS not in sys.modules and not IS_TEST_RUN:  # at work
        return True
    return bool(observers) or storing()
