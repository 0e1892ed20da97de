"""Saves, deletes and relations: which signal is inside which, and how long each pair took."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.db.models.signals import m2m_changed, post_save, pre_delete, pre_save
from django.utils.connection import ConnectionDoesNotExist

from project.playground.models import Author, Book, Order, Tag
from signals_demo import trace
from tests.capture.firings import connected, shape
from tests.recording import saves, stored


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


def by_hand(tag: Tag) -> None:
    pre_save.send(Tag, instance=tag, raw=False, using="nowhere", update_fields=None)
    tag.refresh_from_db(using="nowhere")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "call",
    [
        lambda tag: tag.save(using="nowhere"),
        lambda tag: tag.save(using="nowhere", force_update=True),
        lambda tag: Tag.objects.using("nowhere").create(name="green tea"),
        lambda tag: Tag(pk=tag.pk, name="tea").save(using="nowhere"),
        by_hand,
    ],
)
def test_a_database_that_does_not_exist_fails_in_django_and_not_here(call: Any) -> None:
    tag = Tag.objects.create(name="tea")
    with trace("nowhere") as unit, pytest.raises(ConnectionDoesNotExist):
        call(tag)
    assert [event.database for event in stored(unit) if event.signal == "pre_save"] == ["nowhere"]
