"""Whose session it is, read by the worker."""

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from signals_demo.delivery import login_sessions
from signals_demo.delivery.login_sessions import user_of
from signals_demo.delivery.session import session
from tests.recording import recorded

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_is_known() -> None:
    login_sessions._known.clear()


def made(**values: Any) -> str:
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    for name, value in values.items():
        store[name] = value
    store.save()
    return str(store.session_key)


@pytest.mark.parametrize(
    ("values", "pk"),
    [
        ({"_auth_user_id": "7"}, "7"),
        ({"_auth_user_id": 7}, "7"),
        ({"_auth_user_id": "0af76519-16cd-43dd-8448-eb211c80319c"},
         "0af76519-16cd-43dd-8448-eb211c80319c"),
        ({"_auth_user_id": ["7"]}, ""),
        ({"basket": [1]}, ""),
    ],
)  # fmt: skip
def test_a_session_names_its_user(values: dict[str, Any], pk: str) -> None:
    assert user_of(made(**values)) == pk


def test_one_that_is_not_there_names_nobody() -> None:
    assert user_of("x" * 32) == ""


def test_one_that_has_expired_names_nobody() -> None:
    key = made(_auth_user_id="7")
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert user_of(key) == ""


def test_one_that_was_tampered_with_names_nobody() -> None:
    key = made(_auth_user_id="7")
    Session.objects.update(session_data="junk")
    assert user_of(key) == ""


def test_a_session_is_read_once_in_a_while() -> None:
    key = made(_auth_user_id="7")
    with CaptureQueriesContext(connection) as queries:
        assert [user_of(key) for _ in range(5)] == ["7"] * 5
    assert len(queries) == 1


def test_no_more_than_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_sessions, "MOST", 5)
    for number in range(20):
        user_of(str(number))
        assert len(login_sessions._known) <= 5


@pytest.mark.parametrize(
    "other",
    [
        {"SESSION_ENGINE": "django.contrib.sessions.backends.cache"},
        {"SESSION_ENGINE": "tests.sessions"},
        {"SESSION_SERIALIZER": "tests.sessions.Serializer"},
    ],
)
def test_code_of_the_project_is_not_run(other: dict[str, str]) -> None:
    key = made(_auth_user_id="7")
    with override_settings(**other):
        assert user_of(key) == ""


def test_the_caller_s_connection_is_not_asked() -> None:
    key = made(_auth_user_id="7")
    with session.of_caller():
        assert user_of(key) == ""
    login_sessions._known.clear()
    with recorded(DATABASE="audit"):
        assert user_of(key) == ""
