"""Connects the receivers of signals, and disconnects them.

A model or a signal that is excluded has no receiver connected: nothing is paid for it.
"""

import logging
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from types import MethodType
from typing import Any
from weakref import WeakSet

from django.apps import apps
from django.core.signals import setting_changed
from django.db.models import Model
from django.db.models.base import ModelBase
from django.db.models.signals import class_prepared
from django.dispatch import Signal
from django.utils.module_loading import import_string

from signals_demo import catalog
from signals_demo.capture import fast_delete
from signals_demo.capture.model_signals import (
    IDLE_SIGNALS,
    MODEL_SIGNALS,
    SPECIAL,
    in_poll,
    on_single,
)
from signals_demo.capture.recorder import here, record
from signals_demo.catalog import receiver_list
from signals_demo.catalog.receiver_list import Entry, Hidden, hide, show
from signals_demo.catalog.types import Family
from signals_demo.conf import SETTING, config
from signals_demo.delivery.taps import listening
from signals_demo.faults import fault
from signals_demo.serialize import arguments
from signals_demo.serialize.arguments import Description
from signals_demo.serialize.model_info import OWN_LABELS, info_of
from signals_demo.serialize.names import sender_label
from signals_demo.serialize.text import encode
from signals_demo.tracing import async_receivers, transactions
from signals_demo.tracing.scope import silent

logger = logging.getLogger("signals_demo")

Receiver = Callable[..., None]


class _Owner:
    """Whom receivers of model signals belong to: they live as long as it does."""


_everyone = _Owner()


def _model_receiver(name: str) -> Receiver:
    handle_wanted = MODEL_SIGNALS[name]

    def receive(owner: _Owner, sender: Any, **named: Any) -> None:
        if silent.get():
            return
        handle = handle_wanted
        if _resting or ("django.test.utils" in sys.modules and not listening()):
            rest()
            if name not in _awake:
                return
            handle = IDLE_SIGNALS[name]
        try:
            if not issubclass(type(sender), ModelBase):  # sent by hand
                on_single(name, arguments.any_signal, sender, named)
                return
            info = info_of(sender)
            if not info.ignored:
                handle(info, named)
        except Exception:  # noqa: BLE001 - the host must not notice; `fault` logs
            _undescribed(name, sender)

    return receive


_MODEL_RECEIVERS = {name: _model_receiver(name) for name in MODEL_SIGNALS}


def _general_receiver(name: str) -> Receiver:
    describer = arguments.OTHERS.get(name, arguments.any_signal)
    handle = SPECIAL.get(name, on_single)

    may_end_poll = name in ("request_started", "request_finished")

    def receive(sender: Any, **named: Any) -> None:
        if silent.get() and not (may_end_poll and in_poll()):
            return
        if not listening():
            rest()
            return
        try:
            named.pop("signal", None)
            if sender_label(sender) not in OWN_LABELS:
                handle(name, describer, sender, named)
        except Exception:  # noqa: BLE001 - the host must not notice; `fault` logs
            _undescribed(name, sender)

    return receive


def _undescribed(name: str, sender: Any) -> None:
    """Record that a signal fired, where describing it failed: every firing is accounted for."""
    fault(name)
    try:
        scope = here()
        label = sender_label(sender)
        about = Description(label, encode({"…": "not described"}))
        record(name, scope.trace, about, scope.depth)
    except Exception:  # noqa: BLE001 - as above
        fault(f"{name} without its arguments")


_UID = "signals_demo.{}".format
_OWNER = "_signals_demo_owner"
_connected: dict[str, Signal] = {}
# Where in the order of receivers ours were: another setting must not put them behind the others'.
_places: dict[str, list[Entry]] = {}
_chosen: WeakSet[type[Model]] = WeakSet()


def _connect(signal: Signal, name: str) -> None:
    """Listen to a signal, whoever sends it."""
    model_receiver = _MODEL_RECEIVERS.get(name)
    receive = MethodType(model_receiver, _everyone) if model_receiver else _general_receiver(name)
    signal.connect(receive, weak=False, dispatch_uid=_UID(name))
    _connected[_UID(name)] = signal
    if name in _places:
        receiver_list.move(signal, _UID(name), _places[name])


def _choose(model: type[Model]) -> None:
    """Listen to one model, if it is wanted, for as long as its class lives.

    Migrations make and drop thousands of classes. The receivers belong to the class's options
    and go with them; a strong reference from the signal would keep them all.
    """
    if model in _chosen or model._meta.label in OWN_LABELS or not wanted(model):
        return
    owner = model._meta.__dict__[_OWNER] = _Owner()
    for name, signal in _model_signals():
        receive = MethodType(_MODEL_RECEIVERS[name], owner)
        signal.connect(receive, sender=model, dispatch_uid=_UID(name))
    _chosen.add(model)


def _choose_later(sender: type[Model], **kwargs: object) -> None:
    """Choose a model that is made after the others (receiver of `class_prepared`)."""
    try:
        _choose(sender)
    except Exception:  # noqa: BLE001 - the host must not notice; `fault` logs
        fault("class_prepared")


def _model_signals() -> list[tuple[str, Signal]]:
    return [
        (name, builtin.load())
        for name, builtin in catalog.built_in().items()
        if name in MODEL_SIGNALS and config().wants(name)
    ]


def wanted(model: type[Model]) -> bool:
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


def begin(behind: Mapping[str, list[Entry]] | None = None) -> None:
    """Connect everything, each behind what is given, and follow changes of the setting."""
    _places.update(behind or {})
    connect()
    setting_changed.connect(reconnect, dispatch_uid="signals_demo.capture.connect")


def connect() -> None:
    """Connect everything that the configuration asks for. Calling it again changes nothing."""
    wake()
    if not config().enabled:
        return
    transactions.install()
    async_receivers.install()
    fast_delete.install()
    one_by_one = config().include_models is not None or config().exclude_models
    for name, builtin in catalog.built_in().items():
        left_for_later = builtin.family == Family.TEST or (one_by_one and name in MODEL_SIGNALS)
        if config().wants(name) and not left_for_later:
            _connect(builtin.load(), name)
    connect_test_signals()
    if one_by_one and _model_signals():
        class_prepared.connect(_choose_later, dispatch_uid=_UID("models"))
        for model in apps.get_models(include_auto_created=True, include_swapped=True):
            _choose(model)
    for path in config().extra_signals:
        try:
            signal = import_string(path)
        except Exception as error:  # noqa: BLE001 - the module is the host's; `check` says it too
            logger.error("SIGNALS_DEMO['EXTRA_SIGNALS']: %r cannot be imported: %s", path, error)
            continue
        if not isinstance(signal, Signal):
            logger.error("SIGNALS_DEMO['EXTRA_SIGNALS']: %r is not a Signal.", path)
        # One signal may have two paths; connecting it twice would record it twice.
        elif signal not in _connected.values() and not _is_built_in(signal):
            _connect(signal, path)


def _is_built_in(signal: Signal) -> bool:
    return any(signal is each.load() for each in catalog.built_in().values() if each.is_loaded)


def connect_test_signals() -> None:
    """Connect the signals of Django's test tools, unless nobody has loaded these.

    A site at work does not: they take it 3 MB, and longer to import than all of this app.
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
    """Take every receiver away again."""
    wake()
    for uid, signal in _connected.items():
        _places[uid.removeprefix(_UID(""))] = receiver_list.before(signal, uid)
        signal.disconnect(dispatch_uid=uid)
    _connected.clear()
    class_prepared.disconnect(dispatch_uid=_UID("models"))
    signals = [(name, catalog.built_in()[name].load()) for name in MODEL_SIGNALS]
    for model in list(_chosen):
        for name, signal in signals:
            signal.disconnect(sender=model, dispatch_uid=_UID(name))
        model._meta.__dict__.pop(_OWNER, None)
    _chosen.clear()
    transactions.uninstall()
    async_receivers.uninstall()
    fast_delete.uninstall()


# While tests run that neither store nor capture, the receivers are out of the way: Django takes
# longer to call one than that takes to see that it is not wanted.
_resting: list[tuple[Signal, list[Hidden]]] = []
_rest_lock = threading.RLock()


# Those that stay nevertheless, to know what instances are loaded and saved with.
_awake: frozenset[str] = frozenset()
_keeps_values = False


def keep_values() -> None:
    """Know old values also of the instances that are made while nothing is captured."""
    global _keeps_values
    _keeps_values = True
    wake()


class _Guard:
    """Lives as long as the test environment."""


def rest() -> None:
    """Take the receivers out until `wake()`, which puts them back in their places."""
    global _awake
    with _rest_lock:
        if _resting or listening():
            return
        guard = _Guard()
        weakref.finalize(guard, wake).atexit = False
        sys.modules["django.test.utils"]._TestState.saved_data.signals_demo = guard
        ours = _connected | {_UID(name): catalog.built_in()[name].load() for name in MODEL_SIGNALS}
        _awake = frozenset(IDLE_SIGNALS if _keeps_values and config().changes else ())
        for name in _awake:
            del ours[_UID(name)]
        _resting.extend((signal, hide(signal, _has_uid(uid))) for uid, signal in ours.items())


def _has_uid(uid: str) -> Callable[[Entry], bool]:
    return lambda entry: bool(entry[0][0] == uid)


def wake() -> None:
    """Put the receivers back that rest."""
    with _rest_lock:
        while _resting:
            show(*_resting.pop())


def reconnect(*, setting: str, **kwargs: object) -> None:
    """Follow a change of the setting (receiver of `setting_changed`)."""
    if setting == SETTING:
        disconnect()
        connect()
