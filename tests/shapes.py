"""Models that the demo project has no use for, and tables for them while a test runs.

Their app is not installed: nothing but the tests that ask for a table knows of them.
"""
# ruff: noqa: DJ001, DJ008 - nobody looks at their rows

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, models

LABEL = "shapes"

calls: list[str] = []
"""The methods of `Telltale` and its like that have been called."""


def tell(name: str) -> None:
    calls.append(name)


class Loud:
    """A mixin whose every method that a curious recorder might call notes that it was called."""

    def __str__(self) -> str:
        tell("__str__")
        return "loud"

    def __repr__(self) -> str:
        tell("__repr__")
        return "<loud>"

    def __eq__(self, other: object) -> bool:
        tell("__eq__")
        return self is other

    def __hash__(self) -> int:
        tell("__hash__")
        return 7

    def __len__(self) -> int:
        tell("__len__")
        return 1

    def __bool__(self) -> bool:
        tell("__bool__")
        return True

    def __iter__(self) -> Iterator[Any]:
        tell("__iter__")
        return iter(())

    def __getattr__(self, name: str) -> Any:
        tell(f"__getattr__({name})")
        raise AttributeError(name)

    @property
    def summary(self) -> str:
        tell("summary")
        return "a summary"


class Telltale(Loud, models.Model):
    name = models.CharField(max_length=40)
    data = models.JSONField(default=dict)

    class Meta:
        app_label = LABEL

    __hash__ = Loud.__hash__


class Note(models.Model):
    """One field of each kind that needs care."""

    text = models.TextField(default="")
    count = models.IntegerField(default=0)
    flag = models.BooleanField(default=False)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    ratio = models.FloatField(null=True)
    at = models.DateTimeField(null=True)
    data = models.JSONField(default=dict, null=True)
    blob = models.BinaryField(default=b"")
    attachment = models.FileField(blank=True)
    scan = models.FileField(null=True)
    api_token = models.CharField(max_length=40, default="", null=True)

    class Meta:
        app_label = LABEL


class Ticket(models.Model):
    """Its key is made in Python."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    title = models.CharField(max_length=40, default="")

    class Meta:
        app_label = LABEL


class Country(models.Model):
    """Its key is a text that people choose."""

    code = models.CharField(max_length=2, primary_key=True)
    name = models.CharField(max_length=40, default="")

    class Meta:
        app_label = LABEL


class Seat(models.Model):
    """Its key is a pair."""

    pk = models.CompositePrimaryKey("row", "number")
    row = models.CharField(max_length=2)
    number = models.IntegerField()
    taken = models.BooleanField(default=False)

    class Meta:
        app_label = LABEL


class Ring(models.Model):
    """Its key gives access, as a session's does; so does whatever refers to it."""

    access_key = models.CharField(max_length=40, primary_key=True)
    handle = models.CharField(max_length=40, unique=True, null=True)
    parent = models.ForeignKey("self", models.CASCADE, null=True)

    class Meta:
        app_label = LABEL


class Door(models.Model):
    name = models.CharField(max_length=40, default="")
    ring = models.ForeignKey(Ring, models.CASCADE, null=True)
    rings = models.ManyToManyField(Ring, related_name="+")

    class Meta:
        app_label = LABEL


class Gate(models.Model):
    """Refers to a secret that is not the key of its row."""

    api_token = models.CharField(max_length=40, unique=True)

    class Meta:
        app_label = LABEL


class Guard(models.Model):
    gate = models.ForeignKey(Gate, models.CASCADE, to_field="api_token")

    class Meta:
        app_label = LABEL


class SplitField(models.TextField):
    """A list in a column of text, as third-party fields do it."""

    def from_db_value(self, value: Any, *args: Any) -> Any:
        return value if value is None else value.split(",")

    def get_prep_value(self, value: Any) -> Any:
        return ",".join(value) if isinstance(value, list) else value


class Basket(models.Model):
    items = SplitField(default=list)

    class Meta:
        app_label = LABEL


@contextmanager
def tables(*shapes: type[models.Model]) -> Iterator[None]:
    """Make tables for these models, and drop them at the end."""
    with connection.schema_editor() as editor:
        for model in shapes:
            editor.create_model(model)
    try:
        yield
    finally:
        with connection.schema_editor() as editor:
            for model in reversed(shapes):
                editor.delete_model(model)
