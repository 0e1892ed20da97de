"""Faults of the recorder: counted, logged once per kind, and kept from the project."""

import logging
from collections.abc import Iterator

import pytest
from django.test import override_settings

from signals_demo.faults import fault, faults, note_fault


@pytest.fixture(autouse=True)
def _no_faults_yet() -> Iterator[None]:
    before = faults.copy()
    faults.clear()
    yield
    faults.clear()
    faults.update(before)


def fail(where: str, error: Exception) -> None:
    try:
        raise error
    except Exception:  # noqa: BLE001
        fault(where)


@override_settings(SIGNALS_DEMO={"STRICT": False})
def test_each_kind_is_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    for error in (KeyError(), KeyError(), ValueError()):
        fail("A save", error)
    fail("A login", KeyError())
    assert faults == {"A save: KeyError": 2, "A save: ValueError": 1, "A login: KeyError": 1}
    assert len(caplog.records) == 3
    first = caplog.records[0]
    assert (first.name, first.levelno) == ("signals_demo", logging.ERROR)
    assert first.getMessage().startswith("A save could not be recorded.")
    assert first.exc_info is not None


@override_settings(SIGNALS_DEMO={"STRICT": True})
def test_strict_raises_each() -> None:
    for _ in range(2):
        with pytest.raises(KeyError):
            fail("A save", KeyError())
    assert faults == {"A save: KeyError": 2}


@override_settings(SIGNALS_DEMO={"STRICT": True})
def test_one_that_is_only_noted_is_never_raised() -> None:
    try:
        raise KeyError
    except KeyError:
        note_fault("A page")
    assert faults == {"A page: KeyError": 1}
