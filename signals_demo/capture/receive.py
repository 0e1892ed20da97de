"""The receivers: where a firing comes in, with the frame and the configuration it is handled with.

A receiver belongs to one configuration: another setting connects others in their place.
"""

import sys
from collections.abc import Callable
from typing import Any

from django.db.models.base import Model, ModelBase

from signals_demo.capture.call_sites import sending_frame
from signals_demo.capture.firing import Firing, record_alone
from signals_demo.capture.init_signals import SHORT_CUTS
from signals_demo.capture.model_signals import MODEL_SIGNALS, TRACKING, note_changes, tracked
from signals_demo.capture.other_signals import HANDLERS
from signals_demo.capture.pairs import current_scope
from signals_demo.capture.recorder import record
from signals_demo.capture.request_signals import followed
from signals_demo.conf import Config
from signals_demo.faults import fault
from signals_demo.serialize import arguments
from signals_demo.serialize.arguments import Description
from signals_demo.serialize.model_info import OWN_LABELS, info_of
from signals_demo.serialize.names import sender_label
from signals_demo.serialize.text import encode
from signals_demo.tracing.scope import IGNORED, silent
from signals_demo.tracing.test_runs import IS_TEST_RUN, TEST_TOOLS, listening

Receiver = Callable[..., None]
_modules = sys.modules
_MODELS = (ModelBase, Model)  # a class, or an instance of one


def model_receiver(name: str, config: Config, on_unwanted: Callable[[], object]) -> Receiver:
    """Return the receiver of a model signal, a method for an owner that decides how long it lives.

    Runs on the project's threads, and raises nothing unless `STRICT` is set. Calls `on_unwanted`
    at each firing that a test run does not want.
    """
    record_it = MODEL_SIGNALS[name] if config.wants(name) else None
    track = TRACKING[name] if name in tracked(config) else None
    usual = record_it or track
    # What such a request loads it hardly ever keeps; what it saves may be of all.
    track_in_ignored = None if name == "post_init" else track

    def receive(owner: object, sender: Any, **named: Any) -> None:
        handle = usual
        if quiet := silent.get():
            handle = track if quiet < IGNORED else track_in_ignored
        elif (IS_TEST_RUN or TEST_TOOLS in _modules) and not listening():
            on_unwanted()
            handle = track
        if handle is None:
            return
        try:
            if type(sender) is not ModelBase and not issubclass(type(sender), ModelBase):
                # Sent by hand.
                if handle is record_it:
                    frame = sys._getframe(1)
                    record_alone(Firing(name, sender, named, arguments.any_signal, config, frame))
                return
            info = info_of(sender, config)
            if not info.ignored:
                handle(info, named, sending_frame(sys._getframe(2)))
        except Exception:  # noqa: BLE001 - the project must not notice; `fault` logs
            if handle is record_it:
                _record_undescribed(name, sender)
            else:
                fault(name)

    shorten = SHORT_CUTS.get(name)
    return receive if shorten is None or record_it is None else shorten(receive, config)


def first_receiver(config: Config) -> Receiver:
    """Return a method that notes what a save has changed, before all other receivers."""

    def receive(owner: object, sender: Any, **named: Any) -> None:
        if silent.get() or not listening() or not issubclass(type(sender), ModelBase):
            return
        try:
            info = info_of(sender, config)
            if not info.ignored:
                note_changes(info, named, sending_frame(sys._getframe(2)))
        except Exception:  # noqa: BLE001 - the project must not notice; `fault` logs
            fault("post_save")

    return receive


def general_receiver(name: str, config: Config, on_unwanted: Callable[[], object]) -> Receiver:
    """Return the receiver of a signal that is not about a model's instances."""
    describer = arguments.OTHERS.get(name, arguments.any_signal)
    handle = HANDLERS.get(name, record_alone)
    is_followed = name in followed(config)

    def receive(sender: Any, **named: Any) -> None:
        if silent.get() and not is_followed:
            return
        if not listening():
            on_unwanted()
            return
        try:
            named.pop("signal", None)
            if not (issubclass(type(sender), _MODELS) and sender_label(sender) in OWN_LABELS):
                handle(Firing(name, sender, named, describer, config, sys._getframe(1)))
        except Exception:  # noqa: BLE001 - the project must not notice; `fault` logs
            _record_undescribed(name, sender)

    return receive


def _record_undescribed(name: str, sender: Any) -> None:
    """Record that a signal fired, where describing it failed: every firing is accounted for."""
    fault(name)
    try:
        scope = current_scope()
        about = Description(sender_label(sender), encode({"...": "not described"}))
        record(name, scope.trace, about, scope.depth)
    except Exception:  # noqa: BLE001 - as above
        fault(f"{name} without its arguments")
