"""The examples of docs/testing.md, run in the small project that they speak of."""

import re
import shutil
from pathlib import Path

import pytest

from tests.recording import Project

HERE = Path(__file__).parent.parent
PAGE = HERE.parent / "docs" / "testing.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
OPTIONS = ["-q", "-W", "error"]
OPTIONS += ["-p", "no:cacheprovider", "-p", "no:faker", "-p", "no:randomly"]
OPTIONS += ["-p", "no:hypothesispytest"]  # takes a third of the time of a run to load


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("docs") / "project"
    shutil.copytree(HERE / "doc_project", folder)
    (folder / "pytest.ini").write_text("[pytest]\nDJANGO_SETTINGS_MODULE = settings\n")
    for number, code in enumerate(EXAMPLES, 1):
        (folder / f"test_example_{number}.py").write_text(code, encoding="utf-8")
    project = Project(folder)
    # The first run with syrupy makes the file that the later ones compare with.
    made = project.call("-m", "pytest", *OPTIONS, "--snapshot-update", "-k", "purchase")
    assert made.returncode == 0, made.stdout + made.stderr
    return project


@pytest.fixture
def shop(prepared: Project, tmp_path: Path) -> Project:
    return prepared.copy(tmp_path / "project")


FAILURE = """
from django.test import TestCase
from shop.checkout import buy
from shop.models import Product

from signals_demo.testing import SignalTestMixin


class FailingTests(SignalTestMixin, TestCase):
    def test_failing(self):
        tea = Product.objects.create(name="Tea", stock=3)
        with self.assertSignals(["pre_save", "post_save", "pre_save", "post_delete"]):
            buy(tea)
"""


@pytest.mark.processes
def test_a_failure_reads_as_the_page_shows(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(HERE / "doc_project", tmp_path / "project"))
    (folder / "test_failing.py").write_text(FAILURE)
    done = Project(folder).call("manage.py", "test")
    (shown,) = re.findall(r"^```text\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert shown in done.stderr


def test_every_python_block_is_an_example() -> None:
    assert len(EXAMPLES) == PAGE.read_text(encoding="utf-8").count("```python") == 8
    assert all("def test_" in code for code in EXAMPLES)


@pytest.mark.processes
@pytest.mark.parametrize("more", [[], ["-n", "2"], ["-p", "randomly"]], ids=" ".join)
def test_the_examples_run_in_pytest(shop: Project, more: list[str]) -> None:
    done = shop.call("-m", "pytest", *OPTIONS, *more)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b16 passed", done.stdout), done.stdout


@pytest.mark.processes
@pytest.mark.parametrize("more", [[], ["--parallel", "2"]], ids=" ".join)
def test_the_examples_run_in_djangos_own_runner(shop: Project, more: list[str]) -> None:
    done = shop.call("-W", "error", "manage.py", "test", "--pattern", "test_example_*.py", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ran 8 tests" in done.stderr
