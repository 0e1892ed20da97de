"""Every part of the package has a place in the rule that says who may import whom."""

import tomllib
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import signals_demo

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
# What runs in the project's process while it records: the others must not need it.
RECORDS = {"capture", "delivery", "sinks"}


def contracts() -> list[dict[str, Any]]:
    """Return what `lint-imports` checks."""
    settings = tomllib.loads(PYPROJECT.read_text())["tool"]["importlinter"]
    assert settings["root_package"] == "signals_demo"
    return list(settings["contracts"])


def modules() -> set[str]:
    return {module.name for module in iter_modules(signals_demo.__path__)}


def test_every_module_is_in_one_layer() -> None:
    layers, _halves = contracts()
    names = [name.strip() for layer in layers["layers"] for name in layer.split("|")]
    assert layers["exhaustive"] is True
    assert layers["containers"] == ["signals_demo"]
    assert sorted(names) == sorted(modules())


def test_what_reads_is_kept_from_what_records() -> None:
    _layers, halves = contracts()
    assert set(halves["forbidden_modules"]) == {f"signals_demo.{name}" for name in RECORDS}
    above = {"apps", "checks", "middleware", "pytest_plugin", "testing"}  # these use both halves
    below = {
        "catalog", "clock", "conf", "events", "exits", "factories", "faults", "fields", "forks",
        "migrations", "models", "rollups", "routers", "serialize", "tracing",
    }  # fmt: skip
    reads = {name.removeprefix("signals_demo.") for name in halves["source_modules"]}
    assert reads == modules() - RECORDS - above - below
