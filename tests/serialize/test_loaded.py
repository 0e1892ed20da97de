"""What a row held: known, or said to be unknown, and never guessed."""

import copy
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core import serializers
from django.db import connection, connections, models, transaction
from django.db.models.signals import ModelSignal, post_save, pre_save
from django.test.utils import isolate_apps

from project.playground.models import Author, Book, Ebook, RareBook
from signals_demo import suppress
from signals_demo.catalog import receiver_list
from signals_demo.testing import capture_signals
from tests.recording import MEMORY, recorded, rolled_back
from tests.shapes import Seat, Ticket, tables

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stored]


@pytest.fixture(autouse=True)
def _in_memory() -> Iterator[None]:
    with recorded(SINKS=MEMORY):
        yield


@pytest.fixture
def book() -> Book:
    author = Author.objects.create(name="Ada")
    Book.objects.create(title="Engines", author=author, copies=3)
    return Book.objects.get()


def saved(action: Callable[[], object]) -> Any:
    """Return the last post_save of an action."""
    with capture_signals("post_save") as signals:
        action()
    return signals[-1]


def is_unknown(event: Any) -> bool:
    """Return whether an event says that it does not know what the row held, and nothing else."""
    return event.changes == {} and event.arguments["old_values"] == "unknown"


def built(book: Book, **values: Any) -> Book:
    made = Book(pk=book.pk, author_id=book.author_id, **values)
    made._state.adding = False
    made._state.db = "default"
    return made


# Built, and not loaded.


def test_an_instance_that_says_that_it_is_saved_is_not_known(book: Book) -> None:
    made = built(book, title="Machines", copies=1)
    made.copies = 5
    event = saved(made.save)
    assert is_unknown(event)
    assert event.arguments["new_values"] == {
        "title": "Machines", "author": book.author_id, "copies": 5, "details": {}, "excerpt": "",
    }  # fmt: skip
    made.copies = 6
    assert saved(made.save).changes == {"copies": [5, 6]}


@pytest.mark.parametrize("options", [{"force_update": True}, {"update_fields": ["title"]}, {}])
def test_it_does_not_matter_how_it_is_saved(book: Book, options: dict[str, Any]) -> None:
    event = saved(lambda: built(book, title="Machines").save(**options))
    assert is_unknown(event)
    assert event.arguments["new_values"]["title"] == "Machines"
    assert ("copies" in event.arguments["new_values"]) is ("update_fields" not in options)


def test_only_the_fields_that_were_saved_are_known_then(book: Book) -> None:
    made = built(book, title="Machines")
    made.save(update_fields=["title"])
    made.title, made.copies = "Motors", 9
    event = saved(made.save)
    assert event.changes == {"title": ["Machines", "Motors"]}
    assert event.arguments["old_values"] == "unknown"
    assert event.arguments["new_values"]["copies"] == 9
    assert "title" not in event.arguments["new_values"]


def test_an_instance_of_serialised_data_is_not_known(book: Book) -> None:
    for item in serializers.deserialize("json", serializers.serialize("json", [book])):
        item.object.title = "Machines"
        assert is_unknown(saved(item.object.save))


def test_an_instance_from_a_pickle_is_not_known(book: Book) -> None:
    again = pickle.loads(pickle.dumps(book))
    again.title = "Machines"
    assert is_unknown(saved(again.save))


def test_an_instance_that_takes_the_values_of_another_is_not_known(book: Book) -> None:
    made = Book()
    made.__dict__.update({k: v for k, v in book.__dict__.items() if k != "_state"})
    made._state.adding = False
    made.title = "Machines"
    assert is_unknown(saved(made.save))


def test_one_that_is_refreshed_is_known(book: Book) -> None:
    made = built(book, title="Machines")
    made.refresh_from_db()
    made.copies = 4
    event = saved(made.save)
    assert event.changes == {"copies": [3, 4]}
    assert "old_values" not in event.arguments


def test_of_one_that_is_refreshed_in_part_that_part_is_known(book: Book) -> None:
    made = built(book, title="Machines")
    made.refresh_from_db(fields=["copies"])
    made.copies = 4
    event = saved(made.save)
    assert event.changes == {"copies": [3, 4]}
    assert event.arguments["new_values"]["title"] == "Machines"


def test_a_model_that_loads_in_its_own_way_is_known(book: Book) -> None:
    class Own(Book):
        class Meta:
            proxy = True
            app_label = "shapes"

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)

        @classmethod
        def from_db(cls, db: Any, field_names: Any, values: Any, **kwargs: Any) -> Any:
            made = cls(*values) if len(values) == 6 else super().from_db(db, field_names, values)
            made._state.adding, made._state.db = False, db
            return made

    own = Own.objects.get()
    own.copies = 4
    assert saved(own.save).changes == {"copies": [3, 4]}
    assert is_unknown(saved(Own(pk=own.pk, title="x", author_id=own.author_id).save))


# Another row.


def test_an_instance_that_is_given_the_key_of_another_row(book: Book) -> None:
    other = Book.objects.create(title="Notes", author=book.author, copies=8)
    book.pk, book.copies, book.title = other.pk, 4, "Machines"
    event = saved(book.save)
    assert is_unknown(event)
    assert event.object_pk == str(other.pk)
    assert event.arguments["new_values"]["copies"] == 4
    assert "id" not in event.arguments["new_values"]
    book.copies = 5
    assert saved(book.save).changes == {"copies": [4, 5]}


def test_the_key_may_be_another_of_two_parts() -> None:
    with tables(Seat):
        Seat.objects.create(row="A", number=1)
        Seat.objects.create(row="A", number=2, taken=True)
        seat = Seat.objects.get(pk=("A", 1))
        seat.number = 2
        assert is_unknown(saved(seat.save))
        seat.taken = True
        assert saved(seat.save).changes == {"taken": [False, True]}


def test_the_same_key_may_be_written_in_another_way(book: Book) -> None:
    book.pk, book.copies = str(book.pk), 4
    assert saved(book.save).changes == {"copies": [3, 4]}
    with tables(Ticket):
        ticket = Ticket.objects.create(title="a")
        ticket.pk, ticket.title = ticket.id.hex.upper(), "b"
        assert saved(ticket.save).changes == {"title": ["a", "b"]}


def test_an_instance_that_was_deleted_is_created_again(book: Book) -> None:
    pk = book.pk
    book.delete()
    Book.objects.create(pk=pk, title="Another", author=Author.objects.get())
    book.pk = pk
    assert is_unknown(saved(book.save))


def test_copies_are_known_and_apart(book: Book) -> None:
    twin = copy.copy(book)
    twin.copies = 4
    assert saved(twin.save).changes == {"copies": [3, 4]}
    twin.pk, twin.title = None, "Twin"
    twin._state.adding = True
    assert saved(twin.save).changes["copies"] == [None, 4]


@pytest.fixture
def two_databases() -> Iterator[None]:
    """Give the same tables another alias, as a replica has."""
    default = connections.settings["default"]
    connections.settings["replica"] = default | {"TEST": {"MIRROR": "default"}}
    connections.settings["other"] = default | {"NAME": "elsewhere"}
    try:
        yield
    finally:
        for name in ("replica", "other"):
            del connections.settings[name]


@pytest.mark.usefixtures("two_databases")
@pytest.mark.parametrize(("alias", "known"), [("replica", True), ("other", False)])
def test_an_instance_that_comes_from_another_database(book: Book, alias: str, known: bool) -> None:
    with recorded(SINKS=MEMORY):  # the receivers of more than one database
        book = Book.objects.get()
        book._state.db = alias
        book.copies = 4
        event = saved(lambda: book.save(using="default"))
    assert event.changes == ({"copies": [3, 4]} if known else {})
    assert is_unknown(event) is not known


# Models of several tables.


def test_a_child_beside_a_row_of_its_parent_does_not_know_that(book: Book) -> None:
    ebook = Ebook(book_ptr_id=book.pk, title="Machines", author=book.author, kilobytes=5)
    event = saved(ebook.save)
    assert event.changes == {"book_ptr": [None, book.pk], "kilobytes": [None, 5]}
    assert event.arguments["new_values"]["title"] == "Machines"
    assert event.arguments["old_values"] == "unknown"


def test_a_child_alone_that_is_saved_raw_writes_nothing_of_its_parent(book: Book) -> None:
    ebook = Ebook(book_ptr_id=book.pk, kilobytes=5)
    event = saved(lambda: ebook.save_base(raw=True))
    assert set(event.changes) == {"book_ptr", "kilobytes"}
    assert "old_values" not in event.arguments


def test_a_child_that_is_new_knows_all() -> None:
    ebook = Ebook(title="Notes", author=Author.objects.create(name="Ada"), kilobytes=5)
    event = saved(ebook.save)
    assert event.changes["title"] == [None, "Notes"]
    assert "old_values" not in event.arguments


def test_a_child_that_goes_alone_leaves_the_values_of_its_parent() -> None:
    Ebook.objects.create(title="Notes", author=Author.objects.create(name="Ada"), kilobytes=5)
    ebook = Ebook.objects.get()
    with capture_signals("post_delete") as signals:
        ebook.delete(keep_parents=True)
    assert set(signals[-1].changes) == {"book_ptr", "kilobytes"}


def deleted(action: Callable[[], object]) -> Any:
    """Return the last post_delete of an action."""
    with capture_signals("post_delete") as signals:
        action()
    return signals[-1]


def test_a_delete_of_a_built_instance_does_not_know_what_the_row_held(book: Book) -> None:
    pk = book.pk
    event = deleted(Book(pk=pk, title="Machines").delete)
    assert event.changes == {"id": [pk, None]}
    assert event.arguments["old_values"] == "unknown"
    assert "new_values" not in event.arguments


def test_a_delete_by_another_key_does_not_know_what_the_row_held(book: Book) -> None:
    other = Book.objects.create(title="Other", author=book.author)
    pk = book.pk = other.pk
    event = deleted(book.delete)
    assert event.changes == {"id": [pk, None]}
    assert event.arguments["old_values"] == "unknown"


def test_a_delete_knows_the_part_of_the_row_that_was_saved(book: Book) -> None:
    pk = book.pk
    made = built(book, title="Machines", copies=5)
    made.save(update_fields=["title"])
    event = deleted(made.delete)
    assert event.changes == {"id": [pk, None], "title": ["Machines", None]}
    assert event.arguments["old_values"] == "unknown"


def test_a_delete_knows_what_a_rollback_has_restored(book: Book) -> None:
    with rolled_back():
        book.title = "Machines"
        book.save()
    event = deleted(book.delete)
    assert event.changes["title"] == ["Engines", None]
    assert "old_values" not in event.arguments


def test_a_delete_of_a_child_knows_all_of_it() -> None:
    Ebook.objects.create(title="Notes", author=Author.objects.create(name="Ada"), kilobytes=5)
    ebook = Ebook.objects.get()
    ebook.title = "never saved"
    with capture_signals("post_delete") as signals:
        ebook.delete()
    child, parent = signals
    assert (child.changes["title"], child.changes["kilobytes"]) == (["Notes", None], [5, None])
    # Django makes the parent's instance from what its child holds.
    assert parent.sender == "playground.Book"
    assert "title" not in parent.changes
    assert parent.arguments["old_values"] == "unknown"


# Receivers before ours.


@contextmanager
def connected_before_ours(
    signal: ModelSignal, receiver: Callable[..., None], **settings: Any
) -> Iterator[None]:
    """Connect a receiver, and then ours."""
    signal.connect(receiver, dispatch_uid="before ours")
    receiver_list.move_after(signal, "before ours", [])
    try:
        with recorded(SINKS=MEMORY, **settings):
            yield
    finally:
        signal.disconnect(dispatch_uid="before ours")


def test_a_receiver_before_ours_may_load_the_instance_again(book: Book) -> None:
    def refresh(instance: Book, **kwargs: object) -> None:
        instance.refresh_from_db()

    with connected_before_ours(post_save, refresh):
        book.title = "Machines"
        assert saved(book.save).changes == {"title": ["Engines", "Machines"]}
        book.copies = 4
        assert saved(book.save).changes == {"copies": [3, 4]}
        made = Book(title="Other", author=book.author)
        assert saved(made.save).changes["title"] == [None, "Other"]


def test_a_receiver_before_ours_may_load_some_fields_again(book: Book) -> None:
    def refresh(instance: Book, **kwargs: object) -> None:
        Book.objects.update(copies=7)
        instance.refresh_from_db(fields=["copies"])

    with connected_before_ours(post_save, refresh):
        book.title = "Machines"
        assert saved(book.save).changes == {"title": ["Engines", "Machines"]}
        book.title = "Notes"
        assert saved(book.save).changes == {"title": ["Machines", "Notes"]}


def test_a_receiver_before_ours_may_save_the_instance_again(book: Book) -> None:
    def save_again(instance: Book, **kwargs: object) -> None:
        if instance.copies == 3:
            instance.copies = 4
            instance.save()

    with connected_before_ours(post_save, save_again), capture_signals("post_save") as signals:
        book.title = "Machines"
        book.save()
        book.title = "Notes"
        book.save()
    assert [event.changes for event in signals] == [
        {"copies": [3, 4]},
        {"title": ["Engines", "Machines"]},
        {"title": ["Machines", "Notes"]},
    ]


def test_a_receiver_before_ours_may_change_the_instance(book: Book) -> None:
    def change(instance: Book, **kwargs: object) -> None:
        instance.copies += 1

    for settings in ({}, {"INCLUDE_MODELS": ["playground.*"]}):
        with connected_before_ours(post_save, change, **settings):
            book.title += "!"
            event = saved(book.save)
            assert list(event.changes) == ["title"]
            assert list(saved(book.save).changes) == ["copies"]
        book.refresh_from_db()


def test_a_rollback_restores_what_was_known_before_both_saves(book: Book) -> None:
    def save_again(instance: Book, **kwargs: object) -> None:
        if instance.copies == 3:
            instance.copies = 4
            instance.save()

    with connected_before_ours(post_save, save_again), rolled_back():
        book.title = "Machines"
        book.save()
    assert saved(book.save).changes == {"title": ["Engines", "Machines"], "copies": [3, 4]}


def test_a_receiver_of_pre_save_may_load_the_instance_again(book: Book) -> None:
    def refresh(instance: Book, **kwargs: object) -> None:
        instance.refresh_from_db()
        instance.copies = 9

    Book.objects.update(title="Machines")
    with connected_before_ours(pre_save, refresh):
        assert saved(book.save).changes == {"copies": [3, 9]}
    book.copies = 3
    book.save()
    Book.objects.update(title="Notes")
    pre_save.connect(refresh, sender=Book)
    try:
        assert saved(book.save).changes == {"copies": [3, 9]}
    finally:
        pre_save.disconnect(refresh, sender=Book)


def test_the_state_of_a_parent_says_nothing_of_a_child(book: Book) -> None:
    ebook = Ebook(book_ptr_id=book.pk)
    ebook.__dict__.update(book.__dict__)  # as many do it, with `_state`
    ebook.kilobytes = 5
    event = saved(ebook.save)
    assert event.arguments["old_values"] == "unknown"
    assert event.changes == {"book_ptr": [None, book.pk], "kilobytes": [None, 5]}


def test_a_proxy_of_what_was_loaded_is_known(book: Book) -> None:
    book.__class__ = RareBook
    book.copies = 4
    assert saved(book.save).changes == {"copies": [3, 4]}


# What is recorded does not decide what is known.


def test_what_is_saved_while_nothing_is_recorded_is_known(book: Book) -> None:
    with suppress():
        book.copies = 4
        book.save()
        made = Author.objects.create(name="Grace")
    book.copies = 5
    assert saved(book.save).changes == {"copies": [4, 5]}
    made.name = "Hopper"
    assert saved(made.save).changes == {"name": ["Grace", "Hopper"]}


def test_what_is_refreshed_while_nothing_is_recorded_is_known(book: Book) -> None:
    Book.objects.update(copies=7)
    with suppress():
        book.refresh_from_db()
    book.copies = 8
    assert saved(book.save).changes == {"copies": [7, 8]}


@pytest.mark.parametrize(
    "signals", [["post_save"], ["post_save", "pre_save"], ["post_init", "post_save"]]
)
def test_init_signals_may_be_left_out(signals: list[str]) -> None:
    author = Author.objects.create(name="Ada")
    Book.objects.create(title="Engines", author=author)
    with recorded(SINKS=MEMORY, SIGNALS=signals):
        book = Book.objects.get()
        book.copies = 2
        assert saved(book.save).changes == {"copies": [1, 2]}
        Book.objects.update(copies=7)
        book.refresh_from_db()
        book.copies = 8
        assert saved(book.save).changes == {"copies": [7, 8]}
        assert is_unknown(saved(built(book, title="x").save))
        for each in Book.objects.all():
            each.title = "Machines"
            assert saved(each.save).changes == {"title": ["x", "Machines"]}


def test_models_may_be_chosen() -> None:
    author = Author.objects.create(name="Ada")
    Book.objects.create(title="Engines", author=author)
    with recorded(SINKS=MEMORY, SIGNALS=["post_save"], INCLUDE_MODELS=["playground.Book"]):
        book = Book.objects.get()
        book.copies = 2
        assert saved(book.save).changes == {"copies": [1, 2]}
        assert not [key for key in Author.objects.get()._state.__dict__ if "signals_demo" in key]


def test_without_changes_nothing_is_kept() -> None:
    author = Author.objects.create(name="Ada")
    for setting in ({"CHANGES": False}, {"SIGNALS": ["post_delete", "pre_save"]}):
        with recorded(SINKS=MEMORY, **setting):
            author = Author.objects.get()
            author.save()
            assert not [key for key in author._state.__dict__ if "signals_demo" in key]
    with recorded(SINKS=MEMORY, SIGNALS=["post_delete"]):
        assert not models.signals.post_init.has_listeners(Author)


# Bulk writes send no signal.


def test_what_bulk_create_has_written_is_known() -> None:
    made = Author(name="Ada")
    made.name = "Grace"
    Author.objects.bulk_create([made])
    if made.pk is not None:
        made.name = "Hopper"
        assert saved(made.save).changes == {"name": ["Grace", "Hopper"]}


def test_what_bulk_create_may_have_left_is_not_known(book: Book) -> None:
    if connection.features.supports_ignore_conflicts:
        made = Book(pk=book.pk, title="Machines", author=book.author)
        Book.objects.bulk_create([made], ignore_conflicts=True)
        made.copies = 9
        assert is_unknown(saved(made.save))


def test_what_bulk_update_has_written_is_known(book: Book) -> None:
    book.copies, book.title = 5, "Machines"
    Book.objects.bulk_update((each for each in [book]), ["copies"])
    book.copies = 6
    assert saved(book.save).changes == {"title": ["Engines", "Machines"], "copies": [5, 6]}


def test_bulk_writes_that_fail_change_nothing(book: Book) -> None:
    book.copies = 5
    with pytest.raises(ValueError, match="Batch"):
        Book.objects.bulk_update([book], ["copies"], batch_size=-1)
    assert saved(book.save).changes == {"copies": [3, 5]}


# Rolled back: the row holds the old values again.


def test_after_a_rollback_the_row_holds_what_it_held(book: Book) -> None:
    with rolled_back():
        book.copies = 4
        book.save()
    assert saved(book.save).changes == {"copies": [3, 4]}
    with rolled_back():
        book.copies = 5
        book.save()
        book.copies = 6
        book.save()
    book.copies = 7
    assert saved(book.save).changes == {"copies": [4, 7]}


def test_each_savepoint_goes_back_by_itself(book: Book) -> None:
    with transaction.atomic():
        book.copies = 4
        book.save()
        with rolled_back():
            book.copies = 5
            book.save()
            with transaction.atomic():
                book.copies = 6
                book.save()
        book.copies = 7
        assert saved(book.save).changes == {"copies": [4, 7]}
    book.copies = 8
    assert saved(book.save).changes == {"copies": [7, 8]}


def test_the_outer_transaction_goes_back_to_the_start(book: Book) -> None:
    with rolled_back():
        for number in range(4, 30):
            with transaction.atomic():
                book.copies = number
                book.save()
        kept = [value for key, value in book._state.__dict__.items() if "undo" in key]
        assert [len(each) for each in kept] == [2]
    book.copies = 31
    assert saved(book.save).changes == {"copies": [3, 31]}


def test_what_is_rolled_back_in_suppress_goes_back(book: Book) -> None:
    with suppress(), rolled_back():
        book.copies = 4
        book.save()
    book.copies = 5
    assert saved(book.save).changes == {"copies": [3, 5]}


def test_what_is_refreshed_after_a_rollback_is_new(book: Book) -> None:
    with rolled_back():
        book.copies = 4
        book.save()
        book.refresh_from_db()
    Book.objects.update(copies=9)
    book.refresh_from_db()
    book.copies = 10
    assert saved(book.save).changes == {"copies": [9, 10]}


def test_what_is_refreshed_before_a_rollback_goes_back(book: Book) -> None:
    with rolled_back():
        book.copies = 4
        book.save()
        book.refresh_from_db()
    book.copies = 5
    assert saved(book.save).changes == {"copies": [3, 5]}


def test_a_create_that_is_rolled_back_is_a_create_again() -> None:
    author = Author(name="Ada")
    with rolled_back():
        author.save()
    author.name = "Grace"
    assert saved(author.save).changes["name"] == [None, "Grace"]


@pytest.mark.applies(connection.vendor == "sqlite")
def test_where_nobody_can_tell_the_outcome_the_row_is_not_known(book: Book) -> None:
    with rolled_back():
        book.copies = 4
        book.save()
        connection.connection.commit()  # unseen
    book.copies = 5
    assert is_unknown(saved(book.save))


def test_an_instance_in_a_transaction_can_be_pickled_and_copied(book: Book) -> None:
    with transaction.atomic():
        book.copies = 4
        book.save()
        for again in (pickle.loads(pickle.dumps(book)), copy.deepcopy(book)):
            assert again.copies == 4


def test_generated_and_odd_models_do_no_harm() -> None:
    with isolate_apps("tests"):

        class Alone(models.Model):  # noqa: DJ008
            id = models.CharField(max_length=9, primary_key=True)

            class Meta:
                app_label = "shapes"

        with tables(Alone):
            Alone(id="a").save()
            alone = Alone.objects.get()
            assert saved(alone.save).changes == {}
