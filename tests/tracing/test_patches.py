"""What the recorder wraps in Django, and how it stops."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.deletion import Collector
from django.dispatch import Signal

from project.playground.models import Author
from signals_demo import trace
from signals_demo.testing import receivers_run
from signals_demo.tracing.patches import Patch
from tests.recording import MEMORY, kept, recorded, rolled_back, saves

ROLLED_BACK = [("pre_save", "rolled_back"), ("post_save", "rolled_back")]


class Engine:
    def run(self, number: int) -> str:
        return f"ran {number}"


def louder(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: original(*args).upper()


def polite(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: f"{original(*args)}, please"


@pytest.fixture
def patch() -> Iterator[Patch]:
    original = Engine.run
    patch = Patch(Engine, "run", louder)
    yield patch
    patch.uninstall()
    Engine.run = original  # type: ignore[method-assign]


def add_another() -> None:
    """Do what another package does that wraps the same function."""
    Engine.run = polite(Engine.run)  # type: ignore[method-assign]


def ran() -> str:
    return Engine().run(1)


def test_a_patch_wraps_until_it_is_uninstalled(patch: Patch) -> None:
    original = Engine.run
    patch.install()
    patch.install()
    assert ran() == "RAN 1"
    assert Engine.run.__name__ == "run"
    patch.uninstall()
    patch.uninstall()
    assert Engine.run is original
    patch.install()
    assert ran() == "RAN 1"


def test_a_wrapper_that_was_added_later_stays(patch: Patch) -> None:
    patch.install()
    add_another()
    assert ran() == "RAN 1, please"
    patch.uninstall()
    assert ran() == "ran 1, please"


def test_below_another_wrapper_it_is_used_again_and_called_once(patch: Patch) -> None:
    patch.install()
    add_another()
    for _ in range(3):
        patch.uninstall()
        patch.install()
    assert ran() == "RAN 1, please"


def test_a_wrapper_that_was_added_while_it_was_out_is_wrapped_too(patch: Patch) -> None:
    patch.install()
    patch.uninstall()
    add_another()
    patch.install()
    assert ran() == "RAN 1, PLEASE"
    patch.uninstall()
    assert ran() == "ran 1, please"


def test_after_the_other_wrapper_is_gone_it_wraps_again(patch: Patch) -> None:
    original = Engine.run
    patch.install()
    add_another()
    patch.uninstall()
    Engine.run = original  # type: ignore[method-assign]
    patch.install()
    assert ran() == "RAN 1"


def test_the_other_wrapper_may_put_ours_back_when_it_goes(patch: Patch) -> None:
    patch.install()
    ours = Engine.run
    add_another()
    patch.uninstall()
    Engine.run = ours  # type: ignore[method-assign]
    assert ran() == "ran 1"
    patch.install()
    assert ran() == "RAN 1"


def test_where_there_is_no_such_function_nothing_happens() -> None:
    patch = Patch(Engine, "stop", louder)
    patch.install()
    patch.uninstall()
    assert not hasattr(Engine, "stop")


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (BaseDatabaseWrapper, "commit"),
        (BaseDatabaseWrapper, "rollback"),
        (BaseDatabaseWrapper, "set_autocommit"),
        (BaseDatabaseWrapper, "close"),
        (BaseDatabaseWrapper, "connect"),
        (BaseDatabaseWrapper, "savepoint"),
        (BaseDatabaseWrapper, "savepoint_rollback"),
        (BaseDatabaseWrapper, "savepoint_commit"),
        (Collector, "_has_signal_listeners"),
    ],
)
def test_another_package_keeps_its_wrapper_of_django_when_recording_ends(
    owner: type, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recorded():
        ours = getattr(owner, name)
        theirs = polite(ours)
        monkeypatch.setattr(owner, name, theirs)
        with recorded(ENABLED=False):
            assert getattr(owner, name) is theirs
        assert getattr(owner, name) is theirs
        monkeypatch.undo()


def test_another_package_keeps_its_wrapper_of_the_receivers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with receivers_run():
        theirs = polite(Signal._live_receivers)
        monkeypatch.setattr(Signal, "_live_receivers", theirs)
    assert Signal._live_receivers is theirs


@pytest.mark.django_db(transaction=True)
def test_outcomes_are_right_below_the_wrapper_of_another_package(
    recording: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def noting(original: Callable[..., Any]) -> Callable[..., Any]:
        def rollback(*args: Any, **kwargs: Any) -> Any:
            calls.append("rollback")
            return original(*args, **kwargs)

        return rollback

    with recorded(SINKS=MEMORY):
        monkeypatch.setattr(BaseDatabaseWrapper, "rollback", noting(BaseDatabaseWrapper.rollback))
        with recorded(ENABLED=False), rolled_back():
            pass
        assert calls == ["rollback"]
    with recorded(SINKS=MEMORY), trace("unit") as unit:
        with rolled_back():
            Author.objects.create(name="Ada")
        assert calls == ["rollback"] * 2
        assert saves(kept(unit)) == ROLLED_BACK
