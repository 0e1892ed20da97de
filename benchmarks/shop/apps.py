from importlib import import_module

from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "benchmarks.shop"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("benchmarks.noop").connect_if_wanted()
