"""The signals that a process has loaded, found without running code of the project."""

import sys
from types import ModuleType
from typing import Any

import pytest
from django.dispatch import Signal
from django.utils.functional import SimpleLazyObject

from signals_demo import catalog
from signals_demo.inspection.receivers import all_receivers
from tests.inspection.test_receivers import HERE, Quiet, Till, module_named, receivers_of


def test_every_built_in_signal_comes_first_and_under_its_name() -> None:
    built_in = list(catalog.built_in())
    found = all_receivers()
    assert [each.name for each in found[: len(built_in)]] == built_in
    assert {each.discovered.owner for each in found[: len(built_in)]} == {"django"}
    assert receivers_of("post_save").path == "django.db.models.signals.post_save"


def test_each_signal_is_found_once() -> None:
    found = [id(each.discovered.signal) for each in all_receivers()]
    assert len(found) == len(set(found))
    names = [each.name for each in all_receivers()]
    assert f"{HERE}.paid" in names
    assert f"{HERE}.also_paid" not in names


def test_a_signal_of_a_class_is_found() -> None:
    found = receivers_of(f"{HERE}.Till.opened")
    assert found.discovered.signal is Till.opened
    assert (found.family, found.discovered.owner) == (None, "project")


def test_a_signal_is_named_after_the_module_that_defines_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refunded = Signal()
    module_named("a_shop", monkeypatch, refunded=refunded)
    module_named("z_shop.events", monkeypatch, Signal=Signal, refunded=refunded)
    module_named("b_shop", monkeypatch, refunded=refunded)
    assert receivers_of("z_shop.events.refunded").discovered.signal is refunded


def test_a_signal_that_a_package_exports_is_named_after_its_module_of_signals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refunded = Signal()
    module_named("shop", monkeypatch, Signal=Signal, refunded=refunded)
    module_named("shop.signals", monkeypatch, Signal=Signal, refunded=refunded)
    assert receivers_of("shop.signals.refunded").discovered.signal is refunded


def test_whose_signal_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    file = "/venv/lib/python3/site-packages/parcels/signals.py"
    module_named("parcels.signals", monkeypatch, __file__=file, Signal=Signal, sent=Signal())
    assert receivers_of("parcels.signals.sent").discovered.owner == "parcels"


def test_looking_loads_and_evaluates_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lazy(ModuleType):
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

    def evaluate() -> Any:
        raise AssertionError("evaluated")

    class Metaclass(type):
        def __getattribute__(cls, name: str) -> Any:
            if name in ("__subclasshook__", "__doc__"):
                return None
            raise AssertionError(name)

    def __getattr__(name: str) -> Any:
        raise AssertionError(name)

    hostile = Metaclass("Hostile", (), {"__module__": "hostile"})
    monkeypatch.setitem(sys.modules, "lazy", Lazy("lazy"))
    monkeypatch.setitem(sys.modules, "no module", Quiet())  # type: ignore[arg-type]
    module_named(
        "hostile",
        monkeypatch,
        __getattr__=__getattr__,
        lazy=SimpleLazyObject(evaluate),
        quiet=Quiet(),
        Hostile=hostile,
        found=Signal(),
    )
    assert receivers_of("hostile.found").receivers == []


def test_a_signal_that_was_never_set_up_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    module_named("odd", monkeypatch, broken=Signal.__new__(Signal), whole=Signal())
    assert [each.name for each in all_receivers() if each.name.startswith("odd.")] == ["odd.whole"]
