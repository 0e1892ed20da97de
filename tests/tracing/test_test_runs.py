"""In a test run nothing is stored unless asked for, and receivers are there while it is wanted."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.db.models import signals
from django.test import override_settings

from project.playground.models import Author, Tag
from signals_demo import trace
from signals_demo.delivery.writer import writer
from signals_demo.testing import capture_signals
from signals_demo.tracing import test_runs
from signals_demo.tracing.test_runs import storing
from tests.recording import Project, recorded, stored

QUIET = [{}, {"EXCLUDE_MODELS": ["playground.Tag"]}]


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


def ours() -> int:
    return sum(
        str(entry[0][0]).startswith("signals_demo.") for entry in signals.pre_init.receivers
    )


@pytest.mark.parametrize("setting", QUIET, ids=repr)
def test_receivers_are_taken_out_until_they_are_wanted(setting: dict[str, Any]) -> None:
    with override_settings(SIGNALS_DEMO=setting):
        with capture_signals():
            before = list(signals.pre_init.receivers)
            assert ours()
        Author(pk=1)
        assert not ours()
        with capture_signals() as captured:
            assert signals.pre_init.receivers == before
            Author(pk=1)
        assert captured.names == ["pre_init", "post_init"]
        Author(pk=1)
        assert not ours()


def test_they_come_back_in_their_places() -> None:
    heard: list[str] = []

    def listen(**kwargs: Any) -> None:
        heard.append("other")

    with override_settings(SIGNALS_DEMO={"SIGNALS": ["pre_init"]}):
        with capture_signals():
            signals.pre_init.connect(listen, sender=Tag)
            order = [entry[0] for entry in signals.pre_init.receivers]
        Tag()
        assert [entry[0] for entry in signals.pre_init.receivers] == order[1:] != order
        with capture_signals():
            assert [entry[0] for entry in signals.pre_init.receivers] == order
    signals.pre_init.disconnect(listen, sender=Tag)
    assert heard == ["other"]


@pytest.mark.parametrize("setting", [*QUIET, {"ENABLED": False}], ids=repr)
def test_another_setting_leaves_them_in_their_places(setting: dict[str, Any]) -> None:
    def order() -> list[Any]:
        with capture_signals():
            return [entry[0] for entry in signals.pre_init.receivers]

    def listen(**kwargs: Any) -> None:
        """Do nothing."""

    signals.pre_init.connect(listen)
    found = order()
    with override_settings(SIGNALS_DEMO=setting):
        pass
    assert order() == found
    signals.pre_init.disconnect(listen)


def test_a_setting_puts_them_back() -> None:
    with override_settings(SIGNALS_DEMO={}):
        Author(pk=1)
        with override_settings(SIGNALS_DEMO={"RECORD_TESTS": True}):
            assert ours() == 1
            Author(pk=1)
            assert ours() == 1
        with override_settings(SIGNALS_DEMO={"ENABLED": False}):
            assert ours() == 0
        with capture_signals():
            assert ours() == 1


@pytest.mark.processes
def test_with_a_runner_of_its_own_receivers_are_there_before_and_after(tmp_path: Path) -> None:
    project = Project.make(tmp_path / "project")
    project.manage("migrate", "--verbosity=0")
    done = project.run(
        """
        from django.db.models.signals import m2m_changed
        from django.test.utils import setup_test_environment, teardown_test_environment

        found = [m2m_changed.has_listeners(Group)]
        setup_test_environment()
        Group()
        found.append(m2m_changed.has_listeners(Group))
        teardown_test_environment()
        found.append(m2m_changed.has_listeners(Group))
        print(found)
        """
    )
    assert done.stdout == "[True, False, True]\n"


@pytest.mark.processes
def test_after_the_test_environment_everything_is_recorded_again(tmp_path: Path) -> None:
    project = Project.migrated(tmp_path / "project")
    project.run(
        """
        from django.test.utils import setup_test_environment, teardown_test_environment
        setup_test_environment()
        Group.objects.create(name="in a test")
        Group.objects.create(name="in a test, too")
        teardown_test_environment()
        Group.objects.create(name="after it")
        assert flush()
        """
    )
    saved = project.events("signal = 'post_save' AND sender = 'auth.Group'")
    assert ["after it" in row["changes"] for row in saved] == [True]
