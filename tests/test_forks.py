"""What a process does first after a fork, seen by Python or by uWSGI alone."""

import os
from types import SimpleNamespace
from typing import Any

import pytest

from signals_demo import forks


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(forks, "_calls", [])
    found: list[str] = []
    forks.after_fork(lambda: found.append("first"))
    forks.after_fork(lambda: found.append("second"))
    return found


def test_calls_come_in_order_and_once_for_each_process(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    forks._begin()
    assert calls == []  # no fork
    monkeypatch.setattr(forks, "_process", os.getpid() + 1)
    forks._begin()
    forks._begin()
    assert calls == ["first", "second"]


def test_a_hook_that_the_project_has_given_uwsgi_is_kept(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    uwsgi = SimpleNamespace(post_fork_hook=lambda: calls.append("theirs"))
    monkeypatch.setattr(forks, "_uwsgi", uwsgi)
    monkeypatch.setattr(forks, "import_module", _refuse)
    monkeypatch.setattr(forks, "_process", os.getpid() + 1)
    forks._listen_to_uwsgi()
    uwsgi.post_fork_hook()
    assert calls == ["first", "second", "theirs"]


def _refuse(name: str) -> Any:
    raise ImportError(name)


@pytest.mark.parametrize(
    ("version", "options", "stand_still"),
    [
        (b"2.0.26", {}, True),
        (b"2.0.26", {"enable-threads": True}, False),
        (b"2.0.26", {"gevent": b"10"}, False),
        (b"2.0.27", {}, False),
        (b"2.1.0-dev", {}, False),
    ],
)
def test_threads_of_uwsgi(
    monkeypatch: pytest.MonkeyPatch, version: bytes, options: dict[str, Any], *, stand_still: bool
) -> None:
    uwsgi = SimpleNamespace(version=version, opt=options, masterpid=os.getpid)
    monkeypatch.setattr(forks, "_uwsgi", uwsgi)
    assert forks.threads_stand_still() is stand_still
    assert forks.can_have_threads() is not stand_still
    uwsgi.masterpid = lambda: os.getpid() + 1
    assert forks.can_have_threads()


def test_elsewhere_there_are_threads() -> None:
    assert forks.can_have_threads()
    assert not forks.threads_stand_still()
