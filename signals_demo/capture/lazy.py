"""In a test run nothing is loaded until a test asks for it: most test runs never do.

Loading the recorder and connecting it is most of what it costs a suite.
"""

import os
import sys
from typing import Any

from django.core.signals import setting_changed

from signals_demo import catalog
from signals_demo.conf import SETTING, config

_PROGRAMS = ("manage.py", "django-admin", os.path.join("django", "__main__.py"))

_is_dormant = False
# What stood before ours when the apps were ready: so does it when ours come later.
_places: dict[str, list[tuple[Any, ...]]] = {}


def is_wanted() -> bool:
    """Return whether this process runs tests, none of which asks for anything yet."""
    return _is_test_run() and not config().record_tests


def _is_test_run() -> bool:
    # Both: a server that a test starts has the variable, a site may have the module.
    if "PYTEST_VERSION" in os.environ and "_pytest" in sys.modules:
        return True
    # The apps are ready before Django's command is found, let alone the test environment set up.
    words = getattr(sys, "argv", [])  # an interpreter inside another program may have none
    return words[1:2] == ["test"] and words[0].endswith(_PROGRAMS)


def begin() -> None:
    """Wait for `awaken()`, or for a setting that asks for more."""
    global _is_dormant
    _is_dormant = True
    for name, builtin in catalog.built_in().items():
        if builtin.is_loaded:
            _places[name] = list(builtin.load().receivers)
    setting_changed.connect(_follow, dispatch_uid="signals_demo.capture.lazy")


def awaken() -> None:
    """Connect the receivers where they would have been. Calling it again changes nothing."""
    global _is_dormant
    if not _is_dormant:
        return
    _is_dormant = False
    from signals_demo.capture import connect

    setting_changed.disconnect(dispatch_uid="signals_demo.capture.lazy")
    connect.begin(_places)
    _places.clear()


def _follow(*, setting: str, **kwargs: object) -> None:
    if setting == SETTING and not is_wanted():
        awaken()
