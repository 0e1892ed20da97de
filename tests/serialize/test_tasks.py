"""What is kept of a task that failed: where in the project it did."""

from types import SimpleNamespace

import pytest

from project.playground import models
from signals_demo.serialize.redaction import Redactor
from signals_demo.serialize.tasks import task_shown

HEAD = "Traceback (most recent call last):\n"


def line(file: str, number: int, name: str) -> str:
    return f'  File "{file}", line {number}, in {name}\n    code()\n'


OWN = models.__file__
PLACE = "project/playground/models.py:{} in {}"
LIBRARY = "/somewhere/site-packages/shop/api.py"


@pytest.mark.parametrize(
    ("traceback", "place"),
    [
        (HEAD + line(OWN, 5, "charge") + "ValueError: no\n", PLACE.format(5, "charge")),
        (HEAD + line(OWN, 5, "a") + line(OWN, 9, "b") + "E\n", PLACE.format(9, "b")),
        (HEAD + line(OWN, 5, "a") + line(LIBRARY, 9, "b") + "E\n", PLACE.format(5, "a")),
        (HEAD + line(LIBRARY, 9, "b") + "E\n", ""),
        (
            HEAD + line(OWN, 1, "first") + "E\n\nDuring …\n\n" + HEAD + line(OWN, 2, "last"),
            PLACE.format(2, "last"),
        ),
        ("", ""),
        (None, ""),
        ("x" * 1_000_000, ""),
    ],
)
def test_a_failed_task_tells_its_line(traceback: str | None, place: str) -> None:
    error = SimpleNamespace(exception_class_path="builtins.ValueError", traceback=traceback)
    assert task_shown(SimpleNamespace(errors=[error]), Redactor())["raised_at"] == place


def test_a_task_that_did_not_fail_has_none() -> None:
    assert "raised_at" not in task_shown(SimpleNamespace(errors=[]), Redactor())
