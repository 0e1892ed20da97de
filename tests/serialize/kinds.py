"""A model with a field of each kind, and fields as packages define them."""
# ruff: noqa: DJ001 - null is one of the values

import uuid
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models


class Money:
    """A value of a class of its own, as djmoney has it."""

    def __init__(self, amount: Any) -> None:
        self.amount = amount


class MoneyField(models.DecimalField):  # type: ignore[type-arg]
    def to_python(self, value: Any) -> Any:
        return super().to_python(value.amount if isinstance(value, Money) else value)


class Point:
    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y

    def __str__(self) -> str:
        return f"{self.x},{self.y}"


class PointField(models.CharField):  # type: ignore[type-arg]
    """Is compared and serialised by `value_to_string` alone."""

    def get_prep_value(self, value: Any) -> Any:
        return value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return None if value is None else str(value)


class Secretive:
    """Cannot be told from another of its class."""


class BrokenField(models.CharField):  # type: ignore[type-arg]
    def get_prep_value(self, value: Any) -> Any:
        raise RuntimeError("out of order")

    def value_to_string(self, obj: Any) -> str:
        raise RuntimeError("out of order")

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return "x"


class MailField(models.CharField):  # type: ignore[type-arg]
    """Stores small letters, and an empty text as null."""

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(value.lower() if value else None)


class Level(models.IntegerChoices):
    LOW = 1
    HIGH = 2


class Kinds(models.Model):
    day = models.DateField(null=True)
    at = models.DateTimeField(null=True)
    clock = models.TimeField(null=True)
    span = models.DurationField(null=True)
    code = models.UUIDField(default=uuid.UUID(int=1).hex, null=True)
    address = models.GenericIPAddressField(null=True)
    number = models.IntegerField(null=True, choices=Level)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    ratio = models.FloatField(null=True)
    flag = models.BooleanField(null=True)
    text = models.TextField(null=True)
    name = models.CharField(max_length=200, null=True)
    data = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    blob = models.BinaryField(null=True)
    file = models.FileField(null=True)
    cost = MoneyField(max_digits=8, decimal_places=2, null=True)
    point = PointField(max_length=20, null=True)
    mail = MailField(max_length=50, null=True)
    broken = BrokenField(max_length=20, null=True)

    class Meta:
        app_label = "shapes"

    def __str__(self) -> str:
        return "kinds"
