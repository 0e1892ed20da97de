"""How the runs of Django's own tests are judged, and that the docs show the list for it."""

from pathlib import Path

import pytest

import signals_demo
from tests.foreign import suite
from tests.foreign.suite import Difference, Run, differences


def a_run(**outcomes: str) -> Run:
    return Run("installed", {name: (outcome, "") for name, outcome in outcomes.items()}, Path())


def test_the_page_has_the_list_of_differences() -> None:
    assert suite.page() == suite.DOCS.read_text(encoding="utf-8"), (
        "the list has changed: run `python -m tests.foreign.suite --docs`"
    )


def test_a_test_that_ends_otherwise_or_is_not_there_differs() -> None:
    bare = a_run(same="passed", other="passed", gone="skipped")
    ours = a_run(same="passed", other="failed", new="passed")
    found = [(one.test, one.bare, one.ours) for one in differences(bare, ours).values()]
    assert found == [
        ("gone", "skipped", "missing"),
        ("new", "missing", "passed"),
        ("other", "passed", "failed"),
    ]


@pytest.mark.parametrize(
    ("file", "ours"),
    [
        (signals_demo.__file__, True),
        (str(Path(signals_demo.__file__).parent / "sinks" / "database.py"), True),
        (str(Path(signals_demo.__file__).parent / "sinks" / "sql" / "connection.py"), True),
        (str(Path(signals_demo.__file__).parent / "capture" / "recorder.py"), True),
        ("/home/ada/signals_demo/.foreign/django-6.1/tests/delete/tests.py", False),
    ],
)
def test_a_traceback_through_our_own_code_is_never_excused(file: str, ours: bool) -> None:
    why = f'Traceback (most recent call last):\n  File "{file}", line 7, in receive\n'
    assert Difference("a.tests.T.test", "passed", "failed", why).is_our_fault is ours


@pytest.mark.parametrize(
    "test", ["delete.tests.T.test_all", "setUpClass (delete.tests.T)", "delete.test_x.T.test"]
)
def test_the_part_of_a_test_is_what_can_be_run_again(test: str) -> None:
    assert Difference(test, "passed", "failed", "").part == "delete"
