"""What an object has been through: which events are its own, and how they are read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from project.playground.models import Author, Book, Ebook, RareBook, Tag
from signals_demo import flush
from signals_demo.factories import SignalEventFactory
from signals_demo.models import SignalEvent
from signals_demo.query import history
from signals_demo.query.history import of_object, of_person
from signals_demo.query.keyset import NEWEST_FIRST, Cursor
from signals_demo.rollups.traces import IS_CHANGE
from signals_demo.web import timeline
from tests.recording import rolled_back

NOW = datetime(2026, 11, 21, 14, 3, 22, 416_000, tzinfo=UTC)


def told(instance: Any, wanted: Q = IS_CHANGE) -> list[str]:
    """Return what the history of an instance tells, oldest first."""
    assert flush()
    events = of_object(instance).read(100, wanted=wanted).events
    return [
        " ".join(filter(None, [str(entry.verb), event.sender, entry.relation]))
        for event in reversed(events)
        for entry in [timeline.Entry(event)]
    ]


@pytest.fixture
def book(transactional_db: None) -> Book:
    author = Author.objects.create(name="Ada")
    return Book.objects.create(title="Night Trains", author=author)


@pytest.fixture
def tag(book: Book) -> Tag:
    """A tag that has the key of the book."""
    return Tag.objects.create(pk=book.pk, name="fiction")


# What belongs to an object


def test_saves_links_and_the_end(book: Book, tag: Tag) -> None:
    book.copies = 3
    book.save()
    book.tags.add(tag)
    book.tags.remove(tag)
    book.tags.clear()
    gone = Book(pk=book.pk)
    book.delete()
    assert told(gone) == [
        "Created playground.Book",
        "Changed playground.Book",
        "Linked playground.Book_tags tags",
        "Unlinked playground.Book_tags tags",
        "Cleared playground.Book_tags tags",
        "Deleted playground.Book",
    ]


def test_an_object_made_again_under_its_key_has_one_history(book: Book) -> None:
    gone = Book(pk=book.pk, title="Night Trains", author_id=book.author_id)
    book.delete()
    gone.save()
    assert [line.split()[0] for line in told(gone)] == ["Created", "Deleted", "Created"]


def test_each_side_of_a_relation_has_its_own_changes(book: Book, tag: Tag) -> None:
    tag.books.add(book)
    assert told(tag) == ["Created playground.Tag", "Linked playground.Book_tags books"]
    assert told(book) == ["Created playground.Book"]


def test_a_proxy_is_the_same_object(book: Book) -> None:
    rare = RareBook.objects.get(pk=book.pk)
    rare.save()
    both = ["Created playground.Book", "Saved playground.RareBook"]
    assert told(rare) == both
    assert told(book) == both


def test_a_child_and_its_parent_are_the_same_object(book: Book, tag: Tag) -> None:
    ebook = Ebook.objects.create(title="Salt", author_id=book.author_id)
    parent = Book.objects.get(pk=ebook.pk)
    parent.copies = 9
    parent.save()
    ebook.tags.add(tag)
    gone = Ebook(pk=ebook.pk)
    ebook.delete()
    lines = told(gone)
    assert lines[:3] == [
        "Created playground.Ebook",
        "Changed playground.Book",
        "Linked playground.Book_tags tags",
    ]
    assert sorted(lines[3:]) == ["Deleted playground.Book", "Deleted playground.Ebook"]
    assert told(parent) == lines
    assert "Ebook" not in str(told(book))


def test_all_firings_are_there_if_asked_for(book: Book) -> None:
    Book.objects.get(pk=book.pk).save()
    assert flush()
    events = of_object(book).read(100).events
    assert {"pre_save", "post_save", "post_init"} <= {event.signal for event in events}


def test_a_mask_is_nobodys_key(transactional_db: None) -> None:
    session = Session.objects.create(session_key="one", expire_date=NOW)
    Session.objects.create(session_key="two", expire_date=NOW)
    assert told(session) == []
    assert told(Book()) == []


def test_what_was_rolled_back_is_told_and_marked(book: Book) -> None:
    with rolled_back():
        book.copies = 7
        book.save()
    assert flush()
    newest = of_object(book).read(1, wanted=IS_CHANGE).events[0]
    assert timeline.Entry(newest).is_undone
    assert newest.changes == {"copies": [1, 7]}


# Reading in stretches


@pytest.fixture
def made_events(db: None) -> list[SignalEvent]:
    """Newest first, with equal times, of two senders and of another object."""
    labels = ["playground.Book", "playground.RareBook"]
    made = [
        SignalEventFactory.create(
            sender=labels[n % 2],
            object_pk="5",
            actor_pk="7",
            occurred_at=NOW + timedelta(seconds=n // 4),
            signal="post_save" if n % 3 else "post_init",
        )
        for n in range(40)
    ]
    SignalEventFactory.create(sender=labels[0], object_pk="6", occurred_at=NOW)
    return made[::-1]


def walk(recorded: history.History, size: int, **options: Any) -> list[int]:
    """Return the keys of all events, stretch by stretch, each place taken through its text."""
    found: list[int] = []
    place: Cursor | None = None
    for _ in range(100):
        stretch = recorded.read(size, place, **options)
        found += [event.pk for event in stretch.events]
        if stretch.older is None:
            return found
        place = NEWEST_FIRST.read(str(stretch.older))
    pytest.fail("It does not end.")


@pytest.mark.parametrize("size", [1, 3, 7, 40, 41])
@pytest.mark.parametrize("limit", [2, 5, 10_000])
def test_stretches_leave_nothing_out_and_repeat_nothing(
    made_events: list[SignalEvent], monkeypatch: pytest.MonkeyPatch, size: int, limit: int
) -> None:
    monkeypatch.setattr(history, "SCAN_LIMIT", limit)
    keys = [event.pk for event in made_events]
    saves = [event.pk for event in made_events if event.signal == "post_save"]
    for recorded in (of_object(Book(pk=5)), of_person("7")):
        assert walk(recorded, size) == keys
        assert walk(recorded, size, wanted=IS_CHANGE) == saves


def test_a_stretch_that_the_limit_ended_says_so(
    made_events: list[SignalEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "SCAN_LIMIT", 8)
    nothing = Q(signal="nothing")
    assert of_person("7").read(50, wanted=nothing).stopped
    assert not of_person("8").read(50, wanted=nothing).stopped
    assert not of_person("7").read(5).stopped


def test_a_time_that_no_database_knows_is_a_place_all_the_same(made_events: Any) -> None:
    for text in ("9" * 17 + "-0", "0-0", "9" * 17 + "-" + "9" * 18):
        of_object(Book(pk=5)).read(5, NEWEST_FIRST.read(text))


def test_it_takes_two_queries_and_counts_nothing(made_events: list[SignalEvent]) -> None:
    place = NEWEST_FIRST.cursor(NOW + timedelta(seconds=5))
    for recorded in (of_object(Book(pk=5)), of_person("7")):
        with CaptureQueriesContext(connection) as queries:
            assert recorded.read(5, place, IS_CHANGE).events
        assert len(queries) == 2
        assert "COUNT(" not in str(queries.captured_queries)


@pytest.mark.applies(connection.vendor == "sqlite")  # a server scans so small a table
def test_an_index_serves_each_query(made_events: list[SignalEvent]) -> None:
    place = NEWEST_FIRST.cursor(NOW + timedelta(seconds=5))
    for recorded, index in (
        (of_object(Book(pk=5)), "signals_demo_object"),
        (of_person("7"), "signals_demo_actor"),
    ):
        with CaptureQueriesContext(connection) as queries:
            recorded.read(5, place, IS_CHANGE)
        for query in list(queries):
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
                plan = [row[3] for row in cursor.fetchall()]
            # The first of them reads one row by its key, to hang the subqueries on.
            own = [step for step in plan if step.startswith(("SEARCH", "SCAN"))]
            own = [step for step in own if step != "SCAN signals_demo_signalevent"]
            assert own
            assert all(index in step for step in own), plan
