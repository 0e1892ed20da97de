"""The actions, in the order of the lessons. The pages show the code of each as it stands here."""

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
    """You are “admin” afterwards, in the real admin too."""
    user = authenticate(request, username="admin", password="admin")
    if user is None:
        raise Excuse("The password is not “admin” any more.")
    login(request, user)


@action(Family.AUTH, "Log in with a wrong password")
def fail_to_log_in(request: HttpRequest) -> None:
    """Nobody gets in, and the log keeps the name that was tried, not the password."""
    authenticate(request, username="admin", password="a guess")


@action(Family.AUTH, "Log out")
def log_out(request: HttpRequest) -> None:
    """Fires even if nobody was logged in; then there is no user in it."""
    logout(request)


# model


@action(Family.MODEL, "Instantiate")
def instantiate(request: HttpRequest) -> None:
    """An instance is made; nothing is saved."""
    Book(title="Never Saved", copies=3)


@action(Family.MODEL, "Read rows")
def read(request: HttpRequest) -> None:
    """Each row becomes an instance, so each fires the two init signals."""
    list(Book.objects.all())


@action(Family.MODEL, "Save: create")
def create(request: HttpRequest) -> None:
    """A new row: post_save says created, and every field changes from nothing."""
    book = Book.objects.get(title="Night Trains")
    Order.objects.create(book=book, reader="Mina", copies=2)


@action(Family.MODEL, "Save: update")
def update(request: HttpRequest) -> None:
    """A JSON field changed in place is noticed as well."""
    book = Book.objects.get(title="Night Trains")
    book.copies += 1
    book.details["loans"] += 1
    book.save()


@action(Family.MODEL, "Save, then roll back")
def roll_back(request: HttpRequest) -> None:
    """The signals fire all the same. The record says that the row is gone."""
    book = Book.objects.get(title="Night Trains")
    with transaction.atomic():
        Order.objects.create(book=book, reader="Nobody")
        transaction.set_rollback(True)


@action(Family.MODEL, "Delete")
def delete(request: HttpRequest) -> None:
    """The book's orders go with it: every pre_delete fires before the first post_delete."""
    Book.objects.get(title="A Draft").delete()


@action(Family.MODEL, "Many-to-many: add")
def add_tag(request: HttpRequest) -> None:
    """m2m_changed fires before and after, with the keys that were added."""
    book = Book.objects.get(title="Night Trains")
    book.tags.add(Tag.objects.get(name="gift"))


@action(Family.MODEL, "Many-to-many: remove")
def remove_tag(request: HttpRequest) -> None:
    """The same from the other side would be reverse: tag.books.remove(book)."""
    book = Book.objects.get(title="Night Trains")
    book.tags.remove(Tag.objects.get(name="fiction"))


@action(Family.MODEL, "Many-to-many: set")
def set_tags(request: HttpRequest) -> None:
    """One set() is a remove and an add, with what differs."""
    book = Book.objects.get(title="Night Trains")
    book.tags.set(Tag.objects.filter(name__in=["gift", "travel"]))


@action(Family.MODEL, "Many-to-many: clear")
def clear_tags(request: HttpRequest) -> None:
    """Here no keys are sent: pk_set is None."""
    book = Book.objects.get(title="Night Trains")
    book.tags.clear()


@action(Family.MODEL, "Save an inherited model")
def save_ebook(request: HttpRequest) -> None:
    """Two tables are written; only the child's class is sent, so receivers of Book are silent."""
    ebook = Ebook.objects.get(title="Lighthouses of the North")
    ebook.kilobytes += 1
    ebook.save()


@action(Family.MODEL, "Save a proxy model")
def save_rare_book(request: HttpRequest) -> None:
    """The same row as a Book, but the sender is RareBook: receivers of Book are silent."""
    book = RareBook.objects.get(title="Night Trains")
    book.copies += 1
    book.save()


@action(Family.MODEL, "Define a model")
def define_model(request: HttpRequest) -> None:
    """Usually this happens when a project starts. A registry of its own keeps this one apart."""

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
    """Pressing the button sends a request, and that is enough."""
    # Nothing to do.


@action(Family.REQUEST, "Raise an error")
def raise_error(request: HttpRequest) -> None:
    """A view fails. A small middleware of the playground then brings you back here."""
    raise RuntimeError("The shelf has come down.")


# test


@action(Family.TEST, "Run tests", shows=LessonTests)
def run_tests(request: HttpRequest) -> str:
    """Runs “manage.py test project.playground.tests” in a process of its own."""
    return children.run_tests()


# database


@action(Family.DATABASE, "Open a connection")
def connect(request: HttpRequest) -> None:
    """Django opens one when a thread first asks for it; this is one more, closed again."""
    another = connection.copy()
    another.connect()
    another.close()


# task

if django.VERSION >= (6, 0):
    from project.playground import tasks

    @action(Family.TASK, "Do a task")
    def do_task(request: HttpRequest) -> None:
        """Django's own backend does it at once, in the same thread."""
        tasks.count_orders.enqueue()

    @action(Family.TASK, "Do a task that fails")
    def fail_at_task(request: HttpRequest) -> None:
        """task_finished fires as well; the result in it says FAILED."""
        tasks.fail.enqueue()


# autoreload


@action(Family.AUTORELOAD, "Reload", shows=children.run_server_until_reload)
def reload(request: HttpRequest) -> str:
    """Runs a second server on a free port, touches a file that it watches, and waits."""
    return children.run_server_until_reload()


# what fires nothing


@action(SILENCE, "bulk_create()")
def bulk_create(request: HttpRequest) -> str:
    """Rows are created; no save signal. (Making the instances fired their init signals before.)"""
    book = Book.objects.get(title="Night Trains")
    orders = [Order(book=book, reader=name) for name in ("Ann", "Ben")]
    with trace("bulk_create") as shown:
        Order.objects.bulk_create(orders)
    return shown.trace_id


@action(SILENCE, "bulk_update()")
def bulk_update(request: HttpRequest) -> str:
    """Rows change; no save signal."""
    books = list(Book.objects.all())
    for book in books:
        book.copies += 1
    with trace("bulk_update") as shown:
        Book.objects.bulk_update(books, ["copies"])
    return shown.trace_id


@action(SILENCE, "QuerySet.update()")
def queryset_update(request: HttpRequest) -> str:
    """One UPDATE statement; no instance, no signal."""
    with trace("update") as shown:
        Book.objects.update(copies=F("copies") + 1)
    return shown.trace_id


@action(SILENCE, "save(update_fields=[])")
def save_no_fields(request: HttpRequest) -> str:
    """There is nothing to save, so save() returns before its signals."""
    book = Book.objects.get(title="Night Trains")
    with trace("save(update_fields=[])") as shown:
        book.save(update_fields=[])
    return shown.trace_id


@action(SILENCE, "_raw_delete()")
def raw_delete(request: HttpRequest) -> str:
    """A private method, with which Django itself deletes fast where nobody listens."""
    with trace("_raw_delete") as shown:
        Order.objects.filter(reader="Ann")._raw_delete("default")
    return shown.trace_id


@action(SILENCE, "Raw SQL")
def raw_sql(request: HttpRequest) -> str:
    """The database does it, and Django does not know what."""
    sql = "DELETE FROM playground_order WHERE reader = 'Ben'"
    with trace("raw SQL") as shown, connection.cursor() as cursor:
        cursor.execute(sql)
    return shown.trace_id


@action(SILENCE, "A row of an automatic through table")
def save_through_row(request: HttpRequest) -> str:
    """The model behind tags.add() is made by Django: saving or deleting it sends nothing."""
    book = Book.objects.get(title="Night Trains")
    tag = Tag.objects.get(name="gift")
    row = Book.tags.through(book=book, tag=tag)
    with trace("through row") as shown:
        row.save()
        row.delete()
    return shown.trace_id


@action(SILENCE, "values()")
def values(request: HttpRequest) -> str:
    """Rows are read, but no instances are made: no init signals either."""
    with trace("values") as shown:
        list(Book.objects.values("title", "copies"))
    return shown.trace_id
