"""Keep what rows hold after `bulk_create()` and `bulk_update()`, which send no signal.

Without this the next `save()` of such an instance would show old values that the row did not hold.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Model, QuerySet

from signals_demo.capture.model_signals import tracked
from signals_demo.conf import config
from signals_demo.faults import fault
from signals_demo.serialize import loaded
from signals_demo.serialize.model_info import info_of
from signals_demo.tracing.levels import connection_to, outcome_on
from signals_demo.tracing.patches import Function, Patch

_wants: list[Callable[[type[Model]], bool]] = []


def _keep(model: type[Model], objs: Iterable[Any], alias: Any, fields: Any = None) -> None:
    now = config()
    if not tracked(now) or not all(wants(model) for wants in _wants):
        return
    info = info_of(model, now)
    written = None if fields is None else loaded.indexes(info, fields)
    for each in objs:
        if type(each) is model:
            using = alias or each._state.__dict__.get("db") or ""
            outcome = outcome_on(connection_to(using))
            before = loaded.known(info, each, outcome)
            loaded.keep(info, each, loaded.saved(info, each), written, outcome, before)


def _wrap_create(original: Function) -> Function:
    def bulk_create(self: "QuerySet[Any]", *args: Any, **kwargs: Any) -> Any:
        made = original(self, *args, **kwargs)
        # Of rows that were there already nobody knows what they hold.
        options = kwargs.get("ignore_conflicts"), kwargs.get("update_conflicts"), *args[2:]
        if not any(options):
            try:
                _keep(self.model, made, None)
            except Exception:  # noqa: BLE001 - the project must not notice; `fault` logs
                fault("bulk_create")
        return made

    return bulk_create


def _wrap_update(original: Function) -> Function:
    def bulk_update(self: "QuerySet[Any]", objs: Any, fields: Any, *args: Any, **kw: Any) -> Any:
        objs, fields = tuple(objs), tuple(fields)
        result = original(self, objs, fields, *args, **kw)
        try:
            _keep(self.model, objs, self.__dict__.get("_db"), fields)
        except Exception:  # noqa: BLE001 - as above
            fault("bulk_update")
        return result

    return bulk_update


_patches = [
    Patch(QuerySet, "bulk_create", _wrap_create),
    Patch(QuerySet, "bulk_update", _wrap_update),
]


def install(wants: Callable[[type[Model]], bool]) -> None:
    """Begin to follow bulk writes of the models that `wants` is true for."""
    _wants[:] = [wants]
    for patch in _patches:
        patch.install()


def uninstall() -> None:
    """Stop following bulk writes."""
    for patch in _patches:
        patch.uninstall()
