"""From the buffer to the sinks: everything, once, whatever the sinks and the threads do."""

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from contextvars import copy_context
from itertools import pairwise
from types import ModuleType
from typing import Any, ClassVar

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
from signals_demo.conf import config
from signals_demo.delivery.open_outcomes import OpenOutcomes
from signals_demo.delivery.taps import storing
from signals_demo.delivery.writer import writer
from signals_demo.events import Resolution, Row
from signals_demo.faults import faults
from signals_demo.models import SignalEvent
from signals_demo.sinks import BaseSink, NotReady
from signals_demo.tracing.outcomes import TransactionOutcome
from signals_demo.tracing.trace import Trace
from tests.recording import MEMORY, Boom, kept, recorded, rolled_back, saves, stored
from tests.servers import until


class Recalcitrant(BaseSink):
    """A sink that the tests tell how to behave."""

    batches: ClassVar[list[list[Row]]] = []
    error: ClassVar[Exception | None] = None
    tries: ClassVar[list[float]] = []
    """When each was made."""
    may_go: ClassVar[threading.Event] = threading.Event()
    entered: ClassVar[threading.Event] = threading.Event()
    closed: ClassVar[threading.Event] = threading.Event()

    @classmethod
    def reset(cls) -> None:
        cls.batches = []
        cls.error = None
        cls.tries = []
        cls.may_go = threading.Event()
        cls.may_go.set()
        cls.entered = threading.Event()
        cls.closed = threading.Event()

    def store(self, rows: Sequence[Row]) -> None:
        cls = type(self)
        cls.tries.append(time.monotonic())
        cls.entered.set()
        cls.may_go.wait(30)
        if cls.error is not None:
            raise cls.error
        cls.batches.append(list(rows))

    def close(self) -> None:
        self.closed.set()

    @classmethod
    def rows(cls, unit: Trace) -> list[Row]:
        return [row for batch in cls.batches for row in batch if row.trace_id == unit.trace_id]


class Unmakeable(BaseSink):
    """A sink whose author forgot the contract."""

    def __init__(self, alias: str, options: Any) -> None:
        raise ValueError("not today")

    def store(self, rows: Sequence[Row]) -> None:
        raise NotImplementedError


RECALCITRANT = {"own": {"BACKEND": "tests.delivery.test_writer.Recalcitrant"}}


@pytest.fixture
def sink() -> Iterator[type[Recalcitrant]]:
    Recalcitrant.reset()
    yield Recalcitrant
    Recalcitrant.may_go.set()
    Recalcitrant.error = None


def authors(number: int) -> None:
    for _ in range(number):
        Author()


def together(work: Callable[[int], object], number: int = 8) -> None:
    """Run something in several threads at once, and wait for all."""
    threads = [threading.Thread(target=work, args=[index]) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


# flush()


def test_flush_waits_until_all_is_stored(sink: type[Recalcitrant]) -> None:
    with recorded(SINKS=RECALCITRANT, FLUSH_INTERVAL=600), trace("unit") as unit:
        authors(5)
        assert flush()
        assert len(sink.rows(unit)) == 10


def test_flush_says_when_its_time_is_over_and_nothing_is_lost(sink: type[Recalcitrant]) -> None:
    with recorded(SINKS=RECALCITRANT), trace("unit") as unit:
        sink.may_go.clear()
        authors(5)
        assert not flush(0.05)
        assert sink.rows(unit) == []
        sink.may_go.set()
        assert flush()
        assert len(sink.rows(unit)) == 10


def test_flush_with_nothing_to_do_is_done() -> None:
    with recorded(SINKS=MEMORY):
        assert flush()
        assert flush(0.5)


def test_flush_from_many_threads_at_once(sink: type[Recalcitrant]) -> None:
    results: list[bool] = []

    def work(number: int) -> None:
        for _ in range(20):
            authors(1)
            results.append(flush(30))

    with recorded(SINKS=RECALCITRANT):
        together(work)
    assert results == [True] * 160


def test_flush_does_not_wait_for_what_comes_after_it(sink: type[Recalcitrant]) -> None:
    stop = threading.Event()

    def never_stop() -> None:
        while not stop.is_set():
            Author()

    with recorded(SINKS=RECALCITRANT, BATCH_SIZE=5, FOLD_AFTER=None):
        thread = threading.Thread(target=never_stop)
        thread.start()
        try:
            assert flush(30)
        finally:
            stop.set()
            thread.join(30)
        assert flush(60)


def test_flush_in_a_receiver_during_a_save_is_fine(transactional_db: None) -> None:
    results: list[bool] = []

    def wait(**kwargs: Any) -> None:
        results.append(flush())

    pre_save.connect(wait, sender=Author)
    try:
        with trace("unit") as unit:
            Author.objects.create(name="Ada")
    finally:
        pre_save.disconnect(wait, sender=Author)
    assert results == [True]
    assert saves(stored(unit)) == [("pre_save", "committed"), ("post_save", "committed")]


@pytest.mark.applies(connection.vendor == "sqlite")
@pytest.mark.django_db
def test_flush_in_a_test_case_on_sqlite_gives_up_and_does_not_hang() -> None:
    Author.objects.create(name="Ada")  # this transaction locks the database
    with recorded():
        Author.objects.create(name="Grace")
        assert not flush(0.2)


# Batches and limits


def test_batches_are_no_larger_than_asked_and_in_order(sink: type[Recalcitrant]) -> None:
    with recorded(SINKS=RECALCITRANT, BATCH_SIZE=7, FOLD_AFTER=None), trace("unit") as unit:
        authors(50)
        assert flush()
    assert max(map(len, sink.batches)) <= 7
    numbers = [row.sequence for row in sink.rows(unit)]
    assert numbers == sorted(numbers)
    assert len(numbers) == 100


def test_a_full_batch_does_not_wait_for_the_interval(sink: type[Recalcitrant]) -> None:
    with recorded(SINKS=RECALCITRANT, BATCH_SIZE=10, FLUSH_INTERVAL=600, FOLD_AFTER=None):
        assert flush()
        sink.entered.clear()
        authors(20)
        assert sink.entered.wait(30)


def test_a_finished_request_does_not_wait_for_the_interval(sink: type[Recalcitrant]) -> None:
    with recorded(SINKS=RECALCITRANT, FLUSH_INTERVAL=600):
        assert flush()
        sink.entered.clear()
        Author()
        writer.notify()
        assert sink.entered.wait(30)


def test_when_too_much_waits_the_oldest_go_and_are_counted_and_logged(
    sink: type[Recalcitrant], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        recorded(SINKS=RECALCITRANT, BUFFER_LIMIT=10, FOLD_AFTER=None),
        trace("unit") as unit,
        caplog.at_level(logging.ERROR, "signals_demo"),
    ):
        assert flush()
        # Only now: what was waiting when the limit went down may have been too much already.
        monkeypatch.setattr(writer.buffer, "lost", 0)
        monkeypatch.setattr(writer.pipeline, "_reported_losses", 0)
        sink.may_go.clear()
        sink.entered.clear()
        Author()
        writer.notify()
        assert sink.entered.wait(30)  # from here on the thread is busy
        authors(50)
        assert len(writer.buffer.items) <= 11
        sink.may_go.set()
        assert flush()
    rows = sink.rows(unit)
    assert rows[-1].position == 102
    missing = 102 - len(rows)
    assert missing >= 88
    assert writer.buffer.lost == missing
    assert "lost" in caplog.text


def test_a_sink_that_is_out_of_order_holds_no_more_than_the_limit(
    sink: type[Recalcitrant],
) -> None:
    sink.error = OSError("no route")
    with recorded(SINKS=RECALCITRANT, BUFFER_LIMIT=20, FOLD_AFTER=None), trace("unit") as unit:
        for _ in range(10):
            authors(10)
            flush(0.01)
        (queue,) = writer.pipeline.queues
        assert len(queue.pending) <= 20
        assert len(writer.buffer.items) <= 21
        sink.error = None
        assert flush()
    assert sink.rows(unit)[-1].position == 200


# Sinks that fail


def test_a_sink_that_raises_gets_everything_later_in_order(
    sink: type[Recalcitrant], caplog: pytest.LogCaptureFixture
) -> None:
    with recorded(SINKS=RECALCITRANT), trace("unit") as unit:
        sink.error = OSError("no route")
        for _ in range(3):
            authors(2)
            assert not flush(0.05)
        assert len(sink.tries) >= 3
        sink.error = None
        assert flush()
    assert [row.position for row in sink.rows(unit)] == list(range(1, 13))
    assert sum("no route" in record.getMessage() for record in caplog.records) == 1


def test_a_sink_that_is_not_ready_is_waited_for_in_silence(
    sink: type[Recalcitrant], caplog: pytest.LogCaptureFixture
) -> None:
    with recorded(SINKS=RECALCITRANT), trace("unit") as unit:
        sink.error = NotReady()
        authors(2)
        assert not flush(0.05)
        sink.error = None
        assert flush()
    assert len(sink.rows(unit)) == 4
    assert not caplog.records


def test_a_flush_that_gave_up_leaves_the_sink_its_pauses(sink: type[Recalcitrant]) -> None:
    sink.error = OSError("no route")
    with recorded(SINKS=RECALCITRANT, FLUSH_INTERVAL=0.01), trace("unit") as unit:
        Author()
        assert not flush(0.05)
        (queue,) = writer.pipeline.queues
        queue._delay = 1000.0
        queue._next_try = time.monotonic() + 1000.0
        assert not flush(0.05)
        queue._next_try = time.monotonic() + 1000.0
        writer.notify()
        time.sleep(0.1)
        tries = len(sink.tries)
        for _ in range(5):
            writer.notify()
            time.sleep(0.03)
        assert len(sink.tries) == tries
        sink.error = None
        assert flush()
    assert len(sink.rows(unit)) == 2


def tried(sink: type[Recalcitrant], times: int) -> list[float]:
    """Let a sink fail so often; return the pauses between its tries."""
    sink.error = OSError("no route")
    with recorded(SINKS=RECALCITRANT, FLUSH_INTERVAL=0.1):
        Author()
        writer.notify()
        until(lambda: len(sink.tries) >= times)
        sink.error = None
        assert flush()
    return [later - one for one, later in pairwise(sink.tries[:times])]


def test_the_pauses_between_two_tries_are_twice_as_long_each_time(
    sink: type[Recalcitrant],
) -> None:
    for number, pause in enumerate(tried(sink, 5)):
        assert pause >= 0.1 * 2**number


def test_the_pauses_between_two_tries_grow_no_longer_than_so_long(
    sink: type[Recalcitrant], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signals_demo.delivery.sink_queue.LONGEST_DELAY", 0.2)
    tried(sink, 12)  # which would take longer than anybody waits


def test_one_sink_out_of_order_does_not_hold_up_another(sink: type[Recalcitrant]) -> None:
    with recorded(SINKS=RECALCITRANT | MEMORY), trace("unit") as unit:
        sink.error = OSError("no route")
        authors(2)
        assert not flush(0.2)
        sink.error = None
        assert len(kept(unit)) == 4
    assert len(sink.rows(unit)) == 4


def test_a_sink_that_cannot_be_made_does_not_end_the_thread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = {"bad": {"BACKEND": "tests.delivery.test_writer.Unmakeable"}}
    with recorded(SINKS=bad, FLUSH_INTERVAL=0.01):
        Author()
        flush(0.1)
    with recorded(SINKS=MEMORY), trace("unit") as unit:
        Author()
        assert len(kept(unit)) == 2
    assert "not today" in caplog.text


def test_a_fault_of_the_writer_itself_does_not_end_the_thread(
    sink: type[Recalcitrant], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()
    original = writer.buffer.take

    def take(most: int) -> list[Any]:
        if not failed.is_set():
            failed.set()
            raise ArithmeticError
        return original(most)

    with recorded(SINKS=RECALCITRANT, FLUSH_INTERVAL=0.01), trace("unit") as unit:
        assert flush()
        monkeypatch.setattr(writer.buffer, "take", take)
        Author()
        assert failed.wait(30)
        assert flush()
        assert len(sink.rows(unit)) == 2
    assert faults.pop("A batch of events: ArithmeticError") == 1


def test_the_connection_is_given_back_when_nothing_happens(
    sink: type[Recalcitrant], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signals_demo.delivery.worker.IDLE", 0.05)
    with recorded(SINKS=RECALCITRANT), trace("unit") as unit:
        Author()
        assert flush()
        sink.closed.clear()
        Author()
        assert flush()
        assert sink.closed.wait(30)
        Author()
        assert flush()
    assert len(sink.rows(unit)) == 6


# Settings that change while the thread writes


def test_the_setting_may_change_at_any_moment() -> None:
    stop = threading.Event()
    errors: list[Exception] = []

    def work() -> None:
        try:
            while not stop.is_set():
                authors(3)
                assert config().batch_size in (1000, 3, 5)
        except Exception as error:  # noqa: BLE001 - of whatever kind
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    with recorded(SINKS=MEMORY):
        for thread in threads:
            thread.start()
        for number in range(100):
            with recorded(SINKS=MEMORY, BATCH_SIZE=3 if number % 2 else 5, FLUSH_INTERVAL=0.001):
                Author()
            assert config().batch_size == 1000
        stop.set()
        for thread in threads:
            thread.join(30)
        assert errors == []
        with trace("unit") as unit:
            Author()
        assert len(kept(unit)) == 2


def test_a_test_run_stores_nothing_unless_asked_to(transactional_db: None) -> None:
    with recorded(RECORD_TESTS=False), trace("unit") as unit:
        waiting = len(writer.buffer.items)
        Author.objects.create(name="Ada")
        assert len(writer.buffer.items) == waiting
    assert stored(unit) == []


# Rows that are open


def open_row(number: int, trace_id: str = "t") -> Row:
    values: dict[str, Any] = dict.fromkeys(Row._fields, "")
    values |= {"sequence": number, "trace_id": trace_id, "database": "default"}
    return Row(**values)


def told(rows: OpenOutcomes) -> list[tuple[int, int, str]]:
    return [(one.first, one.last, one.outcome) for one in rows.resolved("me")]


def test_rows_that_come_out_of_order_are_all_in_a_range() -> None:
    rows, outcome = OpenOutcomes(), TransactionOutcome()
    for number in (5, 3, 4, 7, 6):
        rows.add(outcome, open_row(number))
    outcome.set("committed")
    assert told(rows) == [(3, 7, "committed")]
    assert not rows


def test_a_row_of_another_transaction_that_comes_late_is_left_out_of_the_range() -> None:
    rows, one, other = OpenOutcomes(), TransactionOutcome(), TransactionOutcome()
    for outcome, number in ((one, 1), (one, 3), (other, 2), (one, 4)):
        rows.add(outcome, open_row(number))
    one.set("committed")
    ranges = told(rows)
    assert not any(first <= 2 <= last for first, last, _ in ranges)
    assert {n for first, last, _ in ranges for n in range(first, last + 1)} == {1, 3, 4}
    other.set("rolled_back")
    assert told(rows) == [(2, 2, "rolled_back")]


def test_what_is_known_of_a_trace_goes_with_its_last_open_row() -> None:
    rows, lasting = OpenOutcomes(), TransactionOutcome()
    rows.add(lasting, open_row(1, "lasting"))
    for number in range(2, 200):
        outcome = TransactionOutcome()
        rows.add(outcome, open_row(number, f"trace {number}"))
        outcome.set("committed")
        assert len(told(rows)) == 1
    assert len(rows._latest) == 1


# Inline


@pytest.fixture
def inline(transactional_db: None) -> Iterator[None]:
    with recorded(MODE="inline", FLUSH_INTERVAL=600):
        yield


def found(unit: Trace) -> list[SignalEvent]:
    """Return what is in the table now, without waiting for anything."""
    return list(SignalEvent.objects.in_trace(unit.trace_id))


COMMITTED = [("pre_save", "committed"), ("post_save", "committed")]


def test_inline_a_row_is_there_at_once(inline: None) -> None:
    with trace("unit") as unit:
        Author.objects.create(name="Ada")
        assert saves(found(unit)) == COMMITTED


def test_inline_a_row_is_in_the_transaction_of_the_change(inline: None) -> None:
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


def test_inline_a_failed_save_leaves_no_row(inline: None) -> None:
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


def test_inline_nested_saves_are_all_there(inline: None) -> None:
    def note(**kwargs: Any) -> None:
        Tag.objects.create(name="noted")

    pre_save.connect(note, sender=Author)
    try:
        with trace("unit") as unit:
            Ebook.objects.create(title="Notes", author=Author.objects.create(name="Ada"))
    finally:
        pre_save.disconnect(note, sender=Author)
    assert saves(found(unit)) == [COMMITTED[0], *COMMITTED, COMMITTED[1], *COMMITTED]


def test_inline_uses_the_connection_of_the_caller(inline: None) -> None:
    """In a transaction that writes, SQLite would lock any other connection out."""
    with trace("unit") as unit, transaction.atomic():
        Author.objects.create(name="Ada")
        rows = found(unit)
    assert saves(rows) == COMMITTED


@pytest.mark.parametrize("block", [False, True])
def test_inline_does_not_show_in_the_query_log(transactional_db: None, *, block: bool) -> None:
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


def test_inline_in_a_broken_transaction_leaves_no_row_and_raises_nothing(
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


def test_inline_with_transactions_by_hand(inline: None) -> None:
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


def test_inline_open_rows_are_not_remembered(inline: None) -> None:
    with trace("unit"), transaction.atomic():
        for number in range(20):
            Author.objects.create(name=str(number))
    assert not writer.pipeline.open_outcomes
    assert not writer.inline.held


def test_inline_the_first_events_of_many_threads_are_all_stored(transactional_db: None) -> None:
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait(10)
        Author.objects.create(name=str(number))
        connections.close_all()

    with recorded(MODE="inline", SINKS=MEMORY), trace("all") as unit:
        contexts = [copy_context() for _ in range(8)]
        together(lambda number: contexts[number].run(work, number))
        assert saves(kept(unit)).count(("post_save", "committed")) == 8


def test_inline_what_a_sink_refuses_is_stored_by_the_thread(
    sink: type[Recalcitrant], transactional_db: None
) -> None:
    with recorded(MODE="inline", SINKS=RECALCITRANT), trace("unit") as unit:
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
    ROOT_URLCONF="tests.delivery.test_writer",
    MIDDLEWARE=["signals_demo.middleware.SignalTraceMiddleware"],
    ALLOWED_HOSTS=["testserver"],
)


@own_urls
def test_inline_in_an_async_view(inline: None) -> None:
    async def main() -> HttpResponse:
        return await AsyncClient().get("/async/")

    assert asyncio.run(main()).status_code == 200
    assert flush()
    rows = SignalEvent.objects.filter(origin_name="GET /async/")
    signals = set(rows.values_list("signal", flat=True))
    assert signals >= {"request_started", "pre_init", "pre_save", "post_save", "request_finished"}


@own_urls
def test_inline_a_finished_request_leaves_no_connection_open(inline: None) -> None:
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


def test_inline_events_of_models_that_are_loaded_are_not_left_behind(inline: None) -> None:
    connection.close()
    with trace("unit") as unit:
        Author()  # no reason to open a database
        assert connection.connection is None
        Group.objects.create(name="a reason")
        assert flush()
    assert {row.sender for row in found(unit)} >= {"playground.Author", "auth.Group"}


# Several sinks


def test_resolutions_reach_every_sink(transactional_db: None) -> None:
    seen: list[Resolution] = []

    def note(self: BaseSink, resolutions: Sequence[Resolution]) -> None:
        seen.extend(resolutions)

    Recalcitrant.reset()
    with (
        pytest.MonkeyPatch.context() as patch,
        recorded(SINKS=RECALCITRANT | MEMORY),
        trace("unit") as unit,
    ):
        patch.setattr(Recalcitrant, "resolve", note)
        with transaction.atomic():
            Author.objects.create(name="Ada")
            assert {outcome for _, outcome in saves(kept(unit))} == {"open"}
        assert {outcome for _, outcome in saves(kept(unit))} == {"committed"}
    assert {one.outcome for one in seen if one.trace_id == unit.trace_id} == {"committed"}


def test_a_test_environment_that_is_still_being_imported_is_none(monkeypatch: Any) -> None:
    """The host's thread may be at it when the writer asks."""
    monkeypatch.setitem(sys.modules, "django.test.utils", ModuleType("django.test.utils"))
    with override_settings(SIGNALS_DEMO={"RECORD_TESTS": False}):
        assert storing()
