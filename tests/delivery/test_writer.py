"""What the project's threads call: `flush`, and what has something stored soon."""

import threading
from typing import Any

import pytest
from django.db import connection
from django.db.models.signals import pre_save

from project.playground.models import Author, Tag
from signals_demo import flush, trace
from signals_demo.conf import config
from signals_demo.delivery.writer import writer
from tests.delivery.controlled import CONTROLLED, Controlled, authors, together
from tests.recording import MEMORY, kept, recorded, saves, stored


def test_flush_waits_until_all_is_stored(sink: type[Controlled]) -> None:
    with (
        recorded(SINKS=CONTROLLED, FLUSH_INTERVAL=600, FOLD_AFTER=None),
        trace("unit") as unit,
    ):
        authors(5)
        assert flush()
        assert len(sink.rows(unit)) == 10


def test_flush_says_when_its_time_is_over_and_nothing_is_lost(sink: type[Controlled]) -> None:
    with recorded(SINKS=CONTROLLED, FOLD_AFTER=None), trace("unit") as unit:
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


def test_flush_from_many_threads_at_once(sink: type[Controlled]) -> None:
    results: list[bool] = []

    def work(number: int) -> None:
        for _ in range(20):
            authors(1)
            results.append(flush(30))

    with recorded(SINKS=CONTROLLED):
        together(work)
    assert results == [True] * 160


def test_flush_does_not_wait_for_what_comes_after_it(sink: type[Controlled]) -> None:
    stop = threading.Event()

    def never_stop() -> None:
        while not stop.is_set():
            Author()

    with recorded(SINKS=CONTROLLED, BATCH_SIZE=5, FOLD_AFTER=None):
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


def test_a_finished_request_does_not_wait_for_the_interval(sink: type[Controlled]) -> None:
    with recorded(SINKS=CONTROLLED, FLUSH_INTERVAL=600):
        assert flush()
        sink.entered.clear()
        Author()
        writer.notify()
        assert sink.entered.wait(30)


@pytest.mark.parametrize("fold_after", [None, 1], ids=["event", "folded event"])
def test_a_full_batch_does_not_wait_for_the_interval(
    sink: type[Controlled], fold_after: int | None
) -> None:
    """Whether an event fills it or, as the fourth here, a folded one that still grows."""
    own = {"BATCH_SIZE": 4, "FLUSH_INTERVAL": 600, "FOLD_AFTER": fold_after}
    with recorded(SINKS=CONTROLLED, **own), trace("unit"):
        Tag()
        assert flush()  # so that the worker is in use
        sink.entered.clear()
        authors(2)
        assert sink.entered.wait(10)


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
