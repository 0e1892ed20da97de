"""Who did it, as far as that is loaded."""

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.utils.functional import SimpleLazyObject

from signals_demo.tracing.trace import Actor, actor_of


def test_a_lazy_user_is_read_if_loaded_and_left_alone_if_not() -> None:
    loads: list[int] = []

    def load() -> User:
        loads.append(1)
        return User(pk=7, username="ada")

    lazy = SimpleLazyObject(load)
    assert actor_of(lazy) is None
    assert loads == []
    assert lazy.username == "ada"
    assert actor_of(lazy) == Actor("7", "ada")
    assert loads == [1]


@pytest.mark.parametrize("user", [None, 7, object(), User(username="unsaved"), AnonymousUser()])
def test_what_is_no_stored_user_is_no_actor(user: object) -> None:
    assert actor_of(user) is None
