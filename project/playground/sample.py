"""The sample data that the actions of the lessons expect."""

from django.contrib.auth import get_user_model
from django.db import transaction

from project.playground.models import Author, Book, Ebook, Order, Tag
from signals_demo import suppress, trace

# Name and password of the superuser, known to anyone who reads this.
ADMIN = "admin"


# Not recorded, and in a separate trace, so that the receivers' notes are not the action's.
@suppress()
@trace("stock")
@transaction.atomic
def stock() -> None:
    """Create the sample data that is missing."""
    ada, _ = Author.objects.get_or_create(name="Ada Marsh")
    jonas, _ = Author.objects.get_or_create(name="Jonas Quill")
    fiction, _ = Tag.objects.get_or_create(name="fiction")
    for name in ("gift", "travel"):
        Tag.objects.get_or_create(name=name)
    trains, _ = Book.objects.get_or_create(
        title="Night Trains",
        defaults={"author": ada, "copies": 7, "details": {"pages": 312, "loans": 0}},
    )
    trains.tags.set([fiction])
    draft, _ = Book.objects.get_or_create(title="A Draft", defaults={"author": jonas})
    if not draft.orders.exists():
        Order.objects.create(book=draft, reader="Mina")
    Ebook.objects.get_or_create(
        title="Lighthouses of the North", defaults={"author": jonas, "kilobytes": 840}
    )


@suppress()
def make_admin() -> None:
    """Create the superuser, unless there is a user with that name."""
    users = get_user_model()._default_manager
    if not users.filter(username=ADMIN).exists():
        users.create_superuser(username=ADMIN, email="", password=ADMIN)
