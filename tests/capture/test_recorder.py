"""From a firing to its event: counted exactly, in order, as deep as it was nested."""

import asyncio
import gc
import logging
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.core.management.sql import emit_post_migrate_signal
from django.db import IntegrityError, connections, transaction
from django.db.models import Model
from django.db.models.signals import (
    m2m_changed,
    post_init,
    post_migrate,
    post_save,
    pre_delete,
    pre_init,
    pre_migrate,
    pre_save,
)
from django.dispatch import Signal
from django.test.utils import isolate_apps

from project.playground.models import Author, Book, Order, Tag
from signals_demo import suppress, trace
from signals_demo.capture.recorder import current_scope
from signals_demo.events import Row
from signals_demo.faults import faults
from signals_demo.models import SignalEvent
from signals_demo.serialize.text import storable
from signals_demo.tracing.scope import current
from signals_demo.tracing.trace import Trace
from tests.recording import MEMORY, kept, recorded, saves, stored

Shape = list[tuple[int, str]]

paid = Signal()


@contextmanager
def connected(
    signal: Signal, receiver: Callable[..., object], sender: Any = None
) -> Iterator[None]:
    signal.connect(receiver, sender=sender, weak=False)
    try:
        yield
    finally:
        signal.disconnect(receiver, sender=sender)


@pytest.fixture
def memory(recording: None) -> Iterator[None]:
    with recorded(SINKS=MEMORY):
        yield


def shape(rows: list[Row] | list[SignalEvent], *leave_out: str) -> Shape:
    """Return depth and signal of each row, but for init signals."""
    return [
        (row.depth, f"{row.signal} {row.sender.rpartition('.')[2]}".strip())
        for row in rows
        if row.signal not in ("pre_init", "post_init", *leave_out)
    ]


# Every firing is accounted for


@pytest.mark.usefixtures("memory")
def test_the_sum_of_counts_is_the_number_of_firings() -> None:
    seen: Counter[str] = Counter()
    with (
        connected(pre_init, lambda **kwargs: seen.update(["pre_init"]), Author),
        connected(post_init, lambda **kwargs: seen.update(["post_init"]), Author),
        trace("many") as unit,
    ):
        for _ in range(1234):
            Author()
    told: Counter[str] = Counter()
    for row in kept(unit):
        told[row.signal] += row.count
    assert told == seen == {"pre_init": 1234, "post_init": 1234}


@pytest.mark.usefixtures("memory")
def test_like_init_signals_fold_after_so_many() -> None:
    with recorded(SINKS=MEMORY, FOLD_AFTER=3, FLUSH_INTERVAL=60), trace("many") as unit:
        for _ in range(10):
            Author()
        rows = kept(unit)
    assert [row.count for row in rows if row.signal == "pre_init"] == [1, 1, 1, 7]
    assert [row.count for row in rows if row.signal == "post_init"] == [1, 1, 1, 7]


@pytest.mark.usefixtures("memory")
def test_another_signal_ends_the_run() -> None:
    def make(number: int) -> None:
        for _ in range(number):
            Author()

    with recorded(
        SINKS=MEMORY,
        FOLD_AFTER=1,
        FLUSH_INTERVAL=60,
        EXTRA_SIGNALS=["tests.capture.test_recorder.paid"],
    ):
        with trace("many") as unit:
            make(5)
            paid.send(None)
            make(5)
        rows = kept(unit)
    assert [row.count for row in rows if row.signal == "pre_init"] == [1, 4, 1, 4]


@pytest.mark.usefixtures("memory")
def test_models_and_lines_fold_apart() -> None:
    with recorded(SINKS=MEMORY, FOLD_AFTER=1, FLUSH_INTERVAL=60), trace("many") as unit:
        for _ in range(5):
            Author()
            Tag()
            Author()
        rows = kept(unit)
    counts = Counter[tuple[str, str]]()
    for row in rows:
        if row.signal == "post_init":
            counts[row.sender, row.call_site] += row.count
    assert sorted(counts.values()) == [5, 5, 5]
    assert len(counts) == 3


@pytest.mark.usefixtures("memory")
def test_folding_can_be_turned_off() -> None:
    with recorded(SINKS=MEMORY, FOLD_AFTER=None), trace("many") as unit:
        for _ in range(100):
            Author()
        assert [row.count for row in kept(unit)] == [1] * 200


@pytest.mark.usefixtures("memory")
def test_the_count_is_exact_with_eight_threads_in_one_trace_while_the_writer_writes() -> None:
    with recorded(SINKS={"memory": {**MEMORY["memory"], "OPTIONS": {"LIMIT": 100_000}}},
                  FLUSH_INTERVAL=0.001, FOLD_AFTER=2), trace("many") as unit:  # fmt: skip

        def work() -> None:
            for _ in range(500):
                Author()

        contexts = [copy_context() for _ in range(8)]
        threads = [threading.Thread(target=context.run, args=[work]) for context in contexts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        rows = kept(unit)
    told: Counter[str] = Counter()
    for row in rows:
        told[row.signal] += row.count
    assert told == {"pre_init": 4000, "post_init": 4000}
    assert sorted(row.position for row in rows) == list(range(1, len(rows) + 1))


@pytest.mark.django_db(transaction=True)
def test_sequences_have_no_gap_with_eight_threads() -> None:
    def work(number: int) -> None:
        for step in range(10):
            Group.objects.create(name=f"{number} {step}")
        connections.close_all()

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    with trace("start") as start:
        Author()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with trace("end") as end:
        Author()
    first, last = stored(start)[0], stored(end)[-1]
    numbers = SignalEvent.objects.filter(
        recorder=first.recorder, sequence__gte=first.sequence, sequence__lte=last.sequence
    ).values_list("sequence", flat=True)
    assert sorted(numbers) == list(range(first.sequence, last.sequence + 1))
    told = SignalEvent.objects.filter(signal="post_save", sender="auth.Group").firings()
    assert told == 80


@pytest.mark.django_db(transaction=True)
def test_ten_thousand_saves_end_and_none_is_missing() -> None:
    with trace("many") as unit:
        one = Author.objects.create(name="0")
        with transaction.atomic():
            for number in range(1, 10_000):
                one.name = str(number)
                one.save()
    rows = stored(unit)
    assert Counter(row.signal for row in rows)["post_save"] == 10_000
    assert {row.outcome for row in rows if row.signal == "post_save"} == {"committed"}


# Order, position, depth, duration


@pytest.mark.django_db(transaction=True)
def test_a_save_in_a_receiver_is_nested_in_the_save_around_it() -> None:
    def note(instance: Author, **kwargs: Any) -> None:
        Tag.objects.create(name=f"about {instance.name}")

    def note_more(instance: Tag, **kwargs: Any) -> None:
        Group.objects.create(name=instance.name)

    with (
        connected(pre_save, note, Author),
        connected(post_save, note_more, Tag),
        trace("nested") as unit,
    ):
        Author.objects.create(name="Ada")
    rows = stored(unit)
    assert shape(rows) == [
        (0, "pre_save Author"),
        (1, "pre_save Tag"),
        (1, "post_save Tag"),
        (1, "pre_save Group"),
        (1, "post_save Group"),
        (0, "post_save Author"),
    ]
    assert [row.position for row in rows] == list(range(1, len(rows) + 1))
    assert [row.sequence for row in rows] == sorted(row.sequence for row in rows)


@pytest.mark.django_db(transaction=True)
def test_closing_events_have_durations_and_opening_ones_have_none() -> None:
    with trace("unit") as unit:
        book = Book.objects.create(title="Notes", author=Author.objects.create(name="Ada"))
        book.tags.add(Tag.objects.create(name="new"))
        book.delete()
    for row in stored(unit):
        closing = row.signal.startswith("post_") or row.arguments.get("action") == "post_add"
        assert (row.duration is not None) == closing, row
        assert row.duration is None or timedelta() <= row.duration < timedelta(seconds=60)


@pytest.mark.django_db(transaction=True)
def test_a_nested_save_takes_part_of_the_time_of_the_outer() -> None:
    def note(**kwargs: Any) -> None:
        Tag.objects.create(name="inner")

    with connected(pre_save, note, Author), trace("nested") as unit:
        Author.objects.create(name="Ada")
    inner, outer = (row for row in stored(unit) if row.signal == "post_save")
    assert inner.sender == "playground.Tag"
    assert inner.duration < outer.duration


@pytest.mark.django_db(transaction=True)
def test_a_cascade_is_one_group_and_what_its_receivers_do_is_nested() -> None:
    author = Author.objects.create(name="Ada")
    book = Book.objects.create(title="Notes", author=author)
    Order.objects.create(book=book, reader="Charles")

    def note(**kwargs: Any) -> None:
        Tag.objects.create(name="deleted")

    with connected(pre_delete, note, Order), trace("cascade") as unit:
        author.delete()
        Tag.objects.create(name="after")
    rows = shape(stored(unit))
    assert rows[-2:] == [(0, "pre_save Tag"), (0, "post_save Tag")]
    nested = [row for row in rows[:-2] if row[1].endswith("Tag")]
    assert nested == [(1, "pre_save Tag"), (1, "post_save Tag")]
    group = [row for row in rows[:-2] if row not in nested]
    assert {depth for depth, _ in group} == {0}
    names = [name for _, name in group]
    assert sorted(names) == sorted(
        f"{signal} {model}"
        for signal in ("pre_delete", "post_delete")
        for model in ("Author", "Book", "Order")
    )
    assert [name.split()[0] for name in names] == ["pre_delete"] * 3 + ["post_delete"] * 3


@pytest.mark.django_db(transaction=True)
def test_setting_a_relation_removes_and_adds() -> None:
    old, new = (Tag.objects.create(name=name) for name in ("old", "new"))
    book = Book.objects.create(title="Notes", author=Author.objects.create(name="Ada"))
    book.tags.set([old])

    def note(action: str, **kwargs: Any) -> None:
        if action == "pre_add":
            Group.objects.create(name="noted")

    with connected(m2m_changed, note, Book.tags.through), trace("set") as unit:
        book.tags.set([new])
        book.tags.clear()
    rows = [row for row in stored(unit) if row.signal not in ("pre_init", "post_init")]
    assert [(row.depth, row.arguments.get("action", row.signal)) for row in rows] == [
        (0, "pre_remove"),
        (0, "post_remove"),
        (0, "pre_add"),
        (1, "pre_save"),
        (1, "post_save"),
        (0, "post_add"),
        (0, "pre_clear"),
        (0, "post_clear"),
    ]


@pytest.mark.django_db(transaction=True)
def test_failed_saves_at_every_level_leave_nothing_open() -> None:
    Group.objects.create(name="taken")

    def fail(**kwargs: Any) -> None:
        Group.objects.create(name="taken")

    with connected(post_save, fail, Tag), trace("failing") as unit:
        for number in range(3):
            with pytest.raises(IntegrityError), transaction.atomic():
                Tag.objects.create(name=str(number))
        Author.objects.create(name="Ada")
    rows = stored(unit)
    assert shape(rows) == [
        *[(0, "pre_save Tag"), (0, "post_save Tag"), (0, "pre_save Group")] * 3,
        (0, "pre_save Author"),
        (0, "post_save Author"),
    ]
    assert saves(rows)[-2:] == [("pre_save", "committed"), ("post_save", "committed")]


@pytest.mark.django_db(transaction=True)
def test_a_failing_receiver_between_the_signals_of_an_init_leaves_nothing_open() -> None:
    def fail(**kwargs: Any) -> None:
        raise ZeroDivisionError

    with trace("failing") as unit:
        with connected(pre_init, fail, Tag):
            for _ in range(5):
                with pytest.raises(ZeroDivisionError):
                    Tag()
        Author.objects.create(name="Ada")
    assert {row.depth for row in stored(unit)} == {0}


@pytest.mark.django_db(transaction=True)
def test_migrating_is_one_group_per_command() -> None:
    with trace("migrating") as unit:
        call_command("migrate", verbosity=0)
        Author.objects.create(name="Ada")
    rows = stored(unit)
    signals = [row.signal for row in rows if row.signal.endswith("_migrate")]
    number = signals.count("pre_migrate")
    assert number > 3
    assert signals == ["pre_migrate"] * number + ["post_migrate"] * number
    assert {row.depth for row in rows if row.signal.endswith("_migrate")} == {0}
    assert {row.duration is None for row in rows if row.signal == "post_migrate"} == {False}
    assert shape(rows)[-2:] == [(0, "pre_save Author"), (0, "post_save Author")]


@pytest.mark.django_db(transaction=True)
def test_migration_signals_sent_by_hand_stand_alone() -> None:
    app = apps.get_app_config("playground")
    sent = {"app_config": app, "verbosity": 0, "interactive": False, "using": "default"}
    with trace("by hand") as unit:
        pre_migrate.send(app, **sent, apps=apps, plan=[])
        post_migrate.send(app, **sent, apps=apps, plan=[])
        Author.objects.create(name="Ada")
    rows = stored(unit)
    assert {row.depth for row in rows} == {0}
    assert [row.signal for row in rows if row.signal.endswith("_migrate")] == [
        "pre_migrate",
        "post_migrate",
    ]
    assert shape(rows)[-2:] == [(0, "pre_save Author"), (0, "post_save Author")]


@pytest.mark.django_db(transaction=True)
def test_without_post_migrate_a_migration_does_not_stop_the_writer() -> None:
    with recorded(SIGNALS=["pre_migrate", "post_save"]), trace("migrating") as unit:
        call_command("migrate", verbosity=0)
        Author.objects.create(name="Ada")
        assert [row.signal for row in stored(unit)][-1] == "post_save"


@pytest.mark.django_db(transaction=True)
def test_flushing_the_database_sends_post_migrate_alone() -> None:
    with trace("flush") as unit:
        emit_post_migrate_signal(verbosity=0, interactive=False, db="default")
    rows = [row for row in stored(unit) if row.signal == "post_migrate"]
    assert rows
    assert {(row.depth, row.duration) for row in rows} == {(0, None)}


# Contexts that wander between threads and tasks


@pytest.mark.django_db(transaction=True)
def test_async_saves_at_once_keep_their_own_depth() -> None:
    async def work(number: int) -> Trace:
        with trace(f"task {number}") as unit:
            one = await Author.objects.acreate(name=str(number))
            await one.asave()
        return unit

    async def main() -> list[Trace]:
        return await asyncio.gather(*(work(number) for number in range(10)))

    for unit in asyncio.run(main()):
        rows = shape(stored(unit), "connection_created")
        assert rows == [(0, "pre_save Author"), (0, "post_save Author")] * 2


@pytest.mark.django_db(transaction=True)
def test_a_failed_async_save_leaves_nothing_open_for_the_event_loop() -> None:
    Group.objects.create(name="taken")

    async def main() -> Trace:
        with trace("async") as unit:
            with pytest.raises(IntegrityError):
                await Group.objects.acreate(name="taken")
            Author()  # in the thread of the event loop
            await sync_to_async(Tag, thread_sensitive=False)()  # in a third one
            await Author.objects.acreate(name="Ada")
        return unit

    rows = stored(asyncio.run(main()))
    assert {row.depth for row in rows if row.signal != "connection_created"} == {0}
    assert saves(rows)[0] == ("pre_save", "rolled_back")


@pytest.mark.django_db(transaction=True)
def test_what_another_thread_does_during_a_save_is_nested_in_it_if_it_has_the_context() -> None:
    def note(**kwargs: Any) -> None:
        for target in (Tag, copy_context().run):
            thread = threading.Thread(
                target=target, args=() if target is Tag else (Group,), name="helper"
            )
            thread.start()
            thread.join(10)

    with connected(pre_save, note, Author), trace("unit") as unit:
        Author.objects.create(name="Ada")
    rows = [(row.depth, row.signal, row.sender) for row in stored(unit)]
    assert (1, "pre_init", "auth.Group") in rows
    assert "playground.Tag" not in {sender for _, _, sender in rows}
    assert rows[-1] == (0, "post_save", "playground.Author")


@pytest.mark.django_db(transaction=True)
def test_a_generator_that_rests_between_saves_leaves_nothing_open() -> None:
    def numbered() -> Iterator[Author]:
        for number in range(3):
            yield Author.objects.create(name=str(number))

    with trace("generator") as unit:
        for one in numbered():
            Tag.objects.create(name=one.name)
    rows = stored(unit)
    assert {row.depth for row in rows} == {0}
    assert {outcome for _, outcome in saves(rows)} == {"committed"}


# Memory


@pytest.mark.django_db(transaction=True)
def test_a_failed_save_is_let_go_at_the_next_event() -> None:
    Author.objects.create(name="Ada")
    instance = Author(name="Ada")
    died = weakref.ref(instance)
    with pytest.raises(IntegrityError) as caught:
        instance.save()
    del instance, caught
    Tag()
    gc.collect()
    assert died() is None


@pytest.mark.django_db(transaction=True)
def test_scopes_do_not_pile_up() -> None:
    Author.objects.create(name="taken")

    def deep() -> int:
        scope = current.get()
        depth = 0
        while scope is not None:
            depth += 1
            scope = scope.parent
        return depth

    current_scope()
    before = deep()
    for number in range(50):
        with pytest.raises(IntegrityError):
            Author.objects.create(name="taken")
        Author.objects.create(name=str(number)).delete()
        with trace("block"):
            Author()
    current_scope()
    assert deep() == before


# Faults of our own


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
    assert told[0].arguments == {"…": "not described"}
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
    own = {"SINKS": MEMORY, "EXTRA_SIGNALS": ["tests.capture.test_recorder.paid"]}
    with recorded(STRICT=False, **own), trace("unit") as unit:
        for _ in range(3):
            paid.send("shop")
        rows = kept(unit)
    assert [(row.signal, row.sender) for row in rows] == [
        ("tests.capture.test_recorder.paid", "shop")
    ] * 3
    assert faults == {"tests.capture.test_recorder.paid: ArithmeticError": 3}
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


@isolate_apps("tests")
def test_a_fault_with_a_new_model_is_kept_from_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(model: type[Model]) -> bool:
        raise ArithmeticError("no words for it")

    faults.clear()
    with recorded(STRICT=False, EXCLUDE_MODELS=["auth.User"]):
        monkeypatch.setattr("signals_demo.capture.connect.wants_model", refuse)

        class Made(Model):  # noqa: DJ008
            class Meta:
                app_label = "tests"

    assert faults == {"class_prepared: ArithmeticError": 1}
    faults.clear()


@pytest.mark.usefixtures("memory")
def test_a_value_that_cannot_be_rendered_keeps_no_other_event_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(value: Any) -> str:
        if "Boom" in str(value):
            raise ArithmeticError
        return storable(value)

    monkeypatch.setattr("signals_demo.delivery.rows.storable", refuse)
    with trace("unit") as unit:
        Author(name="one")
        Author(name="Boom")
        Author(name="two")
    rows = kept(unit)
    assert [row.signal for row in rows] == ["pre_init", "post_init"] * 3
    assert rows[2].arguments == '{"…":"not rendered"}'
    faults.clear()


# Its own model


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
