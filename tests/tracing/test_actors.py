"""Whom a user object stands for, read from what is loaded."""

import uuid
from collections import namedtuple
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from django.contrib.auth.models import AbstractUser, AnonymousUser, User
from django.db import models
from django.test import override_settings
from django.test.utils import isolate_apps
from django.utils.functional import SimpleLazyObject, cached_property

from project.playground.models import Author
from signals_demo.tracing.actors import Actor, actor_of, is_user
from tests.recording import recorded


class Unreadable:
    """Runs out of control if anything of it is called."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked for")

    def __bool__(self) -> bool:
        raise AssertionError("its truth was asked for")

    def __str__(self) -> str:
        raise AssertionError("its text was asked for")

    __eq__ = __hash__ = None  # type: ignore[assignment]


class Token:
    """As simplejwt's."""

    def __init__(self, **payload: Any) -> None:
        self.payload = payload

    def __getitem__(self, name: str) -> Any:
        raise AssertionError("code of the project ran")


class TokenUser:
    """As simplejwt's: all but the token is computed."""

    is_active = True

    def __init__(self, token: Any) -> None:
        self.token = token

    @cached_property
    def pk(self) -> Any:
        return self.token["user_id"]

    @property
    def username(self) -> str:
        return str(self.token["username"])

    @property
    def is_anonymous(self) -> bool:
        return False

    @property
    def is_authenticated(self) -> bool:
        return True


class Guest(TokenUser):
    @property
    def is_authenticated(self) -> bool:
        """Say what it is not."""
        return False


class Doubtful(TokenUser):
    @property
    def is_authenticated(self) -> bool:
        return bool(self.token)


class Service:
    is_authenticated = True
    username = "importer"


class Nameless:
    is_authenticated = True


@dataclass(slots=True)
class Slotted:
    id: int
    username: str
    password: str = "secret"  # noqa: S105
    is_authenticated: ClassVar[bool] = True


@dataclass(slots=True)
class EmptySlots:
    id: int
    is_authenticated: ClassVar[bool] = True

    def __init__(self) -> None:
        pass


Named = namedtuple("Named", "id username is_authenticated")


class Private:
    is_authenticated = True

    def __init__(self) -> None:
        self._id, self._username = 4, "eve"


class Strange(Unreadable):
    is_authenticated = True

    def __init__(self) -> None:
        self.id = 3
        self.username = "odd"


@pytest.mark.parametrize(
    ("user", "actor"),
    [
        (TokenUser(Token(user_id=77, username="svc")), Actor("77", "svc")),
        (TokenUser({"sub": "abc", "email": "a@example.com"}), Actor("abc", "a@example.com")),
        (TokenUser("a-secret-token"), Actor("", "TokenUser")),
        (TokenUser(None), Actor("", "TokenUser")),
        (Guest(Token(user_id=77)), None),
        (Doubtful(Token(user_id=77)), Actor("77", "Doubtful")),
        (Service(), Actor("", "importer")),
        (Nameless(), Actor("", "Nameless")),
        (Slotted(5, "sam"), Actor("5", "sam")),
        (EmptySlots(), Actor("", "EmptySlots")),
        (Named(6, "nat", True), Actor("6", "nat")),
        (Named(6, "nat", False), None),
        (Private(), Actor("4", "eve")),
        (Strange(), Actor("3", "odd")),
        (SimpleNamespace(pk=8, username="ns", is_authenticated=True), Actor("8", "ns")),
        (SimpleNamespace(pk=8, username="ns", is_authenticated=False), None),
        (SimpleNamespace(pk=8, username="ns", is_anonymous=True), None),
        ({"id": 9, "username": "from-json"}, Actor("9", "from-json")),
        ({}, None),
        ("cron", Actor("", "cron")),
        (SimpleLazyObject(lambda: Unreadable()), None),
        (Unreadable(), None),
        (None, None),
        (7, None),
        (True, None),
        (object(), None),
        (AnonymousUser(), None),
        (type("Anonymous", (AnonymousUser,), {})(), None),
        (User(username="unsaved"), None),
    ],
    ids=lambda value: "",  # pytest would ask the values for one
)
def test_users_that_are_no_model_have_key_and_name_too(user: Any, actor: Actor | None) -> None:
    assert actor_of(user) == actor


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


@isolate_apps("tests")
def test_proxies_and_children_of_the_user_model_have_its_key() -> None:
    class Proxy(User):
        class Meta:
            proxy = True
            app_label = "tests"

    class Child(User):
        room = models.CharField(max_length=5)

        class Meta:
            app_label = "tests"

    class GrandChild(Child):
        own = models.UUIDField(primary_key=True, default=uuid.uuid4)
        parent = models.OneToOneField(Child, models.CASCADE, parent_link=True)

        class Meta:
            app_label = "tests"

    assert actor_of(Proxy(pk=7, username="ada")) == Actor("7", "ada")
    assert actor_of(Child(id=7, username="ada")) == Actor("7", "ada")
    assert actor_of(GrandChild(id=7, username="ada")) == Actor("7", "ada")


def test_the_user_of_another_model_is_not_taken_for_one_of_the_project_s() -> None:
    assert actor_of(Author(pk=7, name="Ada")) == Actor("playground.Author 7", "Ada")


@pytest.mark.django_db
def test_what_is_deferred_is_not_loaded(django_assert_num_queries: Any) -> None:
    User.objects.create_user("ada", first_name="Ada")
    user = User.objects.only("first_name").get()
    with django_assert_num_queries(0):
        assert actor_of(user) == Actor(str(user.pk), "")


@pytest.mark.django_db
def test_a_deleted_account_still_has_its_name() -> None:
    user = User.objects.create_user("ada")
    user.delete()
    assert actor_of(user) == Actor("", "ada")


RANDOM = [
    "4711",
    "0af7651916cd43dd",
    "0AF76519-16CD-43DD-8448-EB211C80319C",
    "uQ4f0zN7kX1pL9bT2mW8sYvAdR3cJe6HgKi",
    "0af7651916cd43dd8448eb211c80319c",
]


@pytest.mark.parametrize("login", RANDOM)
def test_a_login_name_that_is_a_random_key_gives_way_to_the_person_s(login: str) -> None:
    named = {"username": login, "first_name": "Ada", "last_name": "Lovelace"}
    assert actor_of(User(pk=1, **named, email="a@example.com")) == Actor("1", "Ada Lovelace")
    assert actor_of(User(pk=1, username=login, last_name="King")) == Actor("1", "King")
    assert actor_of(User(pk=1, username=login, email="a@x.de")) == Actor("1", "a@x.de")
    assert actor_of(User(pk=1, username=login)) == Actor("1", login)


@pytest.mark.parametrize("login", ["ada", "ada2", "a@example.com", "deadbeef", "face", "x1"])
def test_any_other_login_name_is_the_name(login: str) -> None:
    user = User(pk=1, username=login, first_name="Ada", email="b@example.com")
    assert actor_of(user) == Actor("1", login)


def test_a_name_that_is_to_be_masked_is_no_name() -> None:
    with recorded(REDACT=["email"]):
        user = User(pk=1, username=RANDOM[0], email="a@example.com")
        assert actor_of(user) == Actor("1", RANDOM[0])
    with recorded(REDACT=["username", "email", "_name"]):
        assert actor_of(User(pk=1, username="ada", first_name="Ada")) == Actor("1", "")


@isolate_apps("tests")
def test_the_login_field_is_that_of_the_model() -> None:
    class Member(AbstractUser):
        groups = user_permissions = None  # type: ignore[assignment]
        USERNAME_FIELD = "badge"
        badge = models.UUIDField(default=uuid.uuid4)
        full_name = models.CharField(max_length=50)

        class Meta:
            app_label = "tests"

    key = uuid.uuid4()
    with override_settings(AUTH_USER_MODEL="tests.Member"):
        member = Member(pk=3, badge=key, full_name="Ada L.")
        assert actor_of(member) is not None
        assert actor_of(member).name == "Ada L."  # type: ignore[union-attr]


@pytest.mark.parametrize("hostile", ["a" * 100_000, "-1" * 50_000, "\N{SNOWMAN}" * 50_000])
def test_long_names_are_cut_and_take_no_time(hostile: str) -> None:
    found = actor_of(User(pk=1, username=hostile))
    assert found is not None
    assert len(found.name) < 255


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        (User(), True),
        (TokenUser(None), True),
        (SimpleNamespace(is_authenticated=True), True),
        ("token", False),
        (Token(), False),
        (Author(), False),
        (None, False),
    ],
)
def test_a_token_is_no_user(value: object, is_one: bool) -> None:
    assert is_user(value) is is_one
