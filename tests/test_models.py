"""The audit model: its reads, and what the database makes sure of."""

import datetime
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from project.playground.models import Tag
from signals_demo.catalog.outcomes import COMMITTED, OPEN, ROLLED_BACK
from signals_demo.events import Row
from signals_demo.factories import SignalEventFactory
from signals_demo.fields import of_key
from signals_demo.models import Origin, Outcome, SignalEvent, SignalHour, SignalTrace
from signals_demo.sinks.database import DatabaseSink
from signals_demo.tracing.trace import Trace
from tests.recording import recorded, row_maker

pytestmark = pytest.mark.django_db


def test_an_event_of_a_recorder_is_there_once() -> None:
    event = SignalEventFactory.create()
    with pytest.raises(IntegrityError):
        SignalEventFactory.create(recorder=event.recorder, sequence=event.sequence)


def test_two_recorders_number_by_themselves() -> None:
    events = [SignalEventFactory.create(recorder=uuid.uuid4(), sequence=1) for _ in range(2)]
    assert SignalEvent.objects.filter(pk__in=[event.pk for event in events]).count() == 2


def test_a_trace_is_read_in_the_order_in_which_it_fired() -> None:
    for position in (3, 1, 2):
        SignalEventFactory.create(trace_id="a" * 32, position=position)
    SignalEventFactory.create(trace_id="b" * 32)
    found = SignalEvent.objects.in_trace("a" * 32)
    assert [event.position for event in found] == [1, 2, 3]


def test_the_events_of_an_object_are_read_oldest_first() -> None:
    tag = Tag(pk=5)
    moment = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    for days in (2, 1):
        SignalEventFactory.create(
            sender="playground.Tag",
            object_pk="5",
            occurred_at=moment + datetime.timedelta(days=days),
        )
    SignalEventFactory.create(sender="playground.Author", object_pk="5")
    SignalEventFactory.create(sender="playground.Tag", object_pk="55")
    days = [event.occurred_at.day for event in SignalEvent.objects.of_object(tag)]
    assert days == [2, 3]


def test_firings_are_what_the_rows_stand_for() -> None:
    own = SignalEvent.objects.filter(sender="shop.Product")
    assert own.firings() == 0
    for count in (1, 1, 312):
        SignalEventFactory.create(sender="shop.Product", count=count)
    assert own.firings() == 314
    assert own.filter(count=1).firings() == 2


def test_changes_and_durations_for_people() -> None:
    event = SignalEvent(
        changes={"name": ["Ada", "Grace"]}, duration=datetime.timedelta(microseconds=1500)
    )
    assert event.fields_changed == [("name", "Ada", "Grace")]
    assert event.milliseconds == 1.5
    assert SignalEvent().milliseconds is None
    assert SignalEvent().fields_changed == []


def test_text_names_signal_sender_and_object() -> None:
    assert str(SignalEvent(signal="post_save", sender="auth.User", object_pk="5")) == (
        "post_save auth.User 5"
    )
    assert str(SignalEvent(signal="request_finished")) == "request_finished"


def test_what_the_recorder_writes_are_choices_of_the_model() -> None:
    assert {COMMITTED, ROLLED_BACK, OPEN} == set(Outcome.values)
    assert Trace("block", "x").origin in Origin.values
    longest = max(map(len, Origin.values))
    assert longest <= (SignalEvent._meta.get_field("origin").max_length or 0)


def test_only_looking_is_a_permission() -> None:
    found = Permission.objects.filter(content_type__app_label="signals_demo")
    assert [permission.codename for permission in found] == ["view_signalevent"]


def test_the_migrations_are_up_to_date(capsys: Any) -> None:
    call_command("makemigrations", "signals_demo", check=True, dry_run=True, verbosity=0)


@pytest.mark.applies(connection.vendor == "sqlite")
@pytest.mark.parametrize(
    ("lookup", "order", "index"),
    [
        ({"trace_id": "a" * 32}, ["position"], "signals_demo_trace"),
        (
            {"sender": "a", **of_key("object_pk", "5")},
            ["occurred_at", "pk"],
            "signals_demo_object",
        ),
        (of_key("actor_pk", "5"), ["-occurred_at", "-pk"], "signals_demo_actor"),
        ({"signal": "post_save"}, ["-occurred_at", "-pk"], "signals_demo_signal"),
        ({"sender": "auth.User"}, ["-occurred_at", "-pk"], "signals_demo_sender"),
        ({"outcome": "rolled_back"}, ["-occurred_at"], "signals_demo_outcome"),
        ({"outcome": "open"}, ["occurred_at", "pk"], "signals_demo_outcome"),
        ({"outcome": "committed"}, ["-occurred_at"], "signals_demo_time"),
        ({}, ["-occurred_at", "-pk"], "signals_demo_time"),
    ],
)
def test_every_read_has_its_index(lookup: dict[str, str], order: list[str], index: str) -> None:
    plan = SignalEvent.objects.filter(**lookup).order_by(*order).explain()
    assert index in plan
    assert "TEMP B-TREE" not in plan


def test_a_migration_warns_of_nothing() -> None:
    """MariaDB leaves the condition of an index out, which is no reason to warn anybody."""
    assert SignalEvent.check(databases=["default"]) == []


# Deleting, as long as nothing else does it.


def traces() -> set[str]:
    return set(SignalTrace.objects.values_list("trace_id", flat=True))


@pytest.fixture
def rows() -> Iterator[list[Row]]:
    """Store three units of work of three events each."""
    make = row_maker()
    made = [
        make(
            trace_id=letter * 32,
            signal=signal,
            occurred_at=datetime.datetime(2030, 1, day, number, tzinfo=datetime.UTC),
        )
        for day, letter in enumerate("abc", 1)
        for number, signal in enumerate(["pre_init", "pre_save", "post_save"])
    ]
    with recorded(RECORD_TESTS=False):
        DatabaseSink("default", {}).store(made)
        yield made


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ([{"occurred_at__lt": "2030-01-02T12:00Z"}], "c"),
        ([{"trace_id": "b" * 32}], "ac"),
        ([{"signal": "post_save"}], "abc"),
        ([{"signal": "pre_init"}, {"trace_id": "a" * 32}], "bc"),
        ([{"trace_id": "a" * 32, "signal": "pre_save"}, {"signal": "pre_init"},
          {"signal": "post_save"}], "bc"),
        ([{"signal": "none"}], "abc"),
        ([{}], ""),
    ],
)  # fmt: skip
def test_deleted_events_take_the_traces_with_them_that_have_no_other(
    rows: list[Row], filters: list[dict[str, Any]], left: str
) -> None:
    for each in filters:
        found = SignalEvent.objects.filter(**each)
        number, gone = found.count(), len(traces())
        by_model = found.delete()[1]
        assert by_model.get("signals_demo.SignalEvent", 0) == number
        assert by_model.get("signals_demo.SignalTrace", 0) == gone - len(traces())
    assert traces() == {letter * 32 for letter in left}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", [SignalEvent, SignalTrace, SignalHour])
def test_no_row_of_the_log_is_loaded_to_be_deleted(rows: list[Row], model: type[Model]) -> None:
    with CaptureQueriesContext(connection) as captured:
        model._default_manager.filter(pk__gt=0).delete()
    assert not [query for query in captured if "call_site" in query["sql"]]
    assert len(captured) <= 5
