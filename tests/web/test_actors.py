"""Who is behind a row of the list: a user, the name that was tried, or an address."""

from typing import Any

import pytest
from django.test import Client

from signals_demo.factories import SignalEventFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_made_events")]

LOG = "/admin/signals_demo/signalevent/"
ADDRESS = "203.0.113.9"


def made(**fields: Any) -> dict[str, Any]:
    given = {"actor": "", "actor_pk": "", "remote_address": ADDRESS, "object_pk": ""} | fields
    return {"signal": "user_login_failed", "sender": "django.contrib.auth"} | given


def credentials(**given: str) -> dict[str, Any]:
    return {"credentials": given, "request": {"method": "POST", "path": "/login/"}}


NAMED = {
    "the name of the form": made(arguments=credentials(username="mallory", password="*")),
    "an e-mail": made(arguments=credentials(email="mallory", password="*")),
    "another field": made(arguments=credentials(login="mallory")),
    "a lockout": made(signal="axes.signals.user_locked_out", arguments={"username": "mallory"}),
    "a registration": made(signal="allauth.user_signed_up", arguments={"email": "mallory"}),
    "a user who logs in": made(signal="user_logged_in", actor="mallory", actor_pk="7"),
    "a user who logs out": made(signal="user_logged_out", actor="mallory", actor_pk="7"),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_login_has_its_name_and_its_address(reader: Client, name: str) -> None:
    SignalEventFactory.create(**NAMED[name])
    text = reader.get(LOG).content.decode()
    cell = text.split('field-actor_link">')[1].split("</td>")[0]
    assert "mallory" in cell
    assert ADDRESS in cell


def test_a_visitor_has_an_address_and_a_user_only_a_name(reader: Client) -> None:
    common = {"signal": "post_save", "sender": "auth.User", "object_pk": "5", "arguments": {}}
    SignalEventFactory.create(**made(**common))
    assert ADDRESS in reader.get(f"{LOG}?signal=post_save").content.decode()
    SignalEventFactory.create(**made(**common | {"signal": "pre_save", "actor": "ada"}))
    assert ADDRESS not in reader.get(f"{LOG}?signal=pre_save").content.decode()


def test_what_is_masked_or_hostile_is_no_name(reader: Client) -> None:
    SignalEventFactory.create(**made(arguments=credentials(username="*" * 20)))
    SignalEventFactory.create(**made(arguments=credentials(username="<script>x</script>")))
    SignalEventFactory.create(**made(arguments={"credentials": ["no", "dict"]}))
    text = reader.get(LOG).content.decode()
    assert '">' + "*" * 20 not in text
    assert "<script>x" not in text
    assert "&lt;script&gt;x" in text
