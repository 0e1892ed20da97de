"""The factories: their events look like those that the recorder stores."""

import os
import subprocess
import sys

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from signals_demo import catalog, trace
from signals_demo.factories import (
    SignalEventFactory,
    checkout_trace,
    failed_trace,
    login_trace,
    migrate_trace,
    trace_of,
)
from signals_demo.models import SignalEvent
from signals_demo.testing import capture_signals
from tests.factories import UserFactory

TRACES = [checkout_trace, failed_trace, migrate_trace]


@pytest.mark.django_db
@pytest.mark.parametrize("name", catalog.built_in())
def test_an_event_of_each_signal_is_valid(name: str) -> None:
    event = SignalEventFactory.create(signal=name)
    event.full_clean(exclude=["id"])
    known = catalog.built_in()[name]
    assert set(event.arguments) <= set(known.argument_names)
    assert bool(event.outcome) == bool(event.database)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["pre_save", "post_save", "pre_delete", "post_delete"])
def test_an_event_is_like_a_real_one(name: str) -> None:
    with capture_signals(name) as signals:
        User.objects.create_user("ada").delete()
    made = SignalEventFactory.build(signal=name, sender="auth.User")
    assert set(made.arguments) == set(signals[0].arguments)
    assert made.call_site.count(":") == signals[0].call_site.count(":")


@pytest.mark.django_db
def test_the_trace_of_a_login_is_like_a_real_one() -> None:
    user = User.objects.create_user("ada", password="plum")
    with capture_signals("request_started", "user_logged_in", "pre_save", "post_save") as signals:
        Client().login(username="ada", password="plum")
    real = [(event.signal, event.sender) for event in signals.exclude(sender="sessions.Session")]
    made = [(event.signal, event.sender) for event in login_trace(user)]
    assert [pair for pair in made if not pair[0].startswith("request")] == real


@pytest.mark.django_db
@pytest.mark.parametrize("make", TRACES, ids=lambda make: make.__name__)
def test_a_trace_is_whole(make: type) -> None:
    events = make()
    assert [event.position for event in events] == list(range(1, len(events) + 1))
    assert len({event.trace_id for event in events}) == 1
    assert events[0].depth == events[-1].depth == 0
    stored = SignalEvent.objects.in_trace(events[0].trace_id)
    assert [event.signal for event in stored] == [event.signal for event in events]
    for closing in events:
        opening = catalog.built_in()[closing.signal].closes
        if opening:
            assert opening in [event.signal for event in events[: closing.position]]


@pytest.mark.django_db
def test_fields_in_common_and_of_a_user() -> None:
    user = UserFactory.create()
    events = checkout_trace(user, trace_id="f" * 32, remote_address="2001:db8::1")
    assert {event.actor for event in events} == {user.get_username()}
    assert {event.trace_id for event in events} == {"f" * 32}
    assert {event.remote_address for event in events} == {"2001:db8::1"}
    (only,) = trace_of((0, "post_init", {"sender": "auth.Group"}))
    assert (only.sender, only.outcome) == ("auth.Group", "")


@pytest.mark.processes
def test_without_factory_boy_it_says_what_to_install() -> None:
    code = "import django, sys; sys.modules['factory.declarations'] = None; django.setup()\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}import signals_demo.factories"],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
    )
    assert "pip install 'django-signals-demo[factories]'" in done.stderr


def test_building_asks_no_database() -> None:
    with trace("building"), capture_signals(sender=Group) as signals:
        assert SignalEventFactory.build().signal == "post_save"
    assert signals.names == []
