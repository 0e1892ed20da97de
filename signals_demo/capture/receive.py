"""The receivers: where a firing comes in, with the frame and the configuration it is handled with.

A receiver belongs to one configuration: another setting connects others in their place.
"""

import sys
from collections.abc import Callable
from typing import Any

from django.db.models.base import ModelBase

from signals_demo.capture.call_sites import sending_frame
from signals_demo.capture.firing import Firing, record_alone
from signals_demo.capture.model_signals import MODEL_SIGNALS, REMEMBERING
from signals_demo.capture.other_signals import HANDLERS
from signals_demo.capture.recorder import current_scope, record
from signals_demo.capture.request_signals import EDGES
from signals_demo.conf import Config
from signals_demo.faults import fault
from signals_demo.serialize import arguments
from signals_demo.serialize.arguments import Description
from signals_demo.serialize.model_info import OWN_LABELS, info_of
from signals_demo.serialize.names import sender_label
from signals_demo.serialize.text import encode
from signals_demo.tracing import ignored
from signals_demo.tracing.scope import silent
from signals_demo.tracing.test_runs import listening

Receiver = Callable[..., None]


def model_receiver(name: str, config: Config, on_unwanted: Callable[[], object]) -> Receiver:
    """Return the receiver of a model signal, a method for an owner that decides how long it lives.

    Runs on the project's threads, and raises nothing unless `STRICT` is set. Calls `on_unwanted`
    at each firing that a test run does not want.
    """
    record_it = MODEL_SIGNALS[name]
    remember = REMEMBERING.get(name) if config.changes else None

    def receive(owner: object, sender: Any, **named: Any) -> None:
        if silent.get():
            return
        handle = record_it
        if not listening():
            on_unwanted()
            if remember is None:
                return
            handle = remember
        try:
            if not issubclass(type(sender), ModelBase):  # sent by hand
                if handle is record_it:
                    frame = sys._getframe(1)
                    record_alone(Firing(name, sender, named, arguments.any_signal, config, frame))
                return
            info = info_of(sender, config)
            if not info.ignored:
                handle(info, named, sending_frame(sys._getframe(2)))
        except Exception:  # noqa: BLE001 - the project must not notice; `fault` logs
            _record_undescribed(name, sender)

    return receive


def general_receiver(name: str, config: Config, on_unwanted: Callable[[], object]) -> Receiver:
    """Return the receiver of a signal that is not about a model's instances."""
    describer = arguments.OTHERS.get(name, arguments.any_signal)
    handle = HANDLERS.get(name, record_alone)
    is_edge = name in EDGES

    def receive(sender: Any, **named: Any) -> None:
        if silent.get() and not (is_edge and ignored.is_here()):
            return
        if not listening():
            on_unwanted()
            return
        try:
            named.pop("signal", None)
            if sender_label(sender) not in OWN_LABELS:
                handle(Firing(name, sender, named, describer, config, sys._getframe(1)))
        except Exception:  # noqa: BLE001 - the project must not notice; `fault` logs
            _record_undescribed(name, sender)

    return receive


def _record_undescribed(name: str, sender: Any) -> None:
    """Record that a signal fired, where describing it failed: every firing is accounted for."""
    fault(name)
    try:
        scope = current_scope()
        about = Description(sender_label(sender), encode({"…": "not described"}))
        record(name, scope.trace, about, scope.depth)
    except Exception:  # noqa: BLE001 - as above
        fault(f"{name} without its arguments")
