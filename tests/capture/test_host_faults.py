"""Receivers of the host that raise: recorded as it was, and what follows is not nested in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.signals import request_started
from django.db import transaction
from django.db.models.signals import ModelSignal, post_delete, post_save, pre_delete, pre_save
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from project.playground.models import Author
from signals_demo import flush, trace
from signals_demo.models import SignalEvent
from signals_demo.tracing.trace import Trace
from tests.recording import Boom, recorded, saves, stored

pytestmark = pytest.mark.django_db(transaction=True)

ordered = Signal()
COMMITTED = [("pre_save", "committed"), ("post_save", "committed")]


@contextmanager
def refusing(signal: Signal, sender: Any = None) -> Iterator[None]:
    """Have a receiver of the host's raise."""

    def refuse(**kwargs: Any) -> None:
        raise Boom

    signal.connect(refuse, sender=sender)
    try:
        yield
    finally:
        assert signal.disconnect(refuse, sender=sender)


def check_that_nothing_is_open(unit: Trace) -> None:
    """The trace's last save, made after all that failed, is at its ground."""
    Author.objects.create(name="last")
    rows = stored(unit)
    assert [(row.signal, row.depth, row.outcome) for row in rows[-2:]] == [
        ("pre_save", 0, "committed"),
        ("post_save", 0, "committed"),
    ]
    assert [row.position for row in rows] == list(range(1, len(rows) + 1))


@pytest.mark.parametrize(
    ("signal", "told"),
    [
        (pre_save, [("pre_save", "rolled_back")]),
        (post_save, COMMITTED),  # outside the save's own transaction: the row is there
    ],
)
def test_a_save_whose_receiver_raises(signal: ModelSignal, told: list[tuple[str, str]]) -> None:
    with trace("unit") as unit:
        for number in range(3):
            with refusing(signal, Author), pytest.raises(Boom):
                Author.objects.create(name=str(number))
        check_that_nothing_is_open(unit)
    assert Author.objects.count() == 1 + len([True for name, _ in told if name == "post_save"]) * 3
    assert saves(stored(unit)) == [*told * 3, *COMMITTED]


@pytest.mark.parametrize("signal", [pre_save, post_save])
def test_a_save_in_a_transaction_whose_receiver_raises(signal: ModelSignal) -> None:
    with trace("unit") as unit:
        with refusing(signal, Author), pytest.raises(Boom), transaction.atomic():
            Author.objects.create(name="Ada")
        check_that_nothing_is_open(unit)
    assert Author.objects.count() == 1
    rows = stored(unit)
    assert {outcome for _, outcome in saves(rows)[:-2]} == {"rolled_back"}


@pytest.mark.parametrize("signal", [pre_delete, post_delete])
def test_a_delete_whose_receiver_raises(signal: ModelSignal) -> None:
    authors = [Author.objects.create(name=str(number)) for number in range(3)]
    with trace("unit") as unit:
        with refusing(signal, Author), pytest.raises(Boom):
            authors[0].delete()
        with refusing(signal, Author), pytest.raises(Boom):
            Author.objects.all().delete()
        check_that_nothing_is_open(unit)
    assert Author.objects.count() == 4
    rows = [row for row in stored(unit) if row.signal in ("pre_delete", "post_delete")]
    assert {row.outcome for row in rows} == {"rolled_back"}


def test_a_signal_sent_robustly_is_recorded_once_and_its_errors_stay_the_host_s() -> None:
    with recorded(EXTRA_SIGNALS=["tests.capture.test_host_faults.ordered"]), trace("unit") as unit:
        with refusing(ordered):
            results = ordered.send_robust(sender="shop", number=5)
        Author.objects.create(name="last")
        rows = stored(unit)
    assert [type(result) for _, result in results if result is not None] == [Boom]
    (row,) = [row for row in rows if row.sender == "shop"]
    assert (row.depth, row.arguments["number"]) == (0, 5)
    assert saves(rows) == COMMITTED
    assert {row.depth for row in rows if row.signal == "pre_save"} == {0}


def page(request: HttpRequest) -> HttpResponse:
    Author.objects.create(name=request.GET["name"])
    return HttpResponse()


urlpatterns = [path("page/", page)]


@override_settings(
    ROOT_URLCONF="tests.capture.test_host_faults",
    MIDDLEWARE=["signals_demo.middleware.SignalTraceMiddleware"],
    ALLOWED_HOSTS=["testserver"],
)
def test_a_request_that_a_receiver_stops_at_its_start_is_not_part_of_the_next() -> None:
    with refusing(request_started), pytest.raises(Boom):
        Client().get("/page/?name=first")
    Client().get("/page/?name=second")
    with trace("unit") as unit:
        Author.objects.create(name="third")
        assert saves(stored(unit)) == COMMITTED
    Author.objects.create(name="fourth")  # which is in no request
    assert flush(60)
    rows = SignalEvent.objects.filter(origin="request").order_by("sequence")
    (first, second) = [row for row in rows if row.signal == "request_started"]
    assert first.trace_id != second.trace_id
    assert [row.signal for row in rows if row.trace_id == first.trace_id] == ["request_started"]
    own = [row for row in rows if row.trace_id == second.trace_id]
    assert saves(own) == COMMITTED
    assert own[0].signal == "request_started"
    assert (own[-1].signal, own[-1].depth) == ("request_finished", 0)
    assert [row.position for row in own] == list(range(1, len(own) + 1))
