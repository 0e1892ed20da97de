"""The guard of the page tests against template variables that do not resolve."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.template import Engine

from tests.template_variables import no_unresolved_variables


@pytest.fixture(autouse=True)
def _variables_resolve() -> None:
    """Stand in for the guard itself, which would see what these tests break on purpose."""


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    (tmp_path / "frame.html").write_text("{% block body %}{% endblock %}")
    (tmp_path / "page.html").write_text(
        '{% extends "frame.html" %}\n{% block body %}{% include "part.html" %}{% endblock %}'
    )
    (tmp_path / "part.html").write_text("one\n{% if shelf.book %}{{ shelf.book }}{% endif %}")
    return Engine(dirs=[str(tmp_path)])


@pytest.mark.parametrize(
    ("context", "variable"),
    [({}, "shelf"), ({"shelf": None}, "book"), ({"shelf": {"books": 1}}, "book")],
)
def test_it_names_the_template_that_reads_it(
    engine: Engine, context: dict[str, Any], variable: str
) -> None:
    complaint = f"do not resolve:\npart.html:2: {variable}"
    with (
        pytest.raises(AssertionError, match=re.escape(complaint)),
        no_unresolved_variables(),
    ):
        engine.render_to_string("page.html", context)


def test_it_lets_everything_else_pass(engine: Engine) -> None:
    with no_unresolved_variables():
        for value in ("", None, False, 5):
            engine.render_to_string("page.html", {"shelf": {"book": value}})
