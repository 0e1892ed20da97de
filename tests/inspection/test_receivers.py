"""Who listens: found, named and in calling order, and none of the host's code is run."""

import functools
import gc
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db.models import signals
from django.dispatch import Signal

from project.playground.models import Book, Order
from signals_demo.inspection.receivers import Receiver, SignalReceivers, all_receivers
from signals_demo.testing import capture_signals

paid = Signal()
also_paid = paid
HERE = "tests.inspection.test_receivers"


class Till:
    opened = Signal()


class Notifier:
    def __call__(self, **kwargs: Any) -> None: ...

    def on_paid(self, **kwargs: Any) -> None: ...

    @classmethod
    def on_any(cls, **kwargs: Any) -> None: ...


class Quiet:
    """Nothing of it may be called or asked for."""

    def __call__(self, **kwargs: Any) -> None: ...

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)

    __repr__ = __str__ = __eq__ = __bool__ = __len__ = None  # type: ignore[assignment]
    __hash__ = object.__hash__


notifier = Notifier()


def plain(**kwargs: Any) -> None: ...


def with_level(level: int, **kwargs: Any) -> None: ...


async def later(**kwargs: Any) -> None: ...


def decorated(function: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(function)
    def inner(**kwargs: Any) -> None:
        function(**kwargs)

    return inner


@decorated
@decorated
def wrapped(**kwargs: Any) -> None: ...


urgent = functools.partial(functools.partial(with_level, 1))


@pytest.fixture(autouse=True)
def _nobody_listens() -> Iterator[None]:
    yield
    for signal in (paid, Till.opened):
        signal.receivers.clear()


def receivers_of(name: str) -> SignalReceivers:
    (found,) = [each for each in all_receivers() if each.name == name]
    return found


def receivers(signal: str = f"{HERE}.paid") -> list[Receiver]:
    return receivers_of(signal).receivers


def only() -> Receiver:
    (found,) = receivers()
    return found


def module_named(name: str, monkeypatch: pytest.MonkeyPatch, **names: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(names)
    monkeypatch.setitem(sys.modules, name, module)
    return module


# The receivers


@pytest.mark.parametrize(
    ("receiver", "name"),
    [
        (plain, "plain"),
        (wrapped, "wrapped"),
        (urgent, "with_level"),
        (notifier, "Notifier.__call__"),
        (notifier.on_paid, "Notifier.on_paid"),
        (Notifier.on_any, "Notifier.on_any"),
        (later, "later"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_receiver_is_named_after_the_function_that_was_written(
    receiver: Callable[..., Any], name: str
) -> None:
    paid.connect(receiver)
    found = only()
    source: Any = getattr(sys.modules[HERE], name, None) or vars(Notifier)[name.split(".")[1]]
    while not hasattr(source, "__code__") or hasattr(source, "__wrapped__"):
        source = getattr(source, "__wrapped__", None) or source.__func__
    assert found.name == f"{HERE}.{name}"
    assert found.short_name == name
    assert found.where == f"tests/inspection/test_receivers.py:{source.__code__.co_firstlineno}"
    assert found.owner == "project"


def test_a_lambda_is_told_by_its_line() -> None:
    function = lambda **kwargs: None  # noqa: E731
    paid.connect(function)
    assert only().short_name.endswith("<lambda>")
    assert only().line == function.__code__.co_firstlineno


def test_what_is_not_written_in_python() -> None:
    paid.connect(print)
    found = only()
    assert (found.name, found.where, found.owner) == ("builtins.print", "", "python")


def test_whose_receiver_it_is() -> None:
    assert {each.owner for each in receivers("post_migrate")} >= {"django", "signals_demo"}
    namespace: dict[str, Any] = {"__name__": "parcels.receivers"}
    file = "/venv/lib/python3.11/site-packages/parcels/receivers.py"
    exec(compile("def send(**kwargs): ...", file, "exec"), namespace)
    paid.connect(namespace["send"])
    assert only().owner == "parcels"


def test_weak_and_strong_sync_and_async() -> None:
    paid.connect(plain)
    paid.connect(later, weak=False)
    assert [(each.is_weak, each.is_async) for each in receivers()] == [
        (True, False), (False, True),
    ]  # fmt: skip


def test_asynchronous_receivers_come_after_the_others() -> None:
    for each in (later, plain, wrapped):
        paid.connect(each)
    found = [(each.position, each.short_name) for each in receivers()]
    assert found == [(1, "plain"), (2, "wrapped"), (3, "later")]


def test_the_order_is_that_in_which_they_are_called() -> None:
    called: list[str] = []

    def receiver(name: str) -> Callable[..., None]:
        return lambda **kwargs: called.append(name)

    for name in "cab":
        paid.connect(receiver(name), weak=False, dispatch_uid=name)
    paid.send(sender=None)
    assert [each.dispatch_uid for each in receivers()] == called == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("uid", "shown"),
    [(None, ""), ("mail", "mail"), (7, "7"), (("shop", 7), "shop, 7"), (Quiet(), f"{HERE}.Quiet")],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("receiver", [plain, notifier.on_paid], ids=["function", "method"])
def test_the_dispatch_uid(receiver: Callable[..., Any], uid: Any, shown: str) -> None:
    if type(uid) is Quiet:  # Django asks whether it is true
        paid.connect(receiver)
        key, *rest = paid.receivers[0]
        paid.receivers[0] = ((uid, key[1]), *rest)
    else:
        paid.connect(receiver, dispatch_uid=uid)
    assert only().dispatch_uid == shown


def test_dead_receivers_are_left_out() -> None:
    def vanishing(**kwargs: Any) -> None: ...

    paid.connect(vanishing)
    paid.connect(plain)
    del vanishing
    gc.collect()
    assert [each.short_name for each in receivers()] == ["plain"]


def test_looking_calls_no_receiver_and_changes_nothing() -> None:
    quiet = Quiet()
    paid.receivers.append(((id(quiet), id(None)), quiet, *[None] * (len(_entry()) - 3), False))
    before = list(paid.receivers)
    assert only().name == f"{HERE}.Quiet.__call__"
    assert all(one is other for one, other in zip(paid.receivers, before, strict=True))


def _entry() -> tuple[Any, ...]:
    signal = Signal()
    signal.connect(plain)
    entry: tuple[Any, ...] = signal.receivers[0]
    return entry


# The senders


@pytest.mark.parametrize(
    ("sender", "label"),
    [
        (Order, "playground.Order"),
        (Book.tags.through, "playground.Book_tags"),
        (Till, f"{HERE}.Till"),
        (notifier, f"{HERE}.notifier"),
        (apps.get_app_config("playground"), "project.playground"),
        (HERE, HERE),
    ],
    ids=["model", "table between", "class", "instance", "app", "string"],
)
def test_the_sender_is_named(sender: Any, label: str) -> None:
    sender = sys.modules[HERE].__name__ if sender == HERE else sender
    paid.connect(plain, sender=sender)
    found = only().sender
    assert found is not None
    assert (found.label, found.value) == (label, sender)


def test_any_sender() -> None:
    paid.connect(plain)
    assert only().sender is None


def test_a_model_that_is_named_before_it_is_made() -> None:
    signals.post_save.connect(plain, sender="playground.Order")
    try:
        (found,) = [each for each in receivers("post_save") if each.short_name == "plain"]
    finally:
        signals.post_save.disconnect(plain, sender="playground.Order")
    assert found.sender is not None
    assert found.sender.value is Order


def test_a_sender_that_nothing_names_is_admitted() -> None:
    # No object that Django could refer to weakly: all that is kept is a number.
    sender = ("not", "in", "a", "module", id(paid))
    paid.connect(plain, sender=sender)
    assert only().sender is not None
    assert only().sender.label == ""  # type: ignore[union-attr]


@pytest.mark.applies(len(_entry()) == 4)
def test_a_receiver_goes_with_its_sender() -> None:
    sender = Notifier()
    paid.connect(plain, sender=sender)
    assert len(receivers()) == 1
    del sender
    gc.collect()
    assert receivers() == []


# In tests our own receivers rest


def test_receivers_that_rest_are_listed_in_their_places() -> None:
    with capture_signals():
        before = [each.name for each in receivers("pre_save")]
    User(username="somebody")  # nobody wants this event, so ours go to rest
    assert not any(
        str(entry[0][0]).startswith("signals_demo") for entry in signals.pre_init.receivers
    )
    assert [each.name for each in receivers("pre_save")] == before
    assert [each.owner for each in receivers("pre_init")] == ["signals_demo"]
