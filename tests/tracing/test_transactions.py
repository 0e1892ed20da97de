"""The outcome of each event: what became of the transaction in which its signal fired."""

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from pathlib import Path
from typing import Any

import pytest
from django.db import Error, IntegrityError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models.signals import post_save, pre_save
from django.http import HttpRequest, HttpResponse
from django.test import Client, TestCase, override_settings
from django.urls import path

from project.playground.models import Author, Book, Ebook, Tag
from signals_demo import flush, trace
from signals_demo.delivery.writer import writer
from signals_demo.models import SignalEvent
from signals_demo.tracing.trace import Trace
from tests.recording import (
    MEMORY,
    Boom,
    Project,
    kept,
    left_open,
    outcomes,
    recorded,
    rolled_back,
    saves,
    stored,
)
from tests.servers import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stored]

COMMITTED = [("pre_save", "committed"), ("post_save", "committed")]
ROLLED_BACK = [("pre_save", "rolled_back"), ("post_save", "rolled_back")]
FAILED = [("pre_save", "rolled_back")]
OPEN = [("pre_save", "open"), ("post_save", "open")]


def author(name: str = "Ada") -> Author:
    return Author.objects.create(name=name)


def taken(name: str = "Ada") -> None:
    """Fail to save an author whose name is taken."""
    with pytest.raises(IntegrityError):
        author(name)


# Autocommit


def test_a_save_in_autocommit_mode_is_committed_once_it_is_done() -> None:
    with trace("unit") as unit:
        author()
    assert saves(stored(unit)) == COMMITTED


def test_a_failed_save_says_so_and_what_follows_is_not_nested_in_it() -> None:
    author()
    with trace("unit") as unit:
        taken()
        author("Grace")
    rows = stored(unit)
    assert saves(rows) == FAILED + COMMITTED
    assert {row.depth for row in rows} == {0}


def test_a_failed_save_says_so_also_when_nothing_follows() -> None:
    author()
    with trace("unit") as unit:
        taken()
    assert saves(stored(unit)) == FAILED


def test_a_save_that_a_receiver_stops_says_so() -> None:
    def refuse(**kwargs: Any) -> None:
        raise Boom

    pre_save.connect(refuse, sender=Author)
    try:
        with trace("unit") as unit, pytest.raises(Boom):
            author()
    finally:
        pre_save.disconnect(refuse, sender=Author)
    assert saves(stored(unit)) == FAILED


def test_a_save_of_an_inherited_model_is_committed() -> None:
    with trace("unit") as unit:
        Ebook.objects.create(title="Notes", author=author())
    assert saves(stored(unit)) == COMMITTED * 2


def test_deletes_and_relations_are_committed() -> None:
    book = Book.objects.create(title="Notes", author=author())
    with trace("unit") as unit:
        book.tags.set([Tag.objects.create(name="new")])
        book.delete()
    rows = outcomes(stored(unit), "m2m_changed", "pre_delete", "post_delete")
    assert rows == [
        ("m2m_changed", "committed"),
        ("m2m_changed", "committed"),
        ("pre_delete", "committed"),
        ("post_delete", "committed"),
    ]


def test_signals_that_concern_no_transaction_have_no_outcome() -> None:
    with trace("unit") as unit:
        Author()
    assert outcomes(stored(unit), "pre_init", "post_init") == [("pre_init", ""), ("post_init", "")]


def test_a_signal_that_the_host_sends_by_hand_has_no_outcome() -> None:
    with trace("unit") as unit:
        pre_save.send(Author, instance=Author())
        post_save.send(Author, instance=Author(), created=True)
    assert saves(stored(unit)) == [("pre_save", ""), ("post_save", "")]
    assert not left_open(unit)


def test_without_post_save_nobody_knows_how_a_save_in_autocommit_mode_ended() -> None:
    with recorded(SIGNALS=["pre_save"]), trace("unit") as unit:
        author()
        author("Grace")
        with transaction.atomic():
            author("Joan")
        assert saves(stored(unit)) == [
            ("pre_save", "open"),
            ("pre_save", "open"),
            ("pre_save", "committed"),
        ]
    assert not left_open(unit)


# Blocks


def test_an_atomic_block_that_ends_well_is_committed() -> None:
    with trace("unit") as unit, transaction.atomic():
        author()
    assert saves(stored(unit)) == COMMITTED


@pytest.mark.parametrize("options", [{}, {"durable": True}, {"savepoint": False}])
def test_an_atomic_block_that_raises_is_rolled_back_and_kept(options: dict[str, bool]) -> None:
    with trace("unit") as unit, rolled_back(**options):
        author()
    assert saves(stored(unit)) == ROLLED_BACK
    assert not Author.objects.exists()


def test_an_inner_block_is_rolled_back_in_an_outer_one_that_commits() -> None:
    with trace("unit") as unit, transaction.atomic():
        author("before")
        with rolled_back():
            author("inside")
        author("after")
    assert saves(stored(unit)) == COMMITTED + ROLLED_BACK + COMMITTED
    assert Author.objects.count() == 2


def test_an_inner_block_that_ended_well_goes_with_the_outer_one() -> None:
    with trace("unit") as unit, rolled_back():
        with transaction.atomic(), transaction.atomic():
            author("inside")
        author("after")
    assert saves(stored(unit)) == ROLLED_BACK * 2


def test_each_level_of_many_has_its_own_outcome() -> None:
    with trace("unit") as unit, transaction.atomic():
        author("1")
        with rolled_back():
            author("2")
            with transaction.atomic():
                author("3")
        with transaction.atomic():
            author("4")
            with rolled_back():
                author("5")
            author("6")
    names = set(Author.objects.values_list("name", flat=True))
    told = {
        row.changes["name"][1]: row.outcome for row in stored(unit) if row.signal == "post_save"
    }
    assert {name for name, outcome in told.items() if outcome == "committed"} == names
    assert {name for name, outcome in told.items() if outcome == "rolled_back"} == {"2", "3", "5"}


def test_a_block_without_a_savepoint_takes_the_outer_one_with_it() -> None:
    with trace("unit") as unit, transaction.atomic():
        author("outer")
        with rolled_back(savepoint=False):
            author("inner")
    assert saves(stored(unit)) == ROLLED_BACK * 2


def test_an_integrity_error_that_is_caught_breaks_the_block() -> None:
    with trace("unit") as unit, transaction.atomic():
        author()
        taken()
    assert saves(stored(unit)) == ROLLED_BACK + FAILED
    assert not Author.objects.exists()


@transaction.atomic
def save_twice(*names: str) -> None:
    for name in names:
        author(name)


def test_an_integrity_error_in_a_block_of_its_own_breaks_only_that() -> None:
    with trace("unit") as unit, transaction.atomic():
        author()
        with pytest.raises(IntegrityError):
            save_twice("inside", "Ada")
        author("after")
    assert saves(stored(unit)) == COMMITTED + ROLLED_BACK + FAILED + COMMITTED


def test_a_save_that_a_receiver_stops_says_so_in_a_block_that_commits() -> None:
    def refuse(**kwargs: Any) -> None:
        raise Boom

    pre_save.connect(refuse, sender=Author)
    try:
        with trace("unit") as unit, transaction.atomic():
            Tag.objects.create(name="stays")
            with pytest.raises(Boom):
                author()
    finally:
        pre_save.disconnect(refuse, sender=Author)
    assert saves(stored(unit)) == COMMITTED + FAILED


def test_a_save_that_failed_in_a_block_that_commits_says_so_before_anything_follows() -> None:
    def refuse(**kwargs: Any) -> None:
        raise Boom

    pre_save.connect(refuse, sender=Author)
    try:
        with trace("unit") as unit:
            with transaction.atomic(), pytest.raises(Boom):
                author()
            rows = SignalEvent.objects.in_trace(unit.trace_id)
            writer.notify()
            until(rows.filter(signal="pre_save").exists)  # flush() would leave the pair first
            assert saves(rows) == FAILED
    finally:
        pre_save.disconnect(refuse, sender=Author)


def test_a_failed_save_whose_context_somebody_keeps_says_so_when_another_follows() -> None:
    contexts.clear()
    with trace("unit") as unit:
        catches(HttpRequest())
        author()
        assert len(contexts) == 1
        assert saves(stored(unit)) == FAILED + COMMITTED
    contexts.clear()


def test_set_rollback_rolls_back() -> None:
    with trace("unit") as unit, transaction.atomic():
        author()
        transaction.set_rollback(True)
    assert saves(stored(unit)) == ROLLED_BACK


def test_a_rollback_that_django_refuses_changes_nothing() -> None:
    with trace("unit") as unit, transaction.atomic():
        author()
        with pytest.raises(transaction.TransactionManagementError):
            transaction.rollback()
    assert saves(stored(unit)) == COMMITTED


def test_blocks_one_after_the_other_do_not_touch_each_other() -> None:
    with trace("unit") as unit:
        for number in range(4):
            with rolled_back() if number % 2 else transaction.atomic():
                author(str(number))
    assert saves(stored(unit)) == (COMMITTED + ROLLED_BACK) * 2


# By hand


def test_savepoints_by_hand() -> None:
    with trace("unit") as unit, transaction.atomic():
        author("1")
        first = connection.savepoint()
        author("2")
        connection.savepoint_rollback(first)
        author("3")  # the savepoint is still there
        connection.savepoint_rollback(first)
        author("4")
        connection.savepoint_commit(first)
        author("5")
    assert saves(stored(unit)) == COMMITTED + ROLLED_BACK * 2 + COMMITTED * 2


@pytest.mark.parametrize("folder", [None, "journal"])
def test_thousands_of_savepoints_inside_each_other(tmp_path: Path, folder: str | None) -> None:
    """More than Python calls can be."""
    setting = {"JOURNAL_DIR": str(tmp_path / folder)} if folder else {}
    with recorded(**setting), trace("unit") as unit, transaction.atomic():
        for _number in range(sys.getrecursionlimit() + 100):
            last = connection.savepoint()
        author("1")
        connection.savepoint_rollback(last)
        author("2")
        flush()  # the writer looks while they are open
        author("3")
    assert saves(stored(unit)) == ROLLED_BACK + COMMITTED * 2


def test_rolling_back_to_a_savepoint_takes_those_inside_it_along() -> None:
    with trace("unit") as unit, transaction.atomic():
        outer = connection.savepoint()
        author("1")
        connection.savepoint()
        author("2")
        connection.savepoint_rollback(outer)
        author("3")
    assert saves(stored(unit)) == ROLLED_BACK * 2 + COMMITTED


@pytest.fixture
def by_hand(transactional_db: None) -> Iterator[None]:
    transaction.set_autocommit(False)
    try:
        yield
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)


def test_commit_and_rollback_by_hand(by_hand: None) -> None:
    with trace("unit") as unit:
        author("1")
        transaction.commit()
        author("2")
        transaction.rollback()
        author("3")
        with rolled_back():
            author("4")
        transaction.commit()
    assert saves(stored(unit)) == COMMITTED + ROLLED_BACK + COMMITTED + ROLLED_BACK


@pytest.mark.applies(connection.vendor != "postgresql")  # which refuses it
def test_turning_autocommit_on_in_a_transaction_commits_it(by_hand: None) -> None:
    with trace("unit") as unit:
        author("1")
        transaction.set_autocommit(True)
        with rolled_back():
            author("2")
    assert saves(stored(unit)) == COMMITTED + ROLLED_BACK
    assert Author.objects.count() == 1


@transaction.atomic
def save_around_closing() -> None:
    author("1")
    connection.close()
    author("2")


def test_closing_the_connection_rolls_back() -> None:
    with trace("unit") as unit:
        with pytest.raises(Error):
            save_around_closing()
        author("3")
    assert saves(stored(unit)) == ROLLED_BACK + FAILED + COMMITTED
    assert [one.name for one in Author.objects.all()] == ["3"]


def test_a_connection_closed_by_hand_without_a_commit_rolls_back(by_hand: None) -> None:
    with trace("unit") as unit:
        author("1")
        connection.close()
    assert saves(stored(unit)) == ROLLED_BACK


def test_a_connection_made_anew_under_an_open_transaction_rolls_that_back(by_hand: None) -> None:
    with trace("unit") as unit:
        author("1")
        connection.connection.close()
        connection.connect()
        transaction.set_autocommit(False)
        author("2")
        transaction.commit()
    assert saves(stored(unit)) == ROLLED_BACK + COMMITTED
    assert [one.name for one in Author.objects.all()] == ["2"]


def test_what_another_thread_may_not_close_is_not_rolled_back() -> None:
    refused: list[Exception] = []

    def close(shared: BaseDatabaseWrapper) -> None:
        try:
            shared.close()
        except Error as error:
            refused.append(error)

    with trace("unit") as unit, transaction.atomic():
        author()
        thread = threading.Thread(target=close, args=[connections["default"]])
        thread.start()
        thread.join(10)
    assert len(refused) == 1
    assert saves(stored(unit)) == COMMITTED


# Requests


def works(request: HttpRequest) -> HttpResponse:
    author()
    return HttpResponse()


def fails(request: HttpRequest) -> HttpResponse:
    author()
    raise Boom


contexts: list[Context] = []


def keep_and_refuse(**kwargs: Any) -> None:
    contexts.append(copy_context())
    raise Boom


def catches(request: HttpRequest) -> HttpResponse:
    pre_save.connect(keep_and_refuse, sender=Author)
    try:
        author()
    except Boom:
        return HttpResponse()
    finally:
        pre_save.disconnect(keep_and_refuse, sender=Author)


urlpatterns = [path("works/", works), path("fails/", fails), path("catches/", catches)]


@pytest.mark.parametrize(("url", "outcome"), [("works/", COMMITTED), ("fails/", ROLLED_BACK)])
@override_settings(ROOT_URLCONF="tests.tracing.test_transactions", MIDDLEWARE=[])
def test_atomic_requests(
    url: str, outcome: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    Client(raise_request_exception=False).get(f"/{url}")
    assert flush()
    rows = SignalEvent.objects.filter(origin_name=f"GET /{url}").order_by("position")
    assert saves(rows) == outcome


@override_settings(ROOT_URLCONF="tests.tracing.test_transactions", MIDDLEWARE=[])
def test_a_failed_save_whose_context_somebody_keeps_says_so_when_its_request_is_over() -> None:
    contexts.clear()
    Client().get("/catches/")
    assert flush(60)
    assert len(contexts) == 1
    assert saves(SignalEvent.objects.filter(origin_name="GET /catches/")) == FAILED
    contexts.clear()


# Several threads, several databases


def test_transactions_of_two_threads_at_once(transactional_db: None) -> None:
    turns = [threading.Event(), threading.Event()]

    def lose(unit: list[Trace]) -> None:
        turns[0].wait(10)
        with trace("loses") as trace_of_thread:
            unit.append(trace_of_thread)
            with rolled_back():
                author("Grace")
        turns[1].set()
        connections.close_all()

    units: list[Trace] = []
    thread = threading.Thread(target=lose, args=[units])
    thread.start()
    with trace("wins") as wins:
        block = transaction.atomic()
        if connection.vendor == "sqlite":  # one writer at a time
            turns[0].set()
            turns[1].wait(10)
        with block:
            author()
            turns[0].set()
            turns[1].wait(10)
    thread.join(10)
    assert saves(stored(wins)) == COMMITTED
    assert saves(stored(units[0])) == ROLLED_BACK


def test_a_thread_that_ends_with_a_failed_save_leaves_nothing_behind() -> None:
    author()
    units: list[Trace] = []

    def work() -> None:
        with trace("thread") as unit:
            units.append(unit)
        Author()
        try:
            author()
        except IntegrityError:
            pass
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, name=f"failing {n}") for n in range(3)]
    for thread in threads:
        thread.start()
        thread.join(10)
    gc.collect()
    assert flush()
    assert flush()
    rows = SignalEvent.objects.filter(origin_name__startswith="thread failing")
    assert saves(rows) == FAILED * 3
    assert not left_open(*units)


@pytest.mark.processes
def test_two_databases_each_with_its_outcome(tmp_path: Path) -> None:
    project = Project.make(tmp_path / "two")
    with (project.folder / "settings.py").open("a") as settings:
        settings.write('DATABASES["other"] = sqlite("other.sqlite3")\n')
    project.manage("migrate", "--verbosity=0")
    project.manage("migrate", "--verbosity=0", "--database=other")
    project.run(
        """
        def save(name, using):
            Group(name=name).save(using=using)

        class Boom(Exception): pass

        with trace("two"):
            with transaction.atomic("default"):
                save("1", "default")
                try:
                    with transaction.atomic("other"):
                        save("2", "other")
                        raise Boom
                except Boom:
                    pass
                save("3", "other")
                with transaction.atomic("other"):
                    save("4", "other")
            try:
                with transaction.atomic("default"):
                    save("5", "default")
                    save("6", "other")
                    raise Boom
            except Boom:
                pass
        """
    )
    found = project.events("signal = 'post_save' AND origin_name = 'two'")
    assert [(row["database"], row["outcome"]) for row in found] == [
        ("default", "committed"),
        ("other", "rolled_back"),
        ("other", "committed"),
        ("other", "committed"),
        ("default", "rolled_back"),
        ("other", "committed"),
    ]


# Transactions that last longer than the writer waits


@pytest.fixture(params=["memory", "database"])
def look(request: pytest.FixtureRequest) -> Iterator[Callable[[Trace], list[Any]]]:
    if request.param == "memory":
        with recorded(SINKS=MEMORY):
            yield kept
    elif connection.vendor == "sqlite":
        # The writer cannot write while the host does.
        with recorded(SINKS=MEMORY):
            yield kept
    else:
        yield stored


def test_rows_stored_as_open_are_corrected_on_commit(
    look: Callable[[Trace], list[Any]],
) -> None:
    with trace("long") as unit:
        with transaction.atomic():
            author("1")
            assert saves(look(unit)) == OPEN
            author("2")
            assert saves(look(unit)) == OPEN * 2
        assert saves(look(unit)) == COMMITTED * 2
    assert not left_open(unit)


def test_rows_stored_as_open_are_corrected_on_rollback(
    look: Callable[[Trace], list[Any]],
) -> None:
    with trace("long") as unit:
        with rolled_back():
            author("1")
            assert saves(look(unit)) == OPEN
            author("2")
        assert saves(look(unit)) == ROLLED_BACK * 2


def test_rows_stored_as_open_are_corrected_down_to_the_savepoint(
    look: Callable[[Trace], list[Any]],
) -> None:
    with trace("long") as unit:
        with transaction.atomic():
            author("1")
            look(unit)
            with rolled_back():
                author("2")
                look(unit)
                with transaction.atomic():
                    author("3")
                    assert saves(look(unit)) == OPEN * 3
            assert saves(look(unit)) == OPEN + ROLLED_BACK * 2
            with transaction.atomic():
                author("4")
                look(unit)
            author("5")
            assert saves(look(unit)) == OPEN + ROLLED_BACK * 2 + OPEN * 2
        assert saves(look(unit)) == COMMITTED + ROLLED_BACK * 2 + COMMITTED * 2


def test_a_save_stored_half_done_is_corrected(look: Callable[[Trace], list[Any]]) -> None:
    seen: list[Any] = []

    def peek(**kwargs: Any) -> None:
        seen.append(saves(look(unit)))

    pre_save.connect(peek, sender=Author)
    try:
        with trace("long") as unit:
            with transaction.atomic():
                author("1")
            with pytest.raises(IntegrityError):
                author("1")
    finally:
        pre_save.disconnect(peek, sender=Author)
    assert seen == [[("pre_save", "open")], [*COMMITTED, ("pre_save", "open")]]
    assert saves(look(unit)) == COMMITTED + FAILED


def test_a_long_transaction_is_remembered_in_few_ranges() -> None:
    with recorded(SINKS=MEMORY, BATCH_SIZE=10), trace("long") as unit:
        with transaction.atomic():
            one = author()
            for number in range(300):
                one.name = str(number)
                if number % 3:
                    one.save()
                else:
                    with transaction.atomic():
                        one.save()
                if number % 50 == 0:
                    assert flush()
                    assert len(left_open(unit)) < 30
        assert set(saves(kept(unit))) == set(COMMITTED)
    assert not left_open(unit)


def test_two_requests_at_once_in_one_long_trace_are_told_apart() -> None:
    """Threads that share a trace: their rows lie between each other's."""
    from contextvars import copy_context

    in_turns = connection.vendor != "sqlite"  # which has one writer at a time
    with recorded(SINKS=MEMORY), trace("shared") as unit:
        loses, wins = threading.Semaphore(1), threading.Semaphore(0)

        def save(name: str, mine: threading.Semaphore, other: threading.Semaphore) -> None:
            for number in range(5):
                assert not in_turns or mine.acquire(timeout=10)
                author(f"{name} {number}")
                other.release()
            flush()

        def lose() -> None:
            with rolled_back():
                save("loses", loses, wins)
            connections.close_all()

        thread = threading.Thread(target=copy_context().run, args=[lose])
        thread.start()
        if not in_turns:
            thread.join(10)
        with transaction.atomic():
            save("wins", wins, loses)
        thread.join(30)
        assert not thread.is_alive()
        rows = [row for row in kept(unit) if row.signal == "post_save"]
    assert {row.outcome for row in rows if '"loses' in row.changes} == {"rolled_back"}
    assert {row.outcome for row in rows if '"wins' in row.changes} == {"committed"}


# What the host can see


def test_capture_on_commit_callbacks_does_not_see_us() -> None:
    seen: list[int] = []
    with TestCase.captureOnCommitCallbacks(execute=True) as callbacks, transaction.atomic():
        author()
        transaction.on_commit(lambda: seen.append(1))
        with transaction.atomic():
            author("Grace")
        assert len(connection.run_on_commit) == 1
    assert len(seen) == 1
    assert len(callbacks) <= 1


def test_turned_off_it_leaves_the_connection_its_own_methods() -> None:
    names = [
        "commit",
        "rollback",
        "close",
        "connect",
        "savepoint",
        "savepoint_rollback",
        "savepoint_commit",
        "set_autocommit",
    ]
    with recorded(ENABLED=False):
        for name in names:
            method = BaseDatabaseWrapper.__dict__[name]
            assert method.__module__ == "django.db.backends.base.base"
            assert not method.__globals__["__name__"].startswith("signals_demo")
    assert BaseDatabaseWrapper.commit.__globals__["__name__"].startswith("signals_demo")


@pytest.mark.parametrize("begins_before", [True, False])
def test_a_transaction_that_ends_while_it_is_turned_off_is_over(
    begins_before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another thread, whose connection this one cannot look at."""
    block = transaction.atomic()

    def begin() -> None:
        block.__enter__()
        author("before")

    def save() -> list[tuple[str, str]]:
        with trace("unit") as unit:
            author("after")
        rows = saves(kept(unit))
        connection.close()
        return rows

    covered = CursorWrapper._execute  # type: ignore[attr-defined]
    monkeypatch.setattr(CursorWrapper, "_execute", lambda *args: covered(*args))
    with recorded(SINKS=MEMORY), ThreadPoolExecutor(1) as thread:
        if begins_before:
            thread.submit(begin).result(10)
        with recorded(ENABLED=False):
            if not begins_before:
                thread.submit(begin).result(10)
            thread.submit(block.__exit__, None, None, None).result(10)
        assert thread.submit(save).result(10) == COMMITTED
