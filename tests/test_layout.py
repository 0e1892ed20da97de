"""The layout of the package, and the size of what is in it: a reader finds each thing at once."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import signals_demo

PACKAGE = Path(signals_demo.__file__).parent
TESTS = Path(__file__).parent

# What Django or users name; what every part shares; one package for each job.
NAMED = [
    "admin",
    "apps",
    "checks",
    "conf",
    "factories",
    "fields",
    "middleware",
    "models",
    "pytest_plugin",
    "routers",
]
SHARED = ["clock", "events", "exits", "faults", "forks"]
JOBS = [
    "capture",
    "catalog",
    "delivery",
    "inspection",
    "management",
    "query",
    "rollups",
    "serialize",
    "sinks",
    "templatetags",
    "testing",
    "tracing",
    "web",
]
FILES = ["locale", "migrations", "static", "templates"]

# Of signals_demo/catalog/signals.py each signal takes some lines.
LONG = {"catalog/signals.py"}
LINES_OF_A_MODULE = 300
LINES_OF_A_FUNCTION = 40
METHODS_OF_A_CLASS = 15

# Tests of what several modules of a package do together; all others are named after a module.
TOPICS = {
    "capture": {"against_the_database", "host_faults", "long_lived"},
    "management": {"verbosity"},
    "serialize": {"ways_out"},
    "sinks": {"postgres"},
    "testing": {"docs", "host_tests"},
    "web": {"addresses", "crawl", "hostile", "policy", "template_variables", "translations"},
}
TOP_TOPICS = {"docs", "imports", "layout"}

MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if "migrations" not in path.relative_to(PACKAGE).parts
)


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_the_top_level_has_what_the_architecture_names() -> None:
    found = {path.stem for path in PACKAGE.iterdir() if not path.name.startswith(("_", "py."))}
    assert found == {*NAMED, *SHARED, *JOBS, *FILES}


def test_tests_are_named_after_modules() -> None:
    modules = {path.stem for path in PACKAGE.iterdir()}
    assert _tests_in(TESTS) <= modules | TOP_TOPICS
    for job in JOBS:
        if (TESTS / job).is_dir():
            modules = {path.stem for path in (PACKAGE / job).rglob("*.py")}
            topics = TOPICS.get(job, set())
            assert topics <= _tests_in(TESTS / job) <= modules | topics


def _tests_in(folder: Path) -> set[str]:
    return {path.stem.removeprefix("test_") for path in folder.glob("test_*.py")}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert name_of(path) in LONG or len(text.splitlines()) <= LINES_OF_A_MODULE
    too_long = [
        f"{node.name}: {what}" for node in ast.walk(ast.parse(text)) for what in _too_much_of(node)
    ]
    assert too_long == []


def _too_much_of(node: ast.AST) -> Iterator[str]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    if isinstance(node, functions):
        lines = (node.end_lineno or 0) - node.lineno + 1
        if lines > LINES_OF_A_FUNCTION:
            yield f"{node.name}: {lines} lines"
    if isinstance(node, ast.ClassDef):
        methods = sum(isinstance(each, functions) for each in node.body)
        if methods > METHODS_OF_A_CLASS:
            yield f"{node.name}: {methods} methods"
