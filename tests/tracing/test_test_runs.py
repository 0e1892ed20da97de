"""A test run stores nothing unless asked to."""

import sys
from types import ModuleType
from typing import Any

from django.test import override_settings

from project.playground.models import Author
from signals_demo import trace
from signals_demo.delivery.writer import writer
from signals_demo.tracing import test_runs
from signals_demo.tracing.test_runs import storing
from tests.recording import recorded, stored


def test_a_test_run_stores_nothing_unless_asked_to(transactional_db: None) -> None:
    with recorded(RECORD_TESTS=False), trace("unit") as unit:
        waiting = len(writer.buffer.items)
        Author.objects.create(name="Ada")
        assert len(writer.buffer.items) == waiting
    assert stored(unit) == []


def test_a_test_environment_that_is_still_being_imported_is_none(monkeypatch: Any) -> None:
    """Another thread may be importing it when the worker asks, in a process that runs no tests."""
    monkeypatch.setattr(test_runs, "IS_TEST_RUN", False)
    monkeypatch.setitem(sys.modules, "django.test.utils", ModuleType("django.test.utils"))
    with override_settings(SIGNALS_DEMO={"RECORD_TESTS": False}):
        assert storing()
