"""Keep Django's fast delete of many-to-many tables, and of the tables of the log.

If a receiver is connected to a table's deletes, Django loads its rows before it deletes them. It
does so even for the table that it creates for a many-to-many field, for which it sends no signals.
Of the log's own tables nothing is recorded. The recorder's receivers accept every sender, so they
are not counted for these tables.
"""

from django.db.models import Model, signals
from django.db.models.deletion import Collector

from signals_demo.serialize.model_info import OWN_LABELS
from signals_demo.tracing.patches import Function, Patch


def _others_listen(model: type[Model]) -> bool:
    """Return whether a receiver that is not ours listens to this model's deletes."""
    return any(
        sender in (id(None), id(model)) and not str(uid).startswith("signals_demo.")
        for signal in (signals.pre_delete, signals.post_delete)
        for (uid, sender), *_rest in signal.receivers
    )


def _wrap(original: Function) -> Function:
    def has_signal_listeners(self: Collector, model: type[Model]) -> bool:
        if model._meta.auto_created or model._meta.label in OWN_LABELS:
            return _others_listen(model)
        return bool(original(self, model))

    return has_signal_listeners


_patch = Patch(Collector, "_has_signal_listeners", _wrap)
install = _patch.install
uninstall = _patch.uninstall
