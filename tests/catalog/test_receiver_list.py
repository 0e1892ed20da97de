"""Where nobody wants events, as in most tests, the receivers are out of the way."""

from pathlib import Path
from typing import Any

import pytest
from django.db.models import signals
from django.test import override_settings

from project.playground.models import Author, Tag
from signals_demo.testing import capture_signals
from tests.recording import Project

QUIET = [{}, {"EXCLUDE_MODELS": ["playground.Tag"]}]


def ours() -> int:
    return sum(
        str(entry[0][0]).startswith("signals_demo.") for entry in signals.pre_init.receivers
    )


@pytest.mark.parametrize("setting", QUIET, ids=repr)
def test_receivers_rest_until_they_are_wanted(setting: dict[str, Any]) -> None:
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


def test_a_setting_wakes_them() -> None:
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
