"""Receives the signals, and connects what receives them.

A model or a signal that is excluded has no receiver connected: nothing is paid for it.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, MethodType
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from asgiref.sync import SyncToAsync, ThreadSensitiveContext
from django.apps import apps
from django.contrib.auth import get_user
from django.core.handlers.base import BaseHandler
from django.core.management.sql import emit_pre_migrate_signal
from django.db.models import Model, QuerySet
from django.db.models.base import ModelBase
from django.db.models.signals import class_prepared
from django.dispatch import Signal
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from signals_demo import catalog, changes, describe, origins, transactions
from signals_demo.callsites import Site, call_site, find_frame, sending_frame
from signals_demo.conf import SETTING, config
from signals_demo.describe import Describer, Description, Named
from signals_demo.events import Attribution
from signals_demo.faults import fault
from signals_demo.modelinfo import OWN_LABEL, ModelInfo, info_of
from signals_demo.recorder import close, enter, folded, here, opened, record, record_init
from signals_demo.traces import SCOPE_KEY, Scope, Trace, actor_of, current, silent
from signals_demo.transactions import COMMITTED, OPEN, Fate, SaveFate
from signals_demo.writer import writer

logger = logging.getLogger("signals_demo")

Receiver = Callable[..., None]

_GET_USER = get_user.__code__
_CLOSE = HttpResponseBase.close.__code__
_GET_RESPONSE = BaseHandler.get_response.__code__
_EMIT_PRE_MIGRATE = emit_pre_migrate_signal.__code__
_REFRESH = Model.refresh_from_db.__code__
_ITERATE = QuerySet.__iter__.__code__

_DONE = Fate()
_DONE.settle(COMMITTED)
_UNKNOWN = Fate()
_UNKNOWN.settle(OPEN)


def _site(frame: Any) -> Site | None:
    return call_site(frame) if config().call_sites else None


def _end(
    pair: Scope | None, scope: Scope, frame: FrameType | None
) -> tuple[int, Site | None, int | None]:
    """Close a pair, if there is one. Return depth, call site and duration of its last event."""
    if pair is None:
        return scope.depth, _site(frame), None
    return pair.depth - 1, pair.site, close(pair)


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
    frame = sending_frame(sys._getframe(2))
    if config().changes:
        changes.remember(info, named["instance"])
        if (refreshed := _refreshed(frame)) is not None:
            changes.adopt(info, refreshed, named["instance"])
    scope = here(frame)
    depth, site, duration = _end(opened(scope, frame), scope, frame)
    if info.is_user and scope.trace.origin == "request" and scope.trace.request is None:
        _find_request(scope.trace)
    key = ("post_init", info.label, site)
    if not folded(scope.trace, key):
        record_init(scope.trace, key, describe.post_init(info, named), depth, duration)


def _refreshed(frame: FrameType | None) -> Any:
    """Return the instance whose `refresh_from_db()` loads the one that is being made, or None."""
    for _ in range(9):  # the constructor, from_db(), the iterables, get(); and some of the host's
        if frame is None or frame.f_code is _ITERATE:  # a loop over rows
            return None
        if frame.f_code is _REFRESH:
            return frame.f_locals.get("self")
        frame = frame.f_back
    return None


def _find_request(trace: Trace) -> None:
    """Learn of the request from Django, which is loading its user just now."""
    caller = find_frame(sys._getframe(3), _GET_USER)
    if caller is not None:
        trace.learn_of(caller.f_locals.get("request"))


def on_pre_save(info: ModelInfo, named: Named) -> None:
    frame = sending_frame(sys._getframe(2))
    scope = here(frame)
    about = describe.save(info, named)
    fate = transactions.fate_on(about.database)
    site = _site(frame)
    if frame is None:  # sent by hand: no save begins
        record("pre_save", scope.trace, about, scope.depth, site=site, fate=fate)
        return
    pair = enter(scope, frame, site)
    # Only made, not loaded: if it overwrites a row, what that held is unknown.
    pair.knows_row = not named["instance"]._state.adding
    if _is_wanted("post_save"):
        # A fate of its own: one save may fail while its transaction goes on.
        fate = pair.fate = SaveFate(fate, pair)
    record("pre_save", scope.trace, about, scope.depth, site=site, fate=fate or _UNKNOWN)


def on_post_save(info: ModelInfo, named: Named) -> None:
    frame = sending_frame(sys._getframe(2))
    scope = here(frame)
    pair = opened(scope, frame)
    fate = transactions.fate_on(named.get("using") or "")
    if pair is not None and pair.fate is not None:
        pair.fate.release() if fate else pair.fate.settle(COMMITTED)
    about = describe.save(info, named)
    changed = None
    if config().changes:
        changed = changes.of_save(
            info,
            named["instance"],
            created=about.arguments.get("created", False),
            update_fields=named.get("update_fields"),
            known=pair is None or pair.knows_row,
        )
    depth, site, duration = _end(pair, scope, frame)
    record(
        "post_save", scope.trace, about, depth,
        site=site, duration=duration, fate=fate or _done(about), changes=changed,
    )  # fmt: skip


def _done(about: Description) -> Fate | None:
    """Return the fate of a change made in autocommit mode; none without a database."""
    return _DONE if about.database else None


def on_pre_delete(info: ModelInfo, named: Named) -> None:
    frame = sending_frame(sys._getframe(2))
    scope = here(frame)
    about = describe.delete(info, named)
    # One delete() sends all its pre_delete before its first post_delete: they are siblings.
    group = scope if frame and scope.key is frame else enter(scope, frame, _site(frame))
    fate = transactions.fate_on(about.database) or _done(about)
    record("pre_delete", scope.trace, about, group.depth - 1, site=group.site, fate=fate)
    group.starts = group.starts or {}
    group.starts[id(named["instance"])] = time.perf_counter_ns()


def on_post_delete(info: ModelInfo, named: Named) -> None:
    frame = sending_frame(sys._getframe(2))
    scope = here(frame)
    about = describe.delete(info, named)
    changed = changes.of_delete(info, named["instance"]) if config().changes else None
    fate = transactions.fate_on(about.database) or _done(about)
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
    fate = transactions.fate_on(about.database) or _done(about)
    if str(named.get("action")).startswith("pre_"):
        site = _site(frame)
        record("m2m_changed", scope.trace, about, scope.depth, site=site, fate=fate)
        if frame is not None:
            enter(scope, frame, site)
        return
    depth, site, duration = _end(opened(scope, frame), scope, frame)
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
    trace.learn_of(named.get("request"))
    if name != "user_login_failed":
        trace.actor = actor_of(named.get("user")) or trace.actor
    on_single(name, describer, sender, named)


_REQUEST = "request"
_NO_THREAD = 0

# Under ASGI each request has a context object of asgiref's, which every thread and task that
# works for it can see.
_requests: WeakKeyDictionary[ThreadSensitiveContext, Scope] = WeakKeyDictionary()


def _asgi_context() -> ThreadSensitiveContext | None:
    return SyncToAsync.thread_sensitive_context.get(None)


def on_request_started(name: str, describer: Describer, sender: Any, named: Named) -> None:
    scope = named.get("scope")
    trace = origins.wsgi_trace(named["environ"]) if scope is None else origins.asgi_trace(scope)
    around = current.get()
    unfinished = opened(around, _REQUEST) if scope is None else None
    if (
        unfinished is not None
        and unfinished.thread == threading.get_ident()
        and find_frame(sys._getframe(3), _GET_RESPONSE, sys.getrecursionlimit()) is None
    ):
        # Its server never closed the response, and this thread has gone on to the next one.
        close(unfinished)
        around = current.get()
    record(name, trace, describer(sender, named), 0)
    pair = Scope(trace, around, 1, _REQUEST)
    current.set(pair)
    if scope is not None:
        # A context variable set in a receiver may not reach the view.
        scope[SCOPE_KEY] = pair
        pair.thread = _NO_THREAD
        context = _asgi_context()
        if context is not None:
            _requests[context] = pair


def on_request_finished(name: str, describer: Describer, sender: Any, named: Named) -> None:
    pair = opened(current.get(), _REQUEST) or _of_response() or _of_context()
    if pair is None:
        on_single(name, describer, sender, named)
        return
    trace = pair.trace
    trace.let_go()
    duration = close(pair)
    record(name, trace, describer(sender, named), 0, duration=duration)
    if trace.stored_without_actor and trace.actor is not None:
        writer.put(Attribution(writer.recorder, trace.trace_id, *trace.actor))
    writer.wake()


def _of_response() -> Scope | None:
    """Return the request of the response that is being closed: the middleware noted it there."""
    frame = find_frame(sys._getframe(4), _CLOSE)
    response = frame.f_locals.get("self") if frame else None
    return getattr(response, "__dict__", {}).get(SCOPE_KEY)


def _of_context() -> Scope | None:
    """Return the ASGI request that ends without a response, because its client has gone."""
    context = _asgi_context()
    return None if context is None else _requests.pop(context, None)


def on_request_exception(name: str, describer: Describer, sender: Any, named: Named) -> None:
    request = named.get("request")
    scope = here()
    if scope.trace.origin != "request":
        # Under ASGI the exception may arrive in a thread that knows nothing of the request.
        scope = getattr(request, "__dict__", {}).get("scope", {}).get(SCOPE_KEY, scope)
    scope.trace.learn_of(request)
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
    if frame is None or not _is_wanted("post_migrate"):
        on_single(name, describer, sender, named)
        return
    # All pre_migrate come before the first post_migrate: they are siblings, as deletes are.
    command = frame.f_back
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


class _Owner:
    """Whom receivers of model signals belong to: they live as long as it does."""


_everyone = _Owner()


def _model_receiver(name: str) -> Receiver:
    handle = MODEL_SIGNALS[name]

    def receive(owner: _Owner, sender: Any, **named: Any) -> None:
        if silent.get() or not writer.listening():
            return
        try:
            if not issubclass(type(sender), ModelBase):  # sent by hand
                on_single(name, describe.any_signal, sender, named)
                return
            info = info_of(sender)
            if not info.ignored:
                handle(info, named)
        except Exception:  # noqa: BLE001 - the host must not notice; `fault` logs
            _undescribed(name, sender)

    return receive


_MODEL_RECEIVERS = {name: _model_receiver(name) for name in MODEL_SIGNALS}


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


_UID = "signals_demo.{}".format
_OWNER = "_signals_demo_owner"
_connected: list[tuple[Signal, str]] = []
_chosen: WeakSet[type[Model]] = WeakSet()


def _connect(signal: Signal, name: str) -> None:
    """Listen to a signal, whoever sends it."""
    model_receiver = _MODEL_RECEIVERS.get(name)
    receive = MethodType(model_receiver, _everyone) if model_receiver else _general_receiver(name)
    signal.connect(receive, weak=False, dispatch_uid=_UID(name))
    _connected.append((signal, _UID(name)))


def _choose(model: type[Model]) -> None:
    """Listen to one model, if it is wanted, for as long as its class lives.

    Migrations make and drop thousands of classes. The receivers belong to the class's options
    and go with them; a strong reference from the signal would keep them all.
    """
    if model in _chosen or model._meta.label == OWN_LABEL or not wanted(model):
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
        if name in MODEL_SIGNALS and _is_wanted(name)
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


def _is_wanted(name: str) -> bool:
    signals = config().signals
    return signals is None or name in signals


def connect() -> None:
    """Connect everything that the configuration asks for. Calling it again changes nothing."""
    if not config().enabled:
        return
    transactions.install()
    one_by_one = config().include_models is not None or config().exclude_models
    for name, builtin in catalog.built_in().items():
        if _is_wanted(name) and not (one_by_one and name in MODEL_SIGNALS):
            _connect(builtin.load(), name)
    if one_by_one and _model_signals():
        class_prepared.connect(_choose_later, dispatch_uid=_UID("models"))
        for model in apps.get_models(include_auto_created=True, include_swapped=True):
            _choose(model)
    known = [builtin.load() for builtin in catalog.built_in().values()]
    for path in config().extra_signals:
        try:
            signal = import_string(path)
        except Exception as error:  # noqa: BLE001 - the module is the host's; `check` says it too
            logger.error("SIGNALS_DEMO['EXTRA_SIGNALS']: %r cannot be imported: %s", path, error)
            continue
        if not isinstance(signal, Signal):
            logger.error("SIGNALS_DEMO['EXTRA_SIGNALS']: %r is not a Signal.", path)
        # One signal may have two paths; connecting it twice would record it twice.
        elif not any(signal is other for other in known):
            _connect(signal, path)
            known.append(signal)


def connect_early() -> None:
    """Connect `class_prepared` alone: it fires before any `AppConfig.ready()` runs."""
    if config().enabled and _is_wanted("class_prepared"):
        _connect(class_prepared, "class_prepared")


def disconnect() -> None:
    """Take every receiver away again."""
    for signal, uid in _connected:
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


def reconnect(*, setting: str, **kwargs: object) -> None:
    """Follow a change of the setting (receiver of `setting_changed`)."""
    if setting == SETTING:
        disconnect()
        connect()
