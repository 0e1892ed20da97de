"""Who looks on while signals are captured, and whether what is captured is stored."""

import sys
from collections.abc import Callable

from signals_demo.conf import config
from signals_demo.events import Event

# Each is called with each event at once, on the thread that fires, stored or not: `testing` adds
# one. While there is any, nothing is folded.
taps: list[Callable[[Event], None]] = []


def listening() -> bool:
    """Return whether events are wanted at all."""
    return bool(taps) or storing()


def storing() -> bool:
    """Return whether events are stored: in a test run only if it asks for that."""
    return config().record_tests or not in_test_environment()


def in_test_environment() -> bool:
    """Return whether Django's test environment is set up in this process."""
    # Another thread may be importing the module, and has not come to the class yet.
    state = getattr(sys.modules.get("django.test.utils"), "_TestState", None)
    return hasattr(state, "saved_data")
