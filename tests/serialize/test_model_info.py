"""What capturing knows of a model: its label, its fields, and which of them hold secrets."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db import models
from django.test import override_settings
from django.test.utils import isolate_apps

from project.playground.models import Book
from signals_demo.conf import config
from signals_demo.models import SignalEvent
from signals_demo.serialize.frozen import Frozen, freeze_container
from signals_demo.serialize.model_info import info_of, model_named


@pytest.mark.parametrize("label", ["auth.User", "auth.user"])
def test_a_model_is_found_by_its_label(label: str) -> None:
    assert model_named(label) is User


@pytest.mark.parametrize("label", ["", "auth", "auth.Nothing", "shop.User", "a.b.c", None, 5])
def test_what_names_no_model_finds_none(label: Any) -> None:
    assert model_named(label) is None


def test_secrets_are_known_by_the_name_of_their_field() -> None:
    user = info_of(User, config())
    assert user.secret_names == {"password"}
    assert not user.key_is_secret


def test_a_session_s_key_is_a_secret() -> None:
    session = info_of(Session, config())
    assert session.key_is_secret
    assert session.secret_names >= {"pk", "session_key"}


@isolate_apps("tests")
def test_a_reference_to_a_secret_is_one() -> None:
    class Token(models.Model):  # noqa: DJ008
        token = models.CharField(max_length=9, primary_key=True)

        class Meta:
            app_label = "tests"

    class Use(models.Model):  # noqa: DJ008
        what = models.ForeignKey(Token, models.CASCADE)

        class Meta:
            app_label = "tests"

    assert info_of(Use, config()).secret_names == {"what", "what_id"}


def test_our_own_models_are_ignored() -> None:
    assert info_of(SignalEvent, config()).ignored
    assert not info_of(Book, config()).ignored


def test_it_is_kept_until_the_setting_changes() -> None:
    before = info_of(Group, config())
    assert info_of(Group, config()) is before
    with override_settings(SIGNALS_DEMO={"REDACT": ["name"]}):
        assert info_of(Group, config()).secret_names == {"name"}
    assert info_of(Group, config()).secret_names == set()


@pytest.mark.parametrize("value", [[1, [2]], {"a": {"b": []}}, {1, 2}, (1, [2])])
def test_a_container_is_kept_as_it_was(value: Any) -> None:
    kept = freeze_container(value)
    assert isinstance(kept, Frozen)
    assert kept.thaw() == value


def test_a_later_change_does_not_reach_what_was_kept() -> None:
    value = {"a": [object(), [1]]}  # an object is nothing that can be packed
    kept = freeze_container(value)
    value["a"][1].append(2)  # type: ignore[attr-defined]
    assert kept["a"][1] == [1]
