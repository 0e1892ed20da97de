"""Starts the recorder: at once, or in a test run only when a test asks for it.

Most test runs never do, and loading the recorder is most of what it costs them. So this module
imports nothing of it.
"""

from typing import Any

from django.core.signals import setting_changed

from signals_demo import catalog
from signals_demo.conf import SETTING
from signals_demo.tracing import test_runs

_UID = "signals_demo.capture.lazy"

_is_waiting = False
# What is connected before our receivers when the apps are ready stays before them.
_entries_before: dict[str, list[tuple[Any, ...]]] = {}


def _can_wait() -> bool:
    return test_runs.IS_TEST_RUN and not test_runs.listening()


def start_early() -> None:
    """Connect what fires before the apps are ready."""
    if not _can_wait():
        from signals_demo.capture import connect

        connect.connect_early()


def start() -> None:
    """Connect the receivers, or wait for `load()` or a setting that asks for them."""
    global _is_waiting
    test_runs.note_databases()
    if not _can_wait():
        from signals_demo.capture import connect

        connect.start()
        return
    _is_waiting = True
    for name, builtin in catalog.built_in().items():
        if builtin.is_loaded:
            _entries_before[name] = list(builtin.load().receivers)
    setting_changed.connect(_follow, dispatch_uid=_UID)


def load() -> None:
    """Connect the receivers where they would have been. Calling it again changes nothing."""
    global _is_waiting
    if not _is_waiting:
        return
    _is_waiting = False
    from signals_demo.capture import connect

    setting_changed.disconnect(dispatch_uid=_UID)
    connect.start(_entries_before)
    _entries_before.clear()


def _follow(*, setting: str, **kwargs: object) -> None:
    if setting == SETTING and not _can_wait():
        load()
