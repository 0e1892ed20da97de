"""The names and keys by which events refer to things, made without running project code."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db.models import Model

from signals_demo.conf import config
from signals_demo.serialize.model_info import info_of, redactor
from signals_demo.serialize.names import error_text, key_of, key_text, object_pk_of, sender_label
from signals_demo.serialize.redaction import MASK

KEY = uuid.UUID(int=7)


class Loud(str):
    """A string that shouts when it is converted."""

    def __str__(self) -> str:
        raise AssertionError("project code was run")


class Elsewhere:
    def __str__(self) -> str:
        raise AssertionError("project code was run")


@pytest.mark.parametrize(
    ("sender", "label"),
    [
        (None, ""),
        (type(None), ""),
        (User, "auth.User"),
        (Model, "django.db.models.base.Model"),
        (apps.get_app_config("auth"), "django.contrib.auth"),
        (Elsewhere, "tests.serialize.test_names.Elsewhere"),
        (Elsewhere(), "tests.serialize.test_names.Elsewhere"),
        (Loud("shop.Order"), "shop.Order"),
    ],
)
def test_a_sender_has_a_label(sender: Any, label: str) -> None:
    assert sender_label(sender) == label


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (None, ""),
        (5, "5"),
        (True, "True"),
        ("a b", "a b"),
        (KEY, str(KEY)),
        ((1, "a"), "(1, 'a')"),
        (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02 03:04:00+00:00"),
        (b"\x00\xfe", "00fe"),
    ],
)
def test_a_key_is_the_text_that_str_gives(key: Any, text: str) -> None:
    assert key_text(key) == text


def test_a_long_key_is_cut() -> None:
    assert key_text("x" * 1000) == "x" * 200 + "... (1,000 characters)"


def keys(instance: Model) -> tuple[object, str | int]:
    info = info_of(type(instance), config())
    return key_of(instance, info), object_pk_of(instance, info)


def test_a_key_that_gives_access_is_masked() -> None:
    assert keys(Session(pk="secret")) == (f'"{MASK}"', MASK)
    assert keys(User(pk=5)) == (5, 5)
    assert keys(User()) == ("null", "")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (None, ""),
        (ValueError(), "ValueError"),
        (ValueError("a", 1), "ValueError: a, 1"),
        (User.DoesNotExist("gone"), "django.contrib.auth.models.User.DoesNotExist: gone"),
    ],
)
def test_an_error_is_its_type_and_its_message(error: BaseException | None, text: str) -> None:
    assert error_text(error, redactor()) == text


def test_a_long_error_is_cut() -> None:
    text = error_text(ValueError("x" * 10_000), redactor())
    assert text.startswith("ValueError: xxx")
    assert text.endswith("... (10,000 characters)")
