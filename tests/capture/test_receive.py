"""What a receiver does when recording fails, and what it does not record."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.signals import pre_save
from django.dispatch import Signal

from project.playground.models import Author
from signals_demo import suppress, trace
from signals_demo.faults import faults
from signals_demo.models import SignalEvent
from tests.recording import MEMORY, kept, recorded, stored

paid = Signal()


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make describing an author impossible."""

    def refuse(*args: Any) -> None:
        raise ArithmeticError("no words for it")

    monkeypatch.setattr("signals_demo.serialize.model_arguments.save", refuse)
    faults.clear()
    yield
    faults.clear()


@pytest.mark.django_db(transaction=True)
def test_a_fault_is_logged_once_and_the_firing_still_has_a_row(
    broken: None, caplog: pytest.LogCaptureFixture
) -> None:
    with recorded(STRICT=False), trace("unit") as unit:
        for number in range(3):
            Author.objects.create(name=str(number))
        with caplog.at_level(logging.ERROR, "signals_demo"):
            rows = stored(unit)
    told = [row for row in rows if row.signal in ("pre_save", "post_save")]
    assert [row.signal for row in told] == ["pre_save", "post_save"] * 3
    assert {row.sender for row in told} == {"playground.Author"}
    assert told[0].arguments == {"...": "not described"}
    assert faults == {"pre_save: ArithmeticError": 3, "post_save: ArithmeticError": 3}
    messages = [record.getMessage() for record in caplog.records]
    assert sum("pre_save could not be recorded" in message for message in messages) == 1
    assert sum("post_save could not be recorded" in message for message in messages) == 1


@pytest.mark.django_db(transaction=True)
def test_strict_raises_faults(broken: None) -> None:
    with pytest.raises(ArithmeticError, match="no words"):
        Author.objects.create(name="Ada")


@pytest.mark.usefixtures("memory")
def test_a_fault_with_a_signal_of_the_host_s_is_kept_from_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*args: Any) -> None:
        raise ArithmeticError("no words for it")

    monkeypatch.setattr("signals_demo.serialize.arguments.any_signal", refuse)
    faults.clear()
    own = {"SINKS": MEMORY, "EXTRA_SIGNALS": ["tests.capture.test_receive.paid"]}
    with recorded(STRICT=False, **own), trace("unit") as unit:
        for _ in range(3):
            paid.send("shop")
        rows = kept(unit)
    assert [(row.signal, row.sender) for row in rows] == [
        ("tests.capture.test_receive.paid", "shop")
    ] * 3
    assert faults == {"tests.capture.test_receive.paid: ArithmeticError": 3}
    assert caplog.text.count("could not be recorded") == 1
    faults.clear()
    with recorded(**own), pytest.raises(ArithmeticError):
        paid.send("shop")
    faults.clear()


@pytest.mark.usefixtures("memory")
def test_a_firing_that_cannot_be_recorded_at_all_is_counted(
    broken: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> None:
        raise ArithmeticError("no room for it")

    monkeypatch.setattr("signals_demo.capture.receive.record", refuse)
    with recorded(STRICT=False, SINKS=MEMORY):
        pre_save.send(Author, instance=None, raw=False, using=None, update_fields=None)
    assert faults == {
        "pre_save: ArithmeticError": 1,
        "pre_save without its arguments: ArithmeticError": 1,
    }


@pytest.mark.django_db(transaction=True)
def test_the_record_itself_is_never_recorded(client: Any) -> None:
    with trace("unit") as unit:
        Author.objects.create(name="Ada")
    before = len(stored(unit))
    with trace("reading") as reading:
        event = SignalEvent.objects.in_trace(unit.trace_id)[0]
        event.save()
        event.delete()
        list(SignalEvent.objects.all())
        SignalEvent.objects.filter(trace_id=unit.trace_id)[:1].get()
        SignalEvent.objects.in_trace(unit.trace_id).delete()
    assert before > 0
    assert stored(reading) == []


@pytest.mark.django_db(transaction=True)
def test_reading_the_record_in_the_admin_records_the_request_and_not_the_record(
    client: Any,
) -> None:
    with suppress():
        client.force_login(User.objects.create_superuser("ada"))
    with trace("unit") as unit:
        Author.objects.create(name="Ada")
    event = stored(unit)[0]
    client.get("/admin/signals_demo/signalevent/")
    client.get(f"/admin/signals_demo/signalevent/{event.pk}/change/")
    assert stored(unit)
    rows = SignalEvent.objects.exclude(trace_id=unit.trace_id)
    assert rows.filter(signal="request_finished").count() == 2
    assert not rows.filter(sender="signals_demo.SignalEvent").exists()
    text = str(list(rows.exclude(signal="template_rendered").values_list("arguments")))
    assert "signals_demo.SignalEvent" not in text
