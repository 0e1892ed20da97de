"""Which functions something holds: they do not disappear from a signal that refers weakly."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from django.apps import apps

from signals_demo.inspection.references import held


def made() -> Any:
    def receive(**kwargs: Any) -> None: ...

    return receive


def calls_itself() -> Any:
    def receive(**kwargs: Any) -> None:
        receive(**kwargs)

    return receive


class Registry:
    def __init__(self) -> None:
        self.receivers: dict[str, list[Any]] = {"post_save": []}


KEPT: list[Any] = []
REGISTRY = Registry()


def keep_wrapped(function: Any) -> None:
    @wraps(function)
    def wrapper(**kwargs: Any) -> None:
        function(**kwargs)

    del wrapper.__wrapped__
    KEPT.append(wrapper)


KEEPERS: dict[str, Callable[[Any], object]] = {
    "a list": KEPT.append,
    "a list in a registry": REGISTRY.receivers["post_save"].append,
    "an instance": lambda function: setattr(REGISTRY, "function", function),
    "an AppConfig": lambda function: setattr(apps.get_app_config("auth"), "handler", function),
    "a tuple": lambda function: KEPT.append(("post_save", function)),
    "another function": keep_wrapped,
    "a default": lambda function: KEPT.append(lambda call=function: call),
}


@pytest.mark.parametrize("keeper", KEEPERS)
def test_a_function_that_something_keeps_is_held(keeper: str) -> None:
    for make in (made, calls_itself):
        function = make()
        KEEPERS[keeper](function)
        assert held({id(function): function}, []) == {id(function)}


@pytest.mark.parametrize("make", [made, calls_itself])
def test_a_function_that_only_a_call_knows_is_not_held(make: Callable[[], Any]) -> None:
    function = make()
    listed = Registry()
    listed.function = function  # type: ignore[attr-defined]
    assert held({id(function): function}, [listed]) == set()
    assert held({}, [listed]) == set()
