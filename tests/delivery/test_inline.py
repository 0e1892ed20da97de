"""Inline, an event is stored at once, in the transaction of the change."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from contextvars import copy_context
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.handlers.wsgi import WSGIHandler
from django.db import IntegrityError, connection, connections, transaction
from django.db.models.signals import pre_save
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path

from project.playground.models import Author, Ebook, Tag
from signals_demo import flush, trace
from signals_demo.delivery.writer import writer
from signals_demo.models import SignalEvent
from signals_demo.tracing.trace import Trace
from tests.delivery.controlled import CONTROLLED, Controlled, together
from tests.recording import MEMORY, Boom, kept, recorded, rolled_back, saves


@pytest.fixture
def inline(transactional_db: None) -> Iterator[None]:
    with recorded(MODE="inline", FLUSH_INTERVAL=600):
        yield


def found(unit: Trace) -> list[SignalEvent]:
    """Return what is in the table now, without waiting for anything."""
    return list(SignalEvent.objects.in_trace(unit.trace_id))


COMMITTED = [("pre_save", "committed"), ("post_save", "committed")]


def test_a_row_is_there_at_once(inline: None) -> None:
    with trace("unit") as unit:
        Author.objects.create(name="Ada")
        assert saves(found(unit)) == COMMITTED


def test_a_row_is_in_the_transaction_of_the_change(inline: None) -> None:
    with trace("unit") as unit:
        with rolled_back():
            Author.objects.create(name="Ada")
            assert saves(found(unit)) == COMMITTED
        assert saves(found(unit)) == []
        with transaction.atomic():
            Author.objects.create(name="Grace")
            with rolled_back():
                Author.objects.create(name="Joan")
        assert saves(found(unit)) == COMMITTED
        assert found(unit)[-1].changes["name"] == [None, "Grace"]


def test_a_failed_save_leaves_no_row(inline: None) -> None:
    Author.objects.create(name="Ada")

    def refuse(instance: Author, **kwargs: Any) -> None:
        if instance.name == "refused":
            raise Boom

    pre_save.connect(refuse, sender=Author)
    try:
        with trace("unit") as unit:
            with pytest.raises(IntegrityError):
                Author.objects.create(name="Ada")
            with transaction.atomic(), pytest.raises(Boom):
                Author.objects.create(name="refused")
            Author.objects.create(name="Grace")
    finally:
        pre_save.disconnect(refuse, sender=Author)
    assert saves(found(unit)) == COMMITTED


def test_nested_saves_are_all_there(inline: None) -> None:
    def note(**kwargs: Any) -> None:
        Tag.objects.create(name="noted")

    pre_save.connect(note, sender=Author)
    try:
        with trace("unit") as unit:
            Ebook.objects.create(title="Notes", author=Author.objects.create(name="Ada"))
    finally:
        pre_save.disconnect(note, sender=Author)
    assert saves(found(unit)) == [COMMITTED[0], *COMMITTED, COMMITTED[1], *COMMITTED]


def test_uses_the_connection_of_the_caller(inline: None) -> None:
    """In a transaction that writes, SQLite would lock any other connection out."""
    with trace("unit") as unit, transaction.atomic():
        Author.objects.create(name="Ada")
        rows = found(unit)
    assert saves(rows) == COMMITTED


@pytest.mark.parametrize("block", [False, True])
def test_does_not_show_in_the_query_log(transactional_db: None, *, block: bool) -> None:
    queries = {}
    for mode in ("background", "inline"):
        with recorded(MODE=mode), CaptureQueriesContext(connection) as captured:
            if block:
                with transaction.atomic():
                    Author.objects.create(name=mode).save()
            else:
                Author.objects.create(name=mode).save()
            flush()
        queries[mode] = [query["sql"].split()[0] for query in captured]
    assert queries["inline"] == queries["background"]


def test_in_a_broken_transaction_leaves_no_row_and_raises_nothing(
    inline: None, caplog: pytest.LogCaptureFixture
) -> None:
    Author.objects.create(name="Ada")
    with trace("unit") as unit:
        with transaction.atomic():
            with pytest.raises(IntegrityError):
                Author.objects.create(name="Ada")
            Tag()
        assert flush()
    assert found(unit) == []
    assert caplog.text == ""


def test_with_transactions_by_hand(inline: None) -> None:
    transaction.set_autocommit(False)
    try:
        with trace("unit") as unit:
            Author.objects.create(name="1")
            transaction.rollback()
            Author.objects.create(name="2")
            transaction.commit()
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)
    assert saves(found(unit)) == COMMITTED


def test_open_rows_are_not_remembered(inline: None) -> None:
    with trace("unit"), transaction.atomic():
        for number in range(20):
            Author.objects.create(name=str(number))
    assert not writer.pipeline.open_outcomes
    assert not writer.inline.held


def test_the_first_events_of_many_threads_are_all_stored(transactional_db: None) -> None:
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait(10)
        Author.objects.create(name=str(number))
        connections.close_all()

    with recorded(MODE="inline", SINKS=MEMORY), trace("all") as unit:
        contexts = [copy_context() for _ in range(8)]
        together(lambda number: contexts[number].run(work, number))
        assert saves(kept(unit)).count(("post_save", "committed")) == 8


def test_what_a_sink_refuses_is_stored_by_the_thread(
    sink: type[Controlled], transactional_db: None
) -> None:
    with recorded(MODE="inline", SINKS=CONTROLLED), trace("unit") as unit:
        sink.error = OSError("no route")
        with transaction.atomic():
            Author.objects.create(name="Ada")
        with rolled_back():
            Author.objects.create(name="Grace")
        sink.error = None
        assert flush()
    rows = sorted(sink.rows(unit), key=lambda row: row.position)
    assert saves(rows) == [*COMMITTED, ("pre_save", "rolled_back"), ("post_save", "rolled_back")]


def works(request: HttpRequest) -> HttpResponse:
    Author.objects.create(name="Ada")
    return HttpResponse()


async def works_async(request: HttpRequest) -> HttpResponse:
    Tag()
    await Author.objects.acreate(name="Grace")
    return HttpResponse()


urlpatterns = [path("works/", works), path("async/", works_async)]

own_urls = override_settings(
    ROOT_URLCONF="tests.delivery.test_inline",
    MIDDLEWARE=["signals_demo.middleware.SignalTraceMiddleware"],
    ALLOWED_HOSTS=["testserver"],
)


@own_urls
def test_in_an_async_view(inline: None) -> None:
    async def main() -> HttpResponse:
        return await AsyncClient().get("/async/")

    assert asyncio.run(main()).status_code == 200
    assert flush()
    rows = SignalEvent.objects.filter(origin_name="GET /async/")
    signals = set(rows.values_list("signal", flat=True))
    assert signals >= {"request_started", "pre_init", "pre_save", "post_save", "request_finished"}


@own_urls
def test_a_finished_request_leaves_no_connection_open(inline: None) -> None:
    """By way of the real handler: the test client keeps Django from closing connections."""
    started: list[str] = []
    environ = RequestFactory().get("/works/").environ
    with closing(WSGIHandler()(environ, lambda status, headers: started.append(status))):  # type: ignore[arg-type]
        pass
    assert started == ["200 OK"]
    assert connection.connection is None
    signals = SignalEvent.objects.filter(origin_name="GET /works/")
    assert list(signals.order_by("position").values_list("signal", flat=True))[-1] == (
        "request_finished"
    )


def test_events_of_models_that_are_loaded_are_not_left_behind(inline: None) -> None:
    connection.close()
    with trace("unit") as unit:
        Author()  # no reason to open a database
        assert connection.connection is None
        Group.objects.create(name="a reason")
        assert flush()
    assert {row.sender for row in found(unit)} >= {"playground.Author", "auth.Group"}
