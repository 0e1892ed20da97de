"""The models of this app and their tables, wherever they are needed without a query."""

from typing import Any

from django.apps import apps


def model(name: str) -> Any:
    """Return a model of this app by its name in lower case."""
    # Not by get_model(): a test may take any app out of INSTALLED_APPS for a while.
    return apps.all_models["signals_demo"][name]


def table(name: str) -> str:
    """Return the table of a model of this app."""
    return str(model(name)._meta.db_table)
