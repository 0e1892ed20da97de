"""Receives the signals, and connects what receives them.

A model or a signal that is excluded has no receiver connected: nothing is paid for it.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user
from django.core.handlers.base import BaseHandler
from django.core.management.sql import emit_pre_migrate_signal
from django.db.models import Model
from django.dispatch import Signal
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from signals_demo import catalog, changes, describe, origins, transactions
from signals_demo.callsites import Site, call_site, find_frame, sending_frame
from signals_demo.conf import SETTING, config
from signals_demo.describe import Describer, Description, Named
from signals_demo.modelinfo import OWN_LABEL, ModelInfo, info_of
from signals_demo.recorder import (
    close,
    enter,
    fault,
    folded,
    here,
    opened,
    record,
    record_init,
)
from signals_demo.traces import SCOPE_KEY, Scope, Trace, actor_of, current, silent
from signals_demo.transactions import COMMITTED, Fate
from signals_demo.writer import writer

logger = logging.getLogger("signals_demo")

Receiver = Callable[..., None]

_GET_USER = get_user.__code__
_CLOSE = HttpResponseBase.close.__code__
_GET_RESPONSE = BaseHandler.get_response.__code__
_EMIT_PRE_MIGRATE = emit_pre_migrate_signal.__code__

_DONE = Fate()
_DONE.settle(COMMITTED)


def _site(frame: Any) -> Site | None:
    return call_site(frame) if config().call_sites else None


# Model signals. Each pair is sent by one function of the ORM, whose frame is the pair's key.


def on_pre_init(info: ModelInfo, named: Named) -> None:
    frame = sending_frame(sys._getframe(2))
    scope = here(frame)
    key = ("pre_init", info.label, _site(frame))
    if folded(scope.trace, key):
        return
    about = describe.pre_init(info, named)
    record_init(scope.trace, key, about, scope.depth, None)
    if frame is not None:
        enter(scope, frame, key[2])


def on_post_init(info: ModelInfo, named: Named) -> None:
    if config().changes:
        changes.remember(info, named["instance"])
    frame = sending_frame(sys._getframe(2))
    scope = here(frame)
    pair = opened(scope, frame)
    if pair is None:
        depth, site, duration = scope.depth, _site(frame), None
    else:
        depth, site, duration = pair.depth - 1, pair.site, close(pair)
    if info.is_user and scope.trace.origin == "request" and scope.trace.request is None:
        _find_request(scope.trace)
    key = ("post_init", info.label, site)
    if not folded(scope.trace, key):
        record_init(scope.trace, key, describe.post_init(info, named), depth, duration)


def _find_request(trace: Trace) -> None:
    """Learn of the request from Django, which is loading its user just now."""
    caller = find_frame(sys._getframe(3), _GET_USER)
    if caller is not None:
        trace.request = caller.f_locals.get("request")


def on_pre_save(info: ModelInfo, named: Named) -> None:
    frame = sending_frame(sys._getframe(2))
    scope = here(frame)
    about = describe.save(info, named)
    # A fate of its own: one save may fail while its transaction goes on.
    fate = Fate(transactions.fate_on(about.database))
    site = _site(frame)
    record("pre_save", scope.trace, about, scope.depth, site=site, fate=fate)
    if frame is not None:
        pair = enter(scope, frame, site, fate)
        # Only made, not loaded: if it overwrites a row, what that held is unknown.
        pair.knows_row = not named["instance"]._state.adding


def on_post_save(info: ModelInfo, named: Named) -> None:
    frame = sending_frame(sys._getframe(2))
    scope = here(frame)
    about = describe.save(info, named)
    fate = transactions.fate_on(about.database)
    pair = opened(scope, frame)
    changed = None
    if config().changes:
        changed = changes.of_save(
            info,
            named["instance"],
            created=about.arguments.get("created", False),
            update_fields=named.get("update_fields"),
            known=pair is None or pair.knows_row,
        )
    depth, site, duration = scope.depth, None, None
    if pair is None:
        site = _site(frame)
    else:
        if pair.fate is not None:
            pair.fate.release() if fate else pair.fate.settle(COMMITTED)
        depth, site, duration = pair.depth - 1, pair.site, close(pair)
    record(
        "post_save", scope.trace, about, depth,
        site=site, duration=duration, fate=fate or _DONE, changes=changed,
    )  # fmt: skip


def on_pre_delete(info: ModelInfo, named: Named) -> None:
    frame = sending_frame(sys._getframe(2))
    scope = here(frame)
    about = describe.delete(info, named)
    # One delete() sends all its pre_delete before its first post_delete: they are siblings.
    group = scope if frame and scope.key is frame else enter(scope, frame, _site(frame))
    fate = transactions.fate_on(about.database) or _DONE
    record("pre_delete", scope.trace, about, group.depth - 1, site=group.site, fate=fate)
    group.starts = group.starts or {}
    group.starts[id(named["instance"])] = time.perf_counter_ns()


def on_post_delete(info: ModelInfo, named: Named) -> None:
    frame = sending_frame(sys._getframe(2))
    scope = here(frame)
    about = describe.delete(info, named)
    changed = changes.of_delete(info, named["instance"]) if config().changes else None
    fate = transactions.fate_on(about.database) or _DONE
    group = opened(scope, frame)
    depth, site, duration = scope.depth, None, None
    if group is None:
        site = _site(frame)
    else:
        depth, site = group.depth - 1, group.site
        duration = _end_member(group, id(named["instance"]))
    record(
        "post_delete", scope.trace, about, depth,
        site=site, duration=duration, fate=fate, changes=changed,
    )  # fmt: skip


def _end_member(group: Scope, member: object) -> int | None:
    """Note the end of one member of a group, and close the group after its last one."""
    starts = group.starts or {}
    started = starts.pop(member, None)
    if not starts:
        close(group)
    return None if started is None else time.perf_counter_ns() - started


def on_m2m_changed(info: ModelInfo, named: Named) -> None:
    frame = sending_frame(sys._getframe(2))
    scope = here(frame)
    about = describe.m2m_changed(info, named)
    fate = transactions.fate_on(about.database) or _DONE
    if str(named.get("action")).startswith("pre_"):
        site = _site(frame)
        record("m2m_changed", scope.trace, about, scope.depth, site=site, fate=fate)
        if frame is not None:
            enter(scope, frame, site)
        return
    pair = opened(scope, frame)
    depth, site, duration = scope.depth, None, None
    if pair is None:
        site = _site(frame)
    else:
        depth, site, duration = pair.depth - 1, pair.site, close(pair)
    record(
        "m2m_changed", scope.trace, about, depth, site=site, duration=duration, fate=fate
    )  # fmt: skip


MODEL_SIGNALS: dict[str, Callable[[ModelInfo, Named], None]] = {
    "pre_init": on_pre_init,
    "post_init": on_post_init,
    "pre_save": on_pre_save,
    "post_save": on_post_save,
    "pre_delete": on_pre_delete,
    "post_delete": on_post_delete,
    "m2m_changed": on_m2m_changed,
}


# The other signals. They fire seldom: one function for those that stand alone, and one for each
# pair that opens a trace or spans many functions.


def on_single(name: str, describer: Describer, sender: Any, named: Named) -> None:
    about = describer(sender, named)
    scope = here()
    record(name, scope.trace, about, scope.depth, site=_site(sys._getframe(3)))


def on_auth(name: str, describer: Describer, sender: Any, named: Named) -> None:
    trace = here().trace
    if trace.origin == "request" and trace.request is None:
        trace.request = named.get("request")
    if name != "user_login_failed":
        trace.actor = actor_of(named.get("user")) or trace.actor
    on_single(name, describer, sender, named)


_REQUEST = "request"


def on_request_started(name: str, describer: Describer, sender: Any, named: Named) -> None:
    scope = named.get("scope")
    trace = origins.wsgi_trace(named["environ"]) if scope is None else origins.asgi_trace(scope)
    around = current.get()
    unfinished = opened(around, _REQUEST)
    if unfinished is not None and find_frame(sys._getframe(3), _GET_RESPONSE) is None:
        # Its server never closed the response, and this thread has gone on to the next one.
        close(unfinished)
        around = current.get()
    record(name, trace, describer(sender, named), 0)
    pair = Scope(trace, around, 1, _REQUEST)
    current.set(pair)
    if scope is not None:
        # Under ASGI a context variable set in a receiver may not reach the view.
        scope[SCOPE_KEY] = pair


def on_request_finished(name: str, describer: Describer, sender: Any, named: Named) -> None:
    pair = opened(current.get(), _REQUEST) or _of_response()
    if pair is None:
        on_single(name, describer, sender, named)
        return
    pair.trace.let_go()
    duration = close(pair)
    record(name, pair.trace, describer(sender, named), 0, duration=duration)
    writer.wake()


def _of_response() -> Scope | None:
    """Return the request of the response that is being closed: the middleware noted it there."""
    frame = find_frame(sys._getframe(4), _CLOSE)
    response = frame.f_locals.get("self") if frame else None
    return getattr(response, "__dict__", {}).get(SCOPE_KEY)


def on_request_exception(name: str, describer: Describer, sender: Any, named: Named) -> None:
    request = named.get("request")
    scope = here()
    if scope.trace.origin != "request":
        # Under ASGI the exception may arrive in a thread that knows nothing of the request.
        scope = getattr(request, "__dict__", {}).get("scope", {}).get(SCOPE_KEY, scope)
    if scope.trace.origin == "request" and scope.trace.request is None:
        scope.trace.request = request
    record(name, scope.trace, describer(sender, named), scope.depth)


def on_task_started(name: str, describer: Describer, sender: Any, named: Named) -> None:
    result = named.get("task_result")
    scope = here()
    key = ("task", getattr(result, "id", ""))
    if scope.trace.origin in ("request", "block", "task", "test"):
        record(name, scope.trace, describer(sender, named), scope.depth)
        enter(scope, key)
        return
    trace = Trace("task", describe.task_name(result))
    record(name, trace, describer(sender, named), 0)
    current.set(Scope(trace, scope, 1, key))


def on_task_finished(name: str, describer: Describer, sender: Any, named: Named) -> None:
    pair = opened(here(), ("task", getattr(named.get("task_result"), "id", "")))
    if pair is None:
        on_single(name, describer, sender, named)
        return
    duration = close(pair)
    record(name, pair.trace, describer(sender, named), pair.depth - 1, duration=duration)
    if pair.trace.origin == "task":
        writer.wake()


def on_pre_migrate(name: str, describer: Describer, sender: Any, named: Named) -> None:
    scope = here()
    frame = find_frame(sys._getframe(3), _EMIT_PRE_MIGRATE, 6)
    # All pre_migrate come before the first post_migrate: they are siblings, as deletes are.
    command = frame.f_back if frame else None
    group = scope if scope.key is command else enter(scope, command)
    record(name, scope.trace, describer(sender, named), group.depth - 1)
    group.starts = group.starts or {}
    group.starts[sender] = time.perf_counter_ns()
    writer.pause()


def on_post_migrate(name: str, describer: Describer, sender: Any, named: Named) -> None:
    group: Scope | None = here()
    while group is not None and not (group.starts and sender in group.starts):
        group = group.parent
    writer.resume()
    if group is None:
        on_single(name, describer, sender, named)
        return
    duration = _end_member(group, sender)
    record(name, group.trace, describer(sender, named), group.depth - 1, duration=duration)


SPECIAL: dict[str, Callable[[str, Describer, Any, Named], None]] = {
    "user_logged_in": on_auth,
    "user_logged_out": on_auth,
    "user_login_failed": on_auth,
    "request_started": on_request_started,
    "request_finished": on_request_finished,
    "got_request_exception": on_request_exception,
    "task_started": on_task_started,
    "task_finished": on_task_finished,
    "pre_migrate": on_pre_migrate,
    "post_migrate": on_post_migrate,
}


# Connecting.


def _receiver(name: str) -> Receiver:
    handle = MODEL_SIGNALS.get(name)
    if handle is None:
        return _general_receiver(name)

    def receive(sender: Any, **named: Any) -> None:
        if silent.get() or not writer.listening():
            return
        try:
            info = info_of(sender)
            if not info.ignored:
                handle(info, named)
        except Exception:  # noqa: BLE001 - the host must not notice; `fault` logs
            _undescribed(name, sender)

    return receive


def _general_receiver(name: str) -> Receiver:
    describer = describe.OTHERS.get(name, describe.any_signal)
    handle = SPECIAL.get(name, on_single)

    def receive(sender: Any, **named: Any) -> None:
        if silent.get() or not writer.listening():
            return
        try:
            named.pop("signal", None)
            if describe.sender_label(sender) != OWN_LABEL:
                handle(name, describer, sender, named)
        except Exception:  # noqa: BLE001 - the host must not notice; `fault` logs
            _undescribed(name, sender)

    return receive


def _undescribed(name: str, sender: Any) -> None:
    """Record that a signal fired, where describing it failed: every firing is accounted for."""
    fault(name)
    try:
        scope = here()
        label = describe.sender_label(sender)
        record(name, scope.trace, Description(label, {"…": "not described"}), scope.depth)
    except Exception:  # noqa: BLE001 - as above
        fault(f"{name} without its arguments")


_connected: list[tuple[Signal, Any, str]] = []


def _connect(signal: Signal, name: str, senders: Iterable[Any]) -> None:
    receive = _receiver(name)
    for sender in senders:
        uid = f"signals_demo.{name}"
        signal.connect(receive, sender=sender, weak=False, dispatch_uid=uid)
        _connected.append((signal, sender, uid))


def wanted(model: type[Model]) -> bool:
    """Return whether INCLUDE_MODELS and EXCLUDE_MODELS let a model's signals be recorded.

    A many-to-many table that Django made goes with the model that declares the field.
    """
    owner = model._meta.auto_created or model
    labels = set()
    for opts in (model._meta, owner._meta):
        labels |= {opts.label_lower, f"{opts.app_label}.*"}
    include, exclude = config().include_models, config().exclude_models
    return (include is None or not labels.isdisjoint(map(str.lower, include))) and (
        labels.isdisjoint(map(str.lower, exclude))
    )


def _senders() -> Iterable[Any]:
    """Return whom to listen to for the model signals: everyone, or each model by itself."""
    if config().include_models is None and not config().exclude_models:
        return (None,)
    models = apps.get_models(include_auto_created=True, include_swapped=True)
    return [model for model in models if wanted(model) and model._meta.label != OWN_LABEL]


def _is_wanted(name: str) -> bool:
    return config().signals is None or name in config().signals


def connect() -> None:
    """Connect everything that the configuration asks for. Calling it again changes nothing."""
    if not config().enabled:
        return
    transactions.install()
    for name, builtin in catalog.built_in().items():
        if _is_wanted(name):
            _connect(builtin.load(), name, _senders() if name in MODEL_SIGNALS else (None,))
    for path in config().extra_signals:
        try:
            signal = import_string(path)
        except ImportError:
            logger.error("SIGNALS_DEMO['EXTRA_SIGNALS']: %r cannot be imported.", path)
            continue
        if isinstance(signal, Signal):
            _connect(signal, path, (None,))


def connect_early() -> None:
    """Connect `class_prepared` alone: it fires before any `AppConfig.ready()` runs."""
    if config().enabled and _is_wanted("class_prepared"):
        _connect(catalog.get("class_prepared").load(), "class_prepared", (None,))


def disconnect() -> None:
    """Take every receiver away again."""
    for signal, sender, uid in _connected:
        signal.disconnect(sender=sender, dispatch_uid=uid)
    _connected.clear()
    transactions.uninstall()


def reconnect(*, setting: str, **kwargs: object) -> None:
    """Follow a change of the setting (receiver of `setting_changed`)."""
    if setting == SETTING:
        disconnect()
        connect()
