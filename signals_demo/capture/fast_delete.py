"""Keeps Django's fast delete of many-to-many tables.

Django loads the rows of a table before it deletes them if anybody listens to its deletes, also of
a table that it made for a many-to-many field, for which it fires none. Our receivers hear every
sender, so for such tables they are not counted.
"""

from functools import wraps
from typing import Any

from django.db.models import Model, signals
from django.db.models.deletion import Collector

_NAME = "_has_signal_listeners"
_originals: list[Any] = []


def _others_listen(model: type[Model]) -> bool:
    """Return whether a receiver that is not ours hears of this model's deletes."""
    return any(
        sender in (id(None), id(model)) and not str(uid).startswith("signals_demo.")
        for signal in (signals.pre_delete, signals.post_delete)
        for (uid, sender), *_rest in signal.receivers
    )


def install() -> None:
    """Begin to leave our receivers out. Calling it again changes nothing."""
    original = getattr(Collector, _NAME, None)
    if _originals or original is None:  # a later Django may ask in another way
        return

    @wraps(original)
    def has_signal_listeners(self: Collector, model: type[Model]) -> bool:
        if model._meta.auto_created:
            return _others_listen(model)
        return bool(original(self, model))

    _originals.append(original)
    setattr(Collector, _NAME, has_signal_listeners)


def uninstall() -> None:
    """Give Django its own method back."""
    while _originals:
        setattr(Collector, _NAME, _originals.pop())
