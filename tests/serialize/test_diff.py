"""What a save changed, told from what the instance was loaded or last saved with."""

import copy
import json
import pickle
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address
from typing import Any

import django
import pytest
from django.contrib.auth.models import User
from django.core import serializers
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage
from django.db import Error, connection, models
from django.db.models import F, Value
from django.db.models.functions import Upper
from django.test import override_settings
from django.test.utils import CaptureQueriesContext, isolate_apps

from project.playground.models import Author, Book, Ebook, Order, RareBook
from signals_demo import suppress, trace
from signals_demo.serialize.redaction import MASK
from signals_demo.testing import capture_signals
from tests.recording import MEMORY, kept, recorded
from tests.shapes import (
    Basket,
    Country,
    Door,
    Loud,
    Note,
    Ring,
    Seat,
    Ticket,
    calls,
    tables,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stored]

Changes = dict[str, list[Any]]


@pytest.fixture(autouse=True)
def _in_memory() -> Iterator[None]:
    with recorded(SINKS=MEMORY):
        yield


@pytest.fixture
def book() -> Book:
    """Return a book as it was loaded."""
    author = Author.objects.create(name="Ada")
    Book.objects.create(title="Engines", author=author, details={"pages": 90, "tags": ["a"]})
    return Book.objects.get()


@pytest.fixture
def note() -> Iterator[Note]:
    with tables(Note):
        Note.objects.create()
        yield Note.objects.get()


def changes_of(action: Callable[[], object], signal: str = "post_save") -> Changes:
    """Return the changes of the last such event of `action`."""
    with capture_signals(signal) as signals:
        action()
    return signals[-1].changes


# Creating.


def test_a_create_changes_every_field_from_null() -> None:
    author = Author.objects.create(name="Ada")
    book = Book(title="Engines", author=author, details={"pages": 90})
    assert changes_of(book.save) == {
        "id": [None, book.pk], "title": [None, "Engines"], "author": [None, author.pk],
        "copies": [None, 1], "details": [None, {"pages": 90}], "excerpt": [None, ""],
    }  # fmt: skip


def test_a_create_shows_what_was_created_and_not_what_became_of_it() -> None:
    author = Author(name="Ada")
    book = Book(title="Engines", author=author, details={"pages": 90})

    def create_and_go_on() -> None:
        author.save()
        author.name = "Grace"
        book.author = author
        book.save()
        book.details["pages"] = 1

    with recorded(SINKS=MEMORY), trace("unit") as unit:
        create_and_go_on()
        first, second = (row for row in kept(unit) if row.signal == "post_save")
    assert json.loads(first.changes)["name"] == [None, "Ada"]
    assert json.loads(second.changes)["details"] == [None, {"pages": 90}]


def test_an_instance_that_is_saved_under_a_new_key_is_a_create(book: Book) -> None:
    book.pk, book.title = None, "Copy"
    assert changes_of(book.save)["title"] == [None, "Copy"]


def test_bulk_created_objects_are_known_from_then_on() -> None:
    author = Author.objects.create(name="Ada")
    book = Book.objects.bulk_create([Book(title="Engines", author=author)])[0]
    if book.pk is None:  # some databases do not tell the key
        book = Book.objects.get()
    book.copies = 4
    assert changes_of(book.save) == {"copies": [1, 4]}


# Updating.


def test_a_save_without_changes_has_none(book: Book) -> None:
    assert changes_of(book.save) == {}


def test_a_save_changes_what_differs_from_what_was_loaded(book: Book) -> None:
    book.title, book.copies = "Analytical Engines", 3
    assert changes_of(book.save) == {"title": ["Engines", "Analytical Engines"], "copies": [1, 3]}


def test_a_second_save_starts_from_the_first(book: Book) -> None:
    for old, new in ((1, 2), (2, 3), (3, 1)):
        book.copies = new
        assert changes_of(book.save) == {"copies": [old, new]}
    assert changes_of(book.save) == {}


def test_a_created_instance_is_known_from_then_on() -> None:
    author = Author.objects.create(name="Ada")
    author.name = "Ada Lovelace"
    assert changes_of(author.save) == {"name": ["Ada", "Ada Lovelace"]}


def test_a_value_that_is_changed_and_changed_back_is_no_change(book: Book) -> None:
    book.copies = 9
    book.copies = 1
    assert changes_of(book.save) == {}


def test_update_fields_count_alone(book: Book) -> None:
    book.title, book.copies = "Analytical Engines", 3
    assert changes_of(lambda: book.save(update_fields=["copies"])) == {"copies": [1, 3]}
    assert changes_of(book.save) == {"title": ["Engines", "Analytical Engines"]}


def test_update_fields_may_be_named_by_column(book: Book) -> None:
    book.author = Author.objects.create(name="Grace")
    old = Author.objects.get(name="Ada").pk
    assert changes_of(lambda: book.save(update_fields=["author_id"])) == {
        "author": [old, book.author.pk]
    }


def test_a_foreign_key_may_be_set_by_key_or_by_object(book: Book) -> None:
    ada, grace = book.author, Author.objects.create(name="Grace")
    book.author_id = grace.pk
    assert changes_of(book.save) == {"author": [ada.pk, grace.pk]}
    book.author = ada
    assert changes_of(book.save) == {"author": [grace.pk, ada.pk]}


def test_what_the_database_was_told_otherwise_is_not_known(book: Book) -> None:
    Book.objects.update(copies=50)
    book.copies = 2
    assert changes_of(book.save) == {"copies": [1, 2]}


def test_a_receiver_of_the_host_that_changes_the_instance_is_heard(book: Book) -> None:
    def shout(instance: Book, **kwargs: Any) -> None:
        instance.title = instance.title.upper()

    models.signals.pre_save.connect(shout, sender=Book, weak=False, dispatch_uid="shout")
    try:
        assert changes_of(book.save) == {"title": ["Engines", "ENGINES"]}
    finally:
        models.signals.pre_save.disconnect(sender=Book, dispatch_uid="shout")


def test_the_changes_can_be_switched_off(book: Book) -> None:
    with recorded(SINKS=MEMORY, CHANGES=False):
        book.copies = 2
        assert changes_of(book.save) == {}
        assert changes_of(book.delete, "post_delete") == {}


# What is not known.


def test_an_instance_made_with_the_key_of_a_row_does_not_know_what_that_held(book: Book) -> None:
    other = Book(pk=book.pk, title="Other", author=book.author)
    other.copies = 7
    assert changes_of(other.save) == {}
    other.copies = 8
    assert changes_of(other.save) == {"copies": [7, 8]}


def test_part_of_such_an_instance_may_be_saved(book: Book) -> None:
    other = Book(pk=book.pk, title="Other", author=book.author, copies=7)
    assert changes_of(lambda: other.save(update_fields=["title"])) == {}
    other.title = "Another"
    assert changes_of(other.save) == {"title": ["Other", "Another"]}
    other.copies = 8
    assert changes_of(other.save) == {"copies": [7, 8]}


def test_an_instance_loaded_while_nothing_is_recorded_is_known(book: Book) -> None:
    with suppress():
        book = Book.objects.get()
    book.copies = 2
    assert changes_of(lambda: book.save(update_fields=["copies"])) == {"copies": [1, 2]}
    book.copies, book.title = 3, "Analytical Engines"
    assert changes_of(book.save) == {"title": ["Engines", "Analytical Engines"], "copies": [2, 3]}


def test_a_fixture_that_overwrites_a_row_does_not_know_what_that_held(book: Book) -> None:
    fixture = serializers.serialize("json", [book]).replace("Engines", "Machines")

    def load() -> None:
        for item in serializers.deserialize("json", fixture):
            item.save()

    assert changes_of(load) == {}
    Book.objects.all().delete()
    assert changes_of(load)["title"] == [None, "Machines"]


# Deferred fields, and fields that are loaded again.


def test_deferred_fields_are_neither_loaded_nor_changed(book: Book) -> None:
    with CaptureQueriesContext(connection) as queries:
        rare = RareBook.objects.only("title").get()
        rare.title = "Analytical Engines"
        found = changes_of(rare.save)
    assert found == {"title": ["Engines", "Analytical Engines"]}
    assert rare.get_deferred_fields() == {"author_id", "copies", "details", "excerpt"}
    assert len([query for query in queries if "SELECT" in query["sql"]]) == 1


def test_a_deferred_field_that_is_set_is_a_change_from_nobody_knows_what(book: Book) -> None:
    book = Book.objects.defer("copies").get()
    book.copies = 4
    assert changes_of(book.save) == {"copies": ["<not loaded>", 4]}
    book.copies = 5
    assert changes_of(book.save) == {"copies": [4, 5]}


def test_a_deferred_field_that_is_read_is_known_from_then_on(book: Book) -> None:
    book = Book.objects.only("title").get()
    book.copies += 1
    assert changes_of(book.save) == {"copies": [1, 2]}


def test_reading_a_deferred_field_does_not_save_anybody_else() -> None:
    first, second = (Author.objects.create(name=name) for name in ("Ada", "Grace"))
    one, two = Author.objects.only("pk").order_by("pk")
    assert (one.name, two.name) == (first.name, second.name)
    one.name, two.name = "A", "G"
    assert changes_of(one.save) == {"name": ["Ada", "A"]}
    assert changes_of(two.save) == {"name": ["Grace", "G"]}


def test_refreshed_fields_are_not_changes_of_the_next_save(book: Book) -> None:
    Book.objects.update(copies=50, details={"pages": 1})
    book.title = "Unsaved"
    book.refresh_from_db()
    assert changes_of(book.save) == {}
    book.copies += 1
    assert changes_of(book.save) == {"copies": [50, 51]}


def test_only_the_refreshed_fields_are_known_anew(book: Book) -> None:
    Book.objects.update(copies=50, title="Machines")
    book.title = "Analytical Engines"
    book.refresh_from_db(fields=["copies"])
    assert changes_of(book.save) == {"title": ["Engines", "Analytical Engines"]}


def test_refreshing_works_for_models_that_override_how_they_are_loaded() -> None:
    class Careful(RareBook):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)

        @classmethod
        def from_db(cls, *args: Any, **kwargs: Any) -> Any:
            return super().from_db(*args, **kwargs)

        def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
            super().refresh_from_db(*args, **kwargs)

        class Meta:
            proxy = True
            app_label = "shapes"

    Book.objects.create(title="Engines", author=Author.objects.create(name="Ada"))
    book = Careful.objects.get()
    Book.objects.update(copies=50)
    book.refresh_from_db()
    assert changes_of(book.save) == {}


def test_refreshing_one_instance_leaves_others_alone(book: Book) -> None:
    twin = Book.objects.get()
    Book.objects.update(copies=50)
    book.refresh_from_db()
    twin.copies = 2
    assert changes_of(twin.save) == {"copies": [1, 2]}


def test_refreshing_with_related_objects_does_not_mix_them_up() -> None:
    with tables(Ring):
        mother = Ring.objects.create(access_key="m", handle="mother")
        child = Ring.objects.create(access_key="c", handle="child", parent=mother)
        Ring.objects.filter(pk="c").update(handle="kid")
        child.refresh_from_db(from_queryset=Ring.objects.select_related("parent"))
        child.handle = "son"
        assert changes_of(child.save) == {"handle": ["kid", "son"]}


@pytest.mark.applies(django.VERSION >= (6, 1))
def test_fields_that_peers_have_loaded_may_be_read(book: Book) -> None:
    from django.db.models import FETCH_PEERS

    Book.objects.create(title="Notes", author=book.author)
    one, two = Book.objects.only("title").order_by("pk").fetch_mode(FETCH_PEERS)
    one.title = "Analytical Engines"
    assert one.copies == two.copies == 1
    assert changes_of(one.save)["title"] == ["Engines", "Analytical Engines"]


# Values of each kind.


def test_json_that_is_changed_in_place_is_noticed(book: Book) -> None:
    book.details["tags"].append("b")
    assert changes_of(book.save) == {
        "details": [{"pages": 90, "tags": ["a"]}, {"pages": 90, "tags": ["a", "b"]}]
    }
    assert changes_of(book.save) == {}
    del book.details["pages"]
    assert changes_of(book.save) == {"details": [{"pages": 90, "tags": ["a", "b"]},
                                                 {"tags": ["a", "b"]}]}  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ([1, [2, 3]], (1, (2, 3))),
        ({"a": {"b": []}}, {"a": {"b": []}}),
    ],
)
def test_the_same_json_is_no_change(before: Any, after: Any, note: Note) -> None:
    note.data = before
    note.save()
    note.data = after
    assert changes_of(note.save) == {}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([1], [True]), ([0], [False]), ([1], [1, 2]), ([1, 2], [2, 1]), ({"a": 1}, {"b": 1}),
        ({"a": None}, {}), ("1", 1), ([[]], [{}]), (None, {}), (["x" * 2000 + "a"],
                                                                ["x" * 2000 + "b"]),
    ],
)  # fmt: skip
def test_other_json_is_a_change(before: Any, after: Any, note: Note) -> None:
    note.data = before
    note.save()
    note.data = after
    assert list(changes_of(note.save)) == ["data"]


class AsText(json.JSONEncoder):
    def default(self, o: Any) -> Any:
        return str(o)


@pytest.fixture
def _any_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the JSON field take what JSON does not know."""
    monkeypatch.setattr(Note._meta.get_field("data"), "encoder", AsText)


@pytest.mark.usefixtures("_any_json")
def test_containers_of_any_class_are_watched(note: Note) -> None:
    class Bag(dict):  # type: ignore[type-arg]
        pass

    note.data = Bag(a=Bag(b=[uuid.UUID(int=1)]))
    note.save()
    note.data["a"]["b"].append(1)
    assert list(changes_of(note.save)) == ["data"]
    assert changes_of(note.save) == {}


NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.usefixtures("_any_json")
@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (Decimal("1.0"), Decimal("1.00"), True),
        (Decimal("1"), Decimal("2"), False),
        (Decimal("NaN"), Decimal("NaN"), True),
        (Decimal("sNaN"), Decimal("sNaN"), True),
        (Decimal("sNaN"), Decimal("1"), False),
        (uuid.UUID(int=1), uuid.UUID(int=1), True),
        (uuid.UUID(int=1), uuid.UUID(int=2), False),
        (NOW, NOW.astimezone(timezone(timedelta(hours=2))), True),
        (NOW, NOW + timedelta(seconds=1), False),
        (NOW.date(), NOW.date() + timedelta(), True),
        (NOW.time(), (NOW + timedelta(1)).time(), True),
        (timedelta(days=1), timedelta(hours=24), True),
        (ip_address("10.0.0.1"), ip_address("10.0.0.1"), True),
        (ip_address("10.0.0.1"), ip_address("10.0.0.2"), False),
        (frozenset("ab"), frozenset("ba"), True),
        (frozenset("ab"), frozenset("a"), False),
        ({1: Decimal(1)}, {1: Decimal("1.0")}, True),
    ],
)
def test_values_inside_of_containers_are_compared(
    before: Any, after: Any, same: bool, note: Note
) -> None:
    note.data = [before, Decimal(0)]
    note.save()
    note.data = [after, Decimal(0)]
    assert (changes_of(note.save) == {}) is same


@pytest.mark.usefixtures("_any_json")
def test_values_are_compared_without_host_code(note: Note) -> None:
    class Zone(tzinfo):
        def utcoffset(self, moment: datetime | None) -> timedelta:
            raise AssertionError

    first, second = Zone(), Zone()
    loud = Loud()
    note.data = [first, datetime(2026, 1, 1), loud]
    with capture_signals("post_save") as signals:
        for zone, thing in ((first, loud), (first, loud), (second, Loud()), (None, None)):
            note.data = [datetime(2026, 1, 1, tzinfo=zone), {"a": thing}, {loud}]
            calls.clear()
            models.signals.post_save.send(sender=Note, instance=note, created=False)
            assert calls == []
    assert [bool(event.changes) for event in signals] == [True, False, True, True]


def test_values_that_no_database_takes_do_no_harm_before_they_are_saved() -> None:
    circle: list[Any] = []
    circle.append(circle)
    deep: list[Any] = []
    for _ in range(50_000):
        deep = [deep]
    with capture_signals() as signals:
        for value in (circle, deep, object(), {object(): 1}, {1, "a"}, memoryview(b"x")):
            Note(data=value)
    assert signals.names == ["pre_init", "post_init"] * 6


def test_a_deep_value_is_compared(note: Note) -> None:
    deep: list[Any] = [1]
    for _ in range(25):
        deep = [deep]
    note.data = deep
    note.save()
    assert changes_of(note.save) == {}


def test_files_are_told_by_name(note: Note) -> None:
    note.attachment.storage = InMemoryStorage()
    note.attachment.save("a.txt", ContentFile(b"a"), save=False)
    assert changes_of(note.save) == {"attachment": ["", "a.txt"]}
    assert changes_of(note.save) == {}
    note.attachment = "b.txt"
    assert changes_of(note.save) == {"attachment": ["a.txt", "b.txt"]}


def stored_scan() -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT scan FROM {Note._meta.db_table}")
        return cursor.fetchone()[0]


@pytest.mark.parametrize("how", ["save", "bulk_update"])
def test_no_file_is_told_as_it_is_stored(note: Note, how: str) -> None:
    Note.objects.update(scan="a.txt")
    note = Note.objects.get()
    note.scan = None
    if how == "bulk_update":
        Note.objects.bulk_update([note], ["scan"])
        assert changes_of(note.save) == {}
    else:
        assert changes_of(note.save) == {"scan": ["a.txt", stored_scan()]}
    assert stored_scan() == ""  # Django has no null for it
    assert changes_of(note.save) == changes_of(Note.objects.get().save) == {}


def test_a_null_for_a_file_goes_with_the_next_save(note: Note) -> None:
    Note.objects.update(scan=None)
    note = Note.objects.get()
    assert changes_of(note.save) == {"scan": [None, ""]}
    assert stored_scan() == ""


@pytest.mark.parametrize("make", [Note.objects.create, lambda: Note.objects.bulk_create([Note()])])
def test_a_row_is_made_with_no_file_as_it_is_stored(
    note: Note, make: Callable[[], object]
) -> None:
    note.delete()
    with capture_signals("post_save") as signals:
        make()
    assert all(event.changes["scan"] == [None, stored_scan()] for event in signals)
    assert changes_of(Note.objects.get().save) == {}


def test_bytes_are_told_by_length(note: Note) -> None:
    note.blob = b"secret"
    assert changes_of(note.save) == {"blob": ["<0 bytes>", "<6 bytes>"]}
    note = Note.objects.get()  # psycopg gives a memoryview
    assert changes_of(note.save) == {}
    note.blob = bytearray(b"public")
    assert changes_of(note.save) == {"blob": ["<6 bytes>", "<6 bytes>"]}
    note.blob[0] = 0
    assert changes_of(note.save) == {"blob": ["<6 bytes>", "<6 bytes>"]}


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        ("price", Decimal("1.50"), Decimal("1.5")),
        ("at", datetime(2026, 1, 1, 12, tzinfo=UTC),
         datetime(2026, 1, 1, 14, tzinfo=timezone(timedelta(hours=2)))),
        ("flag", True, 1),
        ("count", 3, 3.0),
        ("text", "a", type("Text", (str,), {})("a")),
    ],
)  # fmt: skip
def test_equal_values_are_no_change(field: str, before: Any, after: Any, note: Note) -> None:
    setattr(note, field, before)
    note.save()
    setattr(note, field, after)
    assert changes_of(note.save) == {}


def test_values_are_shown_as_json(note: Note) -> None:
    note.price, note.ratio, note.at = Decimal("1.50"), 0.5, datetime(2026, 1, 1, tzinfo=UTC)
    note.text = "x" * 5000
    assert changes_of(note.save) == {
        "price": [None, "1.50"],
        "ratio": [None, 0.5],
        "at": [None, "2026-01-01T00:00:00+00:00"],
        "text": ["", "x" * 1000 + "... (5,000 characters)"],
    }


def test_a_signalling_nan_does_no_harm(note: Note) -> None:
    note.price = Decimal("sNaN")
    with capture_signals() as signals:
        Note(price=Decimal("sNaN"))
        with pytest.raises((InvalidOperation, ValidationError, Error)):
            note.save()
    assert {"pre_init", "post_init", "pre_save"} <= set(signals.names)


def test_a_list_in_a_column_of_text_is_watched() -> None:
    with tables(Basket):
        Basket.objects.create(items=["a"])
        basket = Basket.objects.get()
        basket.items.append("b")
        assert changes_of(basket.save) == {"items": [["a"], ["a", "b"]]}


# Expressions.


def test_an_expression_is_shown_as_what_it_is(book: Book) -> None:
    # An order: a receiver of the playground reads the copies of a book, and so loads them anew.
    Order.objects.create(book=book, reader="Mina", copies=1)
    order = Order.objects.get()
    order.copies = F("copies") + 1
    old, new = changes_of(order.save)["copies"]
    assert old == 1
    # Django 6 knows the value, unless the database does not return it.
    assert new in (2, "F(copies) + Value(1)", "<not loaded>")


def test_an_expression_that_is_saved_again_is_a_change_again(book: Book) -> None:
    book.copies = F("copies") + 1
    book.save()
    if "copies" in book.__dict__ and not isinstance(book.__dict__["copies"], int):
        expected = ["F(copies) + Value(1)"] * 2
        assert changes_of(book.save) == {"copies": expected}
    else:  # from Django 6.0 an expression is replaced by its value
        assert changes_of(book.save) == {}


def test_what_an_expression_has_become_is_no_change_once_it_is_refreshed(book: Book) -> None:
    book.copies = F("copies") + 1
    book.save()
    book.refresh_from_db()
    assert changes_of(book.save) == {}
    book.copies += 1
    assert changes_of(book.save) == {"copies": [2, 3]}


def test_expressions_in_a_create_do_no_harm() -> None:
    author = Author(name=Upper(Value("ada")))
    assert set(changes_of(author.save)) <= {"id", "name"}


# Secrets.


def test_a_changed_password_shows_that_it_changed() -> None:
    user = User.objects.create_user("ada", password="right")
    user.set_password("left")
    assert changes_of(user.save) == {"password": [MASK, MASK]}


def test_a_secret_that_comes_or_goes_shows_from_or_to_null(note: Note) -> None:
    note.api_token = None
    assert changes_of(note.save) == {"api_token": [MASK, None]}
    note.api_token = "x"
    assert changes_of(note.save) == {"api_token": [None, MASK]}


def test_secrets_inside_json_are_masked(note: Note) -> None:
    note.data = {"user": "ada", "password": "x", "more": [{"api_key": "y"}]}
    shown = {"user": "ada", "password": MASK, "more": [{"api_key": MASK}]}
    assert changes_of(note.save) == {"data": [{}, shown]}
    note.data["password"] = "z"
    assert changes_of(note.save) == {"data": [shown, shown]}


def test_references_to_secret_keys_are_masked() -> None:
    with tables(Ring, Door):
        ring = Ring.objects.create(access_key="hidden")
        door = Door.objects.create(ring=ring)
        door.ring = None
        assert changes_of(door.save) == {"ring": [MASK, None]}
        child = Ring(access_key="hidden2", parent=ring)
        assert changes_of(child.save)["parent"] == [None, MASK]


# Kinds of models.


def test_fields_of_a_parent_model_belong_to_the_child() -> None:
    author = Author.objects.create(name="Ada")
    ebook = Ebook(title="Engines", author=author, kilobytes=5)
    found = changes_of(ebook.save)
    assert found["title"] == [None, "Engines"]
    assert found["kilobytes"] == [None, 5]
    ebook = Ebook.objects.get()
    ebook.title, ebook.kilobytes = "Machines", 6
    assert changes_of(ebook.save) == {"title": ["Engines", "Machines"], "kilobytes": [5, 6]}


def test_a_proxy_is_known_as_its_model_is(book: Book) -> None:
    rare = RareBook.objects.get()
    rare.copies = 2
    assert changes_of(rare.save) == {"copies": [1, 2]}


def test_a_key_that_python_makes(book: Book) -> None:
    with tables(Ticket, Country):
        ticket = Ticket(title="a")
        assert changes_of(ticket.save) == {"id": [None, str(ticket.id)], "title": [None, "a"]}
        ticket.title = "b"
        assert changes_of(ticket.save) == {"title": ["a", "b"]}
        country = Country(code="fr")
        assert changes_of(country.save)["code"] == [None, "fr"]
        country.code = "de"
        assert changes_of(country.save)["code"] == [None, "de"]


def test_a_key_of_two_parts() -> None:
    with tables(Seat):
        seat = Seat(row="A", number=3)
        assert changes_of(seat.save) == {
            "row": [None, "A"], "number": [None, 3], "taken": [None, False],
        }  # fmt: skip
        seat = Seat.objects.get(pk=("A", 3))
        seat.taken = True
        assert changes_of(seat.save) == {"taken": [False, True]}
        Seat.objects.update(taken=False)
        seat.refresh_from_db()
        assert changes_of(seat.save) == {}
        assert changes_of(seat.delete, "post_delete")["number"] == [3, None]


def test_generated_fields_are_taken_as_they_come() -> None:
    with isolate_apps("tests"):

        class Square(models.Model):  # noqa: DJ008
            side = models.IntegerField()
            area = models.GeneratedField(
                expression=F("side") * F("side"),
                output_field=models.IntegerField(),
                db_persist=True,
            )

            class Meta:
                app_label = "shapes"

        with tables(Square):
            square = Square(side=2)
            assert changes_of(square.save)["side"] == [None, 2]
            assert square.area == 4
            square.side = 3
            assert changes_of(square.save)["side"] == [2, 3]


# Copies.


def test_copies_know_what_the_original_knew(book: Book) -> None:
    for twin in (copy.copy(book), copy.deepcopy(book)):
        twin.copies += 1
        assert changes_of(twin.save) == {"copies": [1, 2]}
    book.copies = 7
    assert changes_of(book.save) == {"copies": [1, 7]}


def test_a_deep_copy_does_not_share_what_it_holds(book: Book) -> None:
    twin = copy.deepcopy(book)
    book.details["pages"] = 1
    assert changes_of(twin.save) == {}


def test_a_pickle_does_not_grow_and_forgets(book: Book) -> None:
    with override_settings(SIGNALS_DEMO={"ENABLED": False}):
        bare = pickle.dumps(Book.objects.get())
    pickled = pickle.dumps(book)
    assert b"signals_demo." not in pickled  # to be read where the app is not installed
    assert len(pickled) < len(bare) + 100
    again = pickle.loads(pickled)
    again.copies = 2
    assert changes_of(again.save) == {}
    again.copies = 3
    assert changes_of(again.save) == {"copies": [2, 3]}


# Deleting.


def test_a_delete_shows_the_last_values_of_the_row(book: Book) -> None:
    pk, author = book.pk, book.author_id
    book.copies = 3
    book.save()
    book.copies, book.title = 4, "never saved"
    book.details["tags"].append("never saved")
    assert changes_of(book.delete, "post_delete") == {
        "id": [pk, None], "title": ["Engines", None], "author": [author, None],
        "copies": [3, None], "details": [{"pages": 90, "tags": ["a"]}, None],
        "excerpt": ["", None],
    }  # fmt: skip


def test_a_delete_shows_a_large_value_as_the_row_held_it(book: Book) -> None:
    book.details = {"text": "a" * 100_000}
    book.save()
    book.details["text"] = "b"
    old, _new = changes_of(book.delete, "post_delete")["details"]
    assert old["text"].startswith("aaaa")


def test_a_delete_does_not_load_deferred_fields(book: Book) -> None:
    book = Book.objects.only("title").get()
    assert set(changes_of(book.delete, "post_delete")) == {"id", "title"}


# Queries.


def everyday() -> None:
    author = Author.objects.create(name="Ada")
    book = Book.objects.create(title="Engines", author=author, details={"a": [1]})
    book.details["a"].append(2)
    book.save()
    book.refresh_from_db()
    book = Book.objects.only("title").get()
    book.title = "Machines"
    book.save()
    book.copies += 1
    book.save(update_fields=["copies"])
    Ebook.objects.create(title="Ebook", author=author)
    Ebook.objects.defer("title").get().save()
    list(Book.objects.select_related("author").prefetch_related("tags"))
    pickle.loads(pickle.dumps(book)).save()
    book.tags.set([])
    Book.objects.get_or_create(title="Notes", author=author)
    Book.objects.update_or_create(title="Notes", defaults={"copies": 7})


def queries_of(action: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        action()
    return [query["sql"].partition(" ")[0] for query in captured]


def test_recording_adds_no_query_to_loading_and_saving() -> None:
    with override_settings(SIGNALS_DEMO={"ENABLED": False}):
        bare = queries_of(everyday)
    Author.objects.all().delete()
    assert queries_of(everyday) == bare
