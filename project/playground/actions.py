"""The actions, in the order of the lessons. The pages show this code."""

# ruff: noqa: DJ008

import django
from django.apps.registry import Apps
from django.contrib.auth import authenticate, login, logout
from django.core.management import call_command
from django.db import connection, models, transaction
from django.db.models import F
from django.http import HttpRequest

from project.playground import children
from project.playground.children import Excuse
from project.playground.models import Book, Ebook, Order, RareBook, Tag
from project.playground.registry import action
from project.playground.tests import LessonTests
from signals_demo import trace
from signals_demo.catalog import Family

SILENCE = "silence"


# auth


@action(Family.AUTH, "Log in")
def log_in(request: HttpRequest) -> None:
    """Logs you in as “admin”, also in the real admin."""
    user = authenticate(request, username="admin", password="admin")
    if user is None:
        raise Excuse("The password is no longer “admin”.")
    login(request, user)


@action(Family.AUTH, "Log in with a wrong password")
def fail_to_log_in(request: HttpRequest) -> None:
    """The login fails. The log keeps the username that was tried, but not the password."""
    authenticate(request, username="admin", password="a guess")


@action(Family.AUTH, "Log out")
def log_out(request: HttpRequest) -> None:
    """Fires even if no one was logged in. Then its user is None."""
    logout(request)


# model


@action(Family.MODEL, "Instantiate")
def instantiate(request: HttpRequest) -> None:
    """Creates an instance without saving it."""
    Book(title="Never Saved", copies=3)


@action(Family.MODEL, "Read rows")
def read(request: HttpRequest) -> None:
    """Each row becomes an instance, so each row fires both init signals."""
    list(Book.objects.all())


@action(Family.MODEL, "Save: create")
def create(request: HttpRequest) -> None:
    """Inserts a row. created is True in post_save, and every field has a new value."""
    book = Book.objects.get(title="Night Trains")
    Order.objects.create(book=book, reader="Mina", copies=2)


@action(Family.MODEL, "Save: update")
def update(request: HttpRequest) -> None:
    """The changes include a JSON field that was changed in place."""
    book = Book.objects.get(title="Night Trains")
    book.copies += 1
    book.details["loans"] += 1
    book.save()


@action(Family.MODEL, "Save, then roll back")
def roll_back(request: HttpRequest) -> None:
    """The signals fire anyway. The record says that the row was rolled back."""
    book = Book.objects.get(title="Night Trains")
    with transaction.atomic():
        Order.objects.create(book=book, reader="Nobody")
        transaction.set_rollback(True)


@action(Family.MODEL, "Delete")
def delete(request: HttpRequest) -> None:
    """Deletes the book's orders too. Every pre_delete fires before the first post_delete."""
    Book.objects.get(title="A Draft").delete()


@action(Family.MODEL, "Many-to-many: add")
def add_tag(request: HttpRequest) -> None:
    """m2m_changed fires before and after, with the keys that were added."""
    book = Book.objects.get(title="Night Trains")
    book.tags.add(Tag.objects.get(name="gift"))


@action(Family.MODEL, "Many-to-many: remove")
def remove_tag(request: HttpRequest) -> None:
    """From the other side, with tag.books.remove(book), reverse would be True."""
    book = Book.objects.get(title="Night Trains")
    book.tags.remove(Tag.objects.get(name="fiction"))


@action(Family.MODEL, "Many-to-many: set")
def set_tags(request: HttpRequest) -> None:
    """set() calls remove() and add() with the tags that differ."""
    book = Book.objects.get(title="Night Trains")
    book.tags.set(Tag.objects.filter(name__in=["gift", "travel"]))


@action(Family.MODEL, "Many-to-many: clear")
def clear_tags(request: HttpRequest) -> None:
    """clear() sends no keys: pk_set is None."""
    book = Book.objects.get(title="Night Trains")
    book.tags.clear()


@action(Family.MODEL, "Save an inherited model")
def save_ebook(request: HttpRequest) -> None:
    """Writes two tables. The sender is the child class, so receivers of Book are not called."""
    ebook = Ebook.objects.get(title="Lighthouses of the North")
    ebook.kilobytes += 1
    ebook.save()


@action(Family.MODEL, "Save a proxy model")
def save_rare_book(request: HttpRequest) -> None:
    """Saves a row of Book. The sender is RareBook, so receivers of Book are not called."""
    book = RareBook.objects.get(title="Night Trains")
    book.copies += 1
    book.save()


@action(Family.MODEL, "Define a model")
def define_model(request: HttpRequest) -> None:
    """Usually happens when a project starts. A separate registry keeps this model apart."""

    class Leaflet(models.Model):
        text = models.TextField()

        class Meta:
            app_label = "playground"
            apps = Apps()


# management


@action(Family.MANAGEMENT, "Migrate")
def migrate(request: HttpRequest) -> None:
    """Fires once for each app that has models, even if there is nothing to migrate."""
    call_command("migrate", verbosity=0)


# request


@action(Family.REQUEST, "Send a request")
def send_request(request: HttpRequest) -> None:
    """The button sends a request. Nothing else is needed."""
    # Nothing to do.


@action(Family.REQUEST, "Raise an error")
def raise_error(request: HttpRequest) -> None:
    """The view raises an exception. A middleware of the playground brings you back here."""
    raise RuntimeError("The shelf has come down.")


# test


@action(Family.TEST, "Run tests", shows=LessonTests)
def run_tests(request: HttpRequest) -> str:
    """Runs “manage.py test project.playground.tests” in another process."""
    return children.run_tests()


# database


@action(Family.DATABASE, "Open a connection")
def connect(request: HttpRequest) -> None:
    """Opens another connection and closes it. Django opens one at a thread's first query."""
    another = connection.copy()
    another.connect()
    another.close()


# task

if django.VERSION >= (6, 0):
    from project.playground import tasks

    @action(Family.TASK, "Run a task")
    def do_task(request: HttpRequest) -> None:
        """Django's immediate backend runs it at once, in the same thread."""
        tasks.count_orders.enqueue()

    @action(Family.TASK, "Run a task that fails")
    def fail_at_task(request: HttpRequest) -> None:
        """task_finished fires as well. The status of its task_result is FAILED."""
        tasks.fail.enqueue()


# autoreload


@action(Family.AUTORELOAD, "Reload", shows=children.run_server_until_reload)
def reload(request: HttpRequest) -> str:
    """Starts a second server on a free port, changes a file that it watches, and waits."""
    return children.run_server_until_reload()


# what fires nothing


@action(SILENCE, "bulk_create()")
def bulk_create(request: HttpRequest) -> str:
    """Inserts rows without save signals. (Creating the instances fired their init signals.)"""
    book = Book.objects.get(title="Night Trains")
    orders = [Order(book=book, reader=name) for name in ("Ann", "Ben")]
    with trace("bulk_create") as shown:
        Order.objects.bulk_create(orders)
    return shown.trace_id


@action(SILENCE, "bulk_update()")
def bulk_update(request: HttpRequest) -> str:
    """Updates rows without save signals."""
    books = list(Book.objects.all())
    for book in books:
        book.copies += 1
    with trace("bulk_update") as shown:
        Book.objects.bulk_update(books, ["copies"])
    return shown.trace_id


@action(SILENCE, "QuerySet.update()")
def queryset_update(request: HttpRequest) -> str:
    """Runs one UPDATE: no instances, no signals."""
    with trace("update") as shown:
        Book.objects.update(copies=F("copies") + 1)
    return shown.trace_id


@action(SILENCE, "save(update_fields=[])")
def save_no_fields(request: HttpRequest) -> str:
    """There is nothing to save, so save() returns before it sends signals."""
    book = Book.objects.get(title="Night Trains")
    with trace("save(update_fields=[])") as shown:
        book.save(update_fields=[])
    return shown.trace_id


@action(SILENCE, "_raw_delete()")
def raw_delete(request: HttpRequest) -> str:
    """A private method. Django uses it for fast deletes, where no receiver is connected."""
    with trace("_raw_delete") as shown:
        Order.objects.filter(reader="Ann")._raw_delete("default")
    return shown.trace_id


@action(SILENCE, "Raw SQL")
def raw_sql(request: HttpRequest) -> str:
    """The database deletes the rows, and Django does not know it."""
    sql = "DELETE FROM playground_order WHERE reader = 'Ben'"
    with trace("raw SQL") as shown, connection.cursor() as cursor:
        cursor.execute(sql)
    return shown.trace_id


@action(SILENCE, "A row of an automatic through table")
def save_through_row(request: HttpRequest) -> str:
    """Django creates the model behind tags.add(). Saving or deleting it sends no signals."""
    book = Book.objects.get(title="Night Trains")
    tag = Tag.objects.get(name="gift")
    row = Book.tags.through(book=book, tag=tag)
    with trace("through row") as shown:
        row.save()
        row.delete()
    return shown.trace_id


@action(SILENCE, "values()")
def values(request: HttpRequest) -> str:
    """Reads rows without creating instances, so without init signals."""
    with trace("values") as shown:
        list(Book.objects.values("title", "copies"))
    return shown.trace_id
