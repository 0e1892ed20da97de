"""A small bookshop: models to save, change and delete."""

from django.db import models


class Author(models.Model):
    """A person who writes books."""

    name = models.CharField(max_length=80, unique=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Tag(models.Model):
    """A keyword for books."""

    name = models.CharField(max_length=40, unique=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Book(models.Model):
    """A book: foreign key, many-to-many, JSON and file field in one model."""

    title = models.CharField(max_length=120, unique=True)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    tags = models.ManyToManyField(Tag, related_name="books", blank=True)
    copies = models.PositiveIntegerField(default=1)
    details = models.JSONField(default=dict, blank=True)
    excerpt = models.FileField(upload_to="excerpts/", blank=True)

    class Meta:
        ordering = ("title",)

    def __str__(self) -> str:
        return self.title


class Ebook(Book):
    """A book to download: inherits from Book, with a second table."""

    kilobytes = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = "e-book"


class RareBook(Book):
    """A valuable book: a proxy model, the same table under another class."""

    class Meta:
        proxy = True
        verbose_name = "rare book"


class Order(models.Model):
    """A reader's order; it is deleted with its book."""

    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="orders")
    reader = models.CharField(max_length=80)
    copies = models.PositiveIntegerField(default=1)
    ordered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"Order {self.pk} by {self.reader}"
