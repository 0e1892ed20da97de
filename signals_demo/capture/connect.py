"""Connects the receivers to their signals, and disconnects them.

A model or a signal that is excluded has no receiver connected: nothing is paid for it.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from types import MethodType
from typing import Any
from weakref import WeakSet

from django.apps import apps
from django.core.signals import setting_changed
from django.db.models import Model
from django.db.models.signals import class_prepared, post_save
from django.dispatch import Signal
from django.utils.module_loading import import_string

from signals_demo import catalog
from signals_demo.capture import awaited, bulk_writes, celery, fast_delete
from signals_demo.capture.model_signals import MODEL_SIGNALS, tracked
from signals_demo.capture.receive import (
    Receiver,
    first_receiver,
    general_receiver,
    model_receiver,
)
from signals_demo.capture.request_signals import followed
from signals_demo.catalog import receiver_list
from signals_demo.catalog.receiver_list import Entry, TakenOut
from signals_demo.catalog.types import Family
from signals_demo.conf import SETTING, config
from signals_demo.delivery import test_databases
from signals_demo.faults import fault
from signals_demo.serialize.model_info import OWN_LABELS
from signals_demo.tracing import async_receivers, levels, test_runs, transactions

logger = logging.getLogger("signals_demo")


class _Owner:
    """What the receivers of model signals are methods of: they live as long as it does."""


_every_sender = _Owner()
_UID = "signals_demo.{}".format
_FIRST = _UID("post_save.first")
_OWNER = "_signals_demo_owner"
_connected: dict[str, Signal] = {}
# What was connected before ours: with another setting ours must not come after others' receivers.
_entries_before: dict[str, list[Entry]] = {}
_model_receivers: dict[str, Receiver] = {}
_connected_models: WeakSet[type[Model]] = WeakSet()


def _model_receiver(name: str) -> Receiver:
    if name not in _model_receivers:
        _model_receivers[name] = model_receiver(name, config(), _follow_once)
    return _model_receivers[name]


def _connect(signal: Signal, name: str) -> None:
    """Connect a receiver to a signal, for every sender."""
    if name in MODEL_SIGNALS:
        receive: Receiver = MethodType(_model_receiver(name), _every_sender)
    else:
        receive = general_receiver(name, config(), _follow_once)
    signal.connect(receive, weak=False, dispatch_uid=_UID(name))
    _connected[_UID(name)] = signal
    if name in _entries_before:
        receiver_list.move_after(signal, _UID(name), _entries_before[name])
    if name == "post_save":
        _connect_first(signal, _every_sender)


def _connect_first(signal: Signal, owner: _Owner, sender: type[Model] | None = None) -> None:
    """Connect a receiver of `post_save` before all others, if others come before ours.

    They may change the instance: then ours could not tell what the save has written.
    """
    others = receiver_list.others_before(signal, _UID("post_save"), sender)
    if not (others and config().changes and config().wants("post_save")):
        return
    if _FIRST not in _model_receivers:
        _model_receivers[_FIRST] = first_receiver(config())
    receive = MethodType(_model_receivers[_FIRST], owner)
    signal.connect(receive, sender=sender, weak=sender is not None, dispatch_uid=_FIRST)
    receiver_list.move_after(signal, _FIRST, [], sender)
    if sender is None:
        _connected[_FIRST] = signal


def _connect_model(model: type[Model]) -> None:
    """Connect receivers for one model, if it is wanted, for as long as its class lives.

    Migrations make and drop thousands of classes. The receivers belong to the class's options
    and go with them; a strong reference from the signal would keep them all.
    """
    if model in _connected_models or model._meta.label in OWN_LABELS or not wants_model(model):
        return
    owner = model._meta.__dict__[_OWNER] = _Owner()
    for name, signal in _model_signals():
        receive = MethodType(_model_receiver(name), owner)
        signal.connect(receive, sender=model, dispatch_uid=_UID(name))
        if name == "post_save":
            _connect_first(signal, owner, model)
    _connected_models.add(model)


def _connect_later_model(sender: type[Model], **kwargs: object) -> None:
    """Connect receivers for a model that is made later (receiver of `class_prepared`)."""
    try:
        _connect_model(sender)
    except Exception:  # noqa: BLE001 - the project must not notice; `fault` logs
        fault("class_prepared")


def _model_signals() -> list[tuple[str, Signal]]:
    needed = tracked(config())
    return [
        (name, builtin.load())
        for name, builtin in catalog.built_in().items()
        if name in MODEL_SIGNALS and (config().wants(name) or name in needed)
    ]


def wants_model(model: type[Model]) -> bool:
    """Return whether INCLUDE_MODELS and EXCLUDE_MODELS let a model's signals be recorded.

    A many-to-many table that Django made goes with the model that declares the field.
    """
    owner: Any = model._meta.auto_created or model
    labels = set()
    for opts in (model._meta, owner._meta):
        labels |= {opts.label_lower, f"{opts.app_label}.*".lower()}
    include, exclude = config().include_models, config().exclude_models
    return (include is None or not labels.isdisjoint(map(str.lower, include))) and (
        labels.isdisjoint(map(str.lower, exclude))
    )


def start(before: Mapping[str, list[Entry]] | None = None) -> None:
    """Connect everything, each after what is given, and follow changes of the setting."""
    _entries_before.update(before or {})
    connect()
    follow_test_run()
    setting_changed.connect(reconnect, dispatch_uid="signals_demo.capture.connect")


def connect() -> None:
    """Connect everything that the configuration asks for. Calling it again changes nothing."""
    _put_back()
    if not config().enabled:
        transactions.note_gap()
        return
    transactions.install()
    levels.look_for_schemas()
    async_receivers.install()
    if config().call_sites:
        awaited.install()
    fast_delete.install()
    test_databases.install()
    celery.follow()
    if tracked(config()):
        bulk_writes.install(wants_model)
    one_by_one = config().include_models is not None or config().exclude_models
    needed = tracked(config()) | followed(config())
    for name, builtin in catalog.built_in().items():
        left_for_later = builtin.family == Family.TEST or (one_by_one and name in MODEL_SIGNALS)
        if (config().wants(name) or name in needed) and not left_for_later:
            _connect(builtin.load(), name)
    connect_test_signals()
    if one_by_one and _model_signals():
        class_prepared.connect(_connect_later_model, dispatch_uid=_UID("models"))
        for model in apps.get_models(include_auto_created=True, include_swapped=True):
            _connect_model(model)
    for path in config().extra_signals:
        try:
            signal = import_string(path)
        except Exception as error:  # noqa: BLE001 - the project's module; `check` reports it too
            logger.error("SIGNALS_DEMO['EXTRA_SIGNALS']: %r cannot be imported: %s", path, error)
            continue
        if not isinstance(signal, Signal):
            logger.error("SIGNALS_DEMO['EXTRA_SIGNALS']: %r is no django.dispatch.Signal.", path)
        # One signal may have two paths; connecting it twice would record it twice.
        elif signal not in _connected.values() and not _is_built_in(signal):
            _connect(signal, path)


def _is_built_in(signal: Signal) -> bool:
    return any(signal is each.load() for each in catalog.built_in().values() if each.is_loaded)


def connect_test_signals() -> None:
    """Connect the signals of Django's test tools, if these are loaded.

    A site at work does not load them: they take 3 MB, and longer to import than all of this app.
    """
    for name, builtin in catalog.built_in().items():
        wanted_here = config().enabled and config().wants(name) and _UID(name) not in _connected
        is_there = builtin.is_loaded or config().record_tests
        if builtin.family == Family.TEST and wanted_here and is_there:
            _connect(builtin.load(), name)


def connect_early() -> None:
    """Connect `class_prepared` alone: it fires before any `AppConfig.ready()` runs."""
    if config().enabled and config().wants("class_prepared"):
        _connect(class_prepared, "class_prepared")


def disconnect() -> None:
    """Disconnect every receiver."""
    _put_back()
    for uid, signal in _connected.items():
        _entries_before[uid.removeprefix(_UID(""))] = receiver_list.entries_before(signal, uid)
        signal.disconnect(dispatch_uid=uid)
    _connected.clear()
    _model_receivers.clear()
    class_prepared.disconnect(dispatch_uid=_UID("models"))
    signals = [(name, catalog.built_in()[name].load()) for name in MODEL_SIGNALS]
    for model in list(_connected_models):
        for name, signal in signals:
            signal.disconnect(sender=model, dispatch_uid=_UID(name))
            signal.disconnect(sender=model, dispatch_uid=_FIRST)
        model._meta.__dict__.pop(_OWNER, None)
    _connected_models.clear()
    # In reverse order: what was wrapped twice is unwrapped the other way round.
    bulk_writes.uninstall()
    celery.leave()
    test_databases.uninstall()
    fast_delete.uninstall()
    awaited.uninstall()
    async_receivers.uninstall()
    transactions.uninstall()


# In a test run that wants no events at the time, receivers are taken out of their signals: Django
# makes other queries where a signal has any, and the tests of the project count them.
_taken_out: list[tuple[Signal, list[TakenOut]]] = []
_are_taken_out = False
_keeps_values = False
_lock = threading.RLock()


def keep_values() -> None:
    """Keep old values from now on, also of instances that are loaded while nothing is wanted."""
    global _keeps_values
    with _lock:
        _keeps_values = True
        _put_back()
        follow_test_run()


def follow_test_run() -> None:
    """Put the receivers into their signals if events are wanted, and take them out if not."""
    with _lock:
        if test_runs.listening():
            _put_back()
        elif not _are_taken_out:
            _take_out()
            test_runs.after_test_environment(follow_test_run)


def _follow_once() -> None:
    """Take the receivers out, where one of them sees that no events are wanted."""
    if not _are_taken_out:
        follow_test_run()


def _put_back() -> None:
    global _are_taken_out
    while _taken_out:
        receiver_list.put_back(*_taken_out.pop())
    _are_taken_out = False


def _take_out() -> None:
    global _are_taken_out
    ours = _connected | {_UID(name): signal for name, signal in _model_signals()}
    ours[_FIRST] = post_save
    for name in tracked(config()) if _keeps_values else ():
        ours.pop(_UID(name), None)
    for uid, signal in ours.items():
        _taken_out.append((signal, receiver_list.take_out(signal, _has_uid(uid))))
    _are_taken_out = True


def _has_uid(uid: str) -> Callable[[Entry], bool]:
    return lambda entry: bool(entry[0][0] == uid)


def reconnect(*, setting: str, **kwargs: object) -> None:
    """Follow a change of the setting (receiver of `setting_changed`)."""
    if setting == SETTING:
        disconnect()
        connect()
        follow_test_run()
