"""What looks wrong: each pitfall is found and named, and what is right is left in peace."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.db.models import signals
from django.dispatch import Signal
from django.test import override_settings
from django.test.utils import isolate_apps

from project.playground.apps import PlaygroundConfig
from project.playground.models import Author, Book, Order
from signals_demo.inspection import startup
from signals_demo.inspection.diagnostics import LABELS, MANY, diagnose
from signals_demo.inspection.receivers import Receiver, all_receivers
from signals_demo.inspection.unimported import unimported
from signals_demo.testing import capture_signals

HERE = "tests.inspection.test_diagnostics"
paid = Signal()


def plain(**kwargs: Any) -> None: ...


class Notifier:
    def on_paid(self, **kwargs: Any) -> None: ...


notifier = Notifier()


@pytest.fixture(autouse=True)
def _nobody_listens() -> Iterator[None]:
    watched = (signals.post_save, signals.m2m_changed, signals.post_migrate, signals.pre_save)
    with capture_signals():
        before = [(signal, list(signal.receivers)) for signal in watched]
        yield
        paid.receivers.clear()
        for signal, receivers in before:
            signal.receivers[:] = receivers
            signal.sender_receivers_cache.clear()


@pytest.fixture(autouse=True)
def _in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take this module for one that was imported in time; the modules of tests are not."""
    start = startup.startup()
    assert start is not None
    now = startup.Startup(start.at, start.modules | {HERE})
    monkeypatch.setattr(startup, "_found", [now])


def diagnosed(signal: str = f"{HERE}.paid") -> list[Receiver]:
    """Return the receivers of a signal that no project is without."""
    found = all_receivers()
    diagnose(found)
    (listeners,) = [each.receivers for each in found if each.name == signal]
    return [each for each in listeners if each.owner == "project"]


def codes(signal: str = f"{HERE}.paid") -> list[list[str]]:
    return [[problem.code for problem in each.problems] for each in diagnosed(signal)]


def loaded_as(name: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import a file under this name."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def test_every_code_has_a_label_and_every_problem_says_how_to_fix_it() -> None:
    paid.connect(plain)
    paid.connect(plain, dispatch_uid="mail")
    (problem,) = diagnosed()[1].problems
    assert problem.code in LABELS
    assert "number 1" in problem.message
    assert problem.message.endswith(".")
    assert problem.fix.endswith(".")


def test_nothing_looks_wrong_about_the_demo_project() -> None:
    found = all_receivers()
    diagnose(found)
    # Modules of tests are imported late, and listen.
    wrong = {
        each.name
        for signal in found
        for each in signal.receivers
        if each.problems and not each.name.startswith("tests.")
    }
    assert wrong == set()
    assert unimported() == []


# twice


@pytest.mark.parametrize(
    ("first", "second", "wrong"),
    [
        ({}, {"dispatch_uid": "mail"}, True),
        ({"dispatch_uid": "mail"}, {"dispatch_uid": "letter"}, True),
        ({"sender": Order}, {}, True),
        ({}, {"sender": Order}, True),
        ({"sender": Order}, {"sender": Order, "dispatch_uid": "mail"}, True),
        ({"sender": Order}, {"sender": Book}, False),
        ({"sender": Order}, {"sender": Order}, False),  # Django itself adds nothing
    ],
    ids=repr,
)
@pytest.mark.parametrize("receiver", [plain, notifier.on_paid], ids=["function", "method"])
def test_connected_twice(
    receiver: Callable[..., None], first: Any, second: Any, wrong: bool
) -> None:
    paid.connect(receiver, **first)
    paid.connect(receiver, **second)
    assert [code for found in codes() for code in found] == ["twice"] * wrong


def test_two_instances_are_two_receivers() -> None:
    other = Notifier()
    paid.connect(notifier.on_paid)
    paid.connect(other.on_paid)
    assert codes() == [[], []]


def test_one_receiver_may_hear_two_signals() -> None:
    paid.connect(plain)
    signals.post_save.connect(plain)
    assert codes() == codes("post_save")[-1:] == [[]]


def test_a_module_that_is_imported_under_two_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "receivers.py"
    path.write_text("def send_mail(**kwargs): ...\n")
    modules = [loaded_as(name, path, monkeypatch) for name in ("shop.receivers", "receivers")]
    for module in modules:
        paid.connect(module.send_mail)
    (problem,) = [each for each in diagnosed()[1].problems if each.code == "twice"]
    assert "shop.receivers and receivers" in problem.message


def test_functions_that_one_decorator_has_made_are_not_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "deco.py"
    path.write_text("def deco(f):\n    def inner(**kwargs): ...\n    return inner\n")
    deco = loaded_as("deco", path, monkeypatch).deco
    keep = [deco(plain), deco(plain)]
    for function in keep:
        paid.connect(function, weak=False)
    assert "twice" not in [code for found in codes() for code in found]


# many


def pile_up(number: int, **options: Any) -> None:
    def receiver(number: int) -> Callable[..., None]:
        return lambda **kwargs: print(number)  # noqa: T201

    for each in range(number):
        paid.connect(receiver(each), weak=False, **options)


def test_receivers_that_pile_up_are_one_line() -> None:
    paid.connect(plain)
    pile_up(MANY + 5)
    paid.connect(notifier.on_paid)
    found = diagnosed()
    assert [each.count for each in found] == [1, MANY + 5, 1]
    assert [each.position for each in found] == [1, 2, MANY + 7]
    (problem,) = [each for each in found[1].problems if each.code == "many"]
    assert str(MANY + 5) in problem.message


def test_a_few_of_one_line_do_not_pile_up() -> None:
    pile_up(MANY - 1)
    assert [each.count for each in diagnosed()] == [1] * (MANY - 1)
    assert "many" not in [code for found in codes() for code in found]


def test_one_receiver_for_each_model_does_not_pile_up() -> None:
    for sender in [type(f"Model{number}", (), {}) for number in range(MANY + 5)]:
        paid.connect(plain, sender=sender)
    assert "many" not in [code for found in codes() for code in found]


def test_fields_that_wait_for_their_model_do_not_pile_up() -> None:
    waiting = [Notifier() for _ in range(MANY + 5)]
    for each in waiting:
        signals.class_prepared.connect(each.on_paid)
    assert codes("class_prepared")[-MANY:] == [[]] * MANY


# weak


def inner() -> FunctionType:
    def receive(**kwargs: Any) -> None: ...

    return receive  # type: ignore[return-value]


held = inner()


class Holder:
    function = inner()
    static = staticmethod(inner())


@pytest.mark.parametrize(
    ("make", "weak", "wrong"),
    [
        (inner, True, True),
        (inner, False, False),
        (lambda: lambda **kwargs: None, True, True),
        (lambda: held, True, False),
        (lambda: Holder.function, True, False),
        (lambda: Holder.static, True, False),
        (lambda: plain, True, False),
    ],
    ids=[
        "inner",
        "strong",
        "lambda",
        "held by a module",
        "held by a class",
        "static",
        "of a module",
    ],
)
def test_what_may_vanish(make: Callable[[], Any], weak: bool, wrong: bool) -> None:
    receiver = make()
    paid.connect(receiver, weak=weak)
    assert ("weak" in codes()[0]) is wrong


# kwargs


def test_a_receiver_without_kwargs() -> None:
    def strict(sender: Any, signal: Any) -> None: ...

    with override_settings(DEBUG=False):
        paid.connect(strict, weak=False)
        paid.connect(lambda sender, **rest: None, weak=False)
    assert ["kwargs" in found for found in codes()] == [True, False]


# never


def found_never(signal: str, receiver: Callable[..., None] = plain) -> list[tuple[str, str]]:
    return [
        (problem.message, problem.fix)
        for each in diagnosed(signal)
        if each.callback is receiver
        for problem in each.problems
        if problem.code == "never"
    ]


class Base(models.Model):
    class Meta:
        abstract = True
        app_label = "playground"


def test_an_abstract_model_sends_nothing() -> None:
    signals.post_save.connect(plain, sender=Base)
    ((message, _fix),) = found_never("post_save")
    assert "playground.Base is abstract" in message


def test_a_swapped_model_sends_nothing() -> None:
    with isolate_apps("project.playground"), override_settings(SHOP_ORDER="playground.Order"):

        class SwappedOrder(models.Model):  # noqa: DJ008
            class Meta:
                app_label = "playground"
                swappable = "SHOP_ORDER"

        globals()["SwappedOrder"] = SwappedOrder  # as a module that imports it has it
        try:
            signals.post_save.connect(plain, sender=SwappedOrder)
            ((message, fix),) = found_never("post_save")
        finally:
            del globals()["SwappedOrder"]
    assert "swapped out for playground.Order" in message
    assert "settings.SHOP_ORDER" in fix


def test_the_sender_of_m2m_changed_is_the_model_between() -> None:
    signals.m2m_changed.connect(plain, sender=Book)
    ((_message, fix),) = found_never("m2m_changed")
    assert "Book.tags.through" in fix


@pytest.mark.parametrize("config", [PlaygroundConfig, sys.modules[__name__]], ids=str)
def test_the_sender_of_a_migration_is_an_instance(config: Any) -> None:
    signals.post_migrate.connect(plain, sender=config)
    assert len(found_never("post_migrate")) == 1


@pytest.mark.parametrize(
    ("signal", "sender"),
    [
        ("post_save", Order),
        ("post_save", None),
        ("m2m_changed", Book.tags.through),
        ("m2m_changed", Author),
        ("post_migrate", apps.get_app_config("playground")),
        ("post_migrate", None),
    ],
    ids=str,
)
def test_senders_that_are_right(signal: str, sender: Any) -> None:
    getattr(signals, signal).connect(plain, sender=sender)
    assert found_never(signal) == []


def test_what_is_never_called_is_not_called_twice() -> None:
    signals.post_save.connect(plain, sender=Base)
    signals.post_save.connect(plain)
    found = {each.position: [p.code for p in each.problems] for each in diagnosed("post_save")}
    assert [found[each] for each in sorted(found)][-2:] == [["never"], []]


# late


def test_a_module_that_is_imported_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "late.py"
    path.write_text("def receive(**kwargs): ...\n")
    late = loaded_as("shop_that_is_late", path, monkeypatch)
    command = loaded_as("shop.management.commands.late", path, monkeypatch)
    signals.pre_save.connect(late.receive)
    signals.pre_save.connect(command.receive, sender=Order)
    signals.pre_save.connect(apps.get_app_config)  # of Django
    first, second = diagnosed("pre_save")
    (problem,) = first.problems
    assert problem.code == "late"
    assert "shop_that_is_late" in problem.message
    assert "late" not in [problem.code for problem in second.problems]
