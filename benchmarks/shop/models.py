"""One small model, registered with the peers that want to be told of it, as their docs do it."""

from django.apps import apps
from django.db import models


class Product(models.Model):
    name = models.CharField(max_length=100)
    code = models.CharField(max_length=20)
    price = models.IntegerField(help_text="in cents")
    stock = models.IntegerField(default=0)
    is_on_sale = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.name


if apps.is_installed("auditlog"):
    from auditlog.registry import auditlog

    auditlog.register(Product)

if apps.is_installed("simple_history"):
    from simple_history import register

    register(Product)
