"""What happens when a task or a migration begins and ends; and which handler each signal has."""

from collections.abc import Callable

from django.core.management.sql import emit_pre_migrate_signal

from signals_demo.capture.call_sites import find_frame
from signals_demo.capture.firing import Firing, record_alone
from signals_demo.capture.folding import on_similar
from signals_demo.capture.pairs import (
    close_pair,
    current_scope,
    end_member,
    goes_on,
    open_call,
    open_pair,
    start_member,
)
from signals_demo.capture.recorder import record
from signals_demo.capture.request_signals import (
    on_auth,
    on_request_exception,
    on_request_finished,
    on_request_started,
)
from signals_demo.delivery.writer import writer
from signals_demo.serialize.model_info import redactor_of
from signals_demo.serialize.tasks import task_name
from signals_demo.tracing.origins import task_trace
from signals_demo.tracing.scope import Scope, current, opened

_EMIT_PRE_MIGRATE = emit_pre_migrate_signal.__code__
_NEAR = 6


def on_task_started(firing: Firing) -> None:
    result = firing.named.get("task_result")
    scope = current_scope()
    key = ("task", getattr(result, "id", ""))
    if scope.trace.origin == "test":  # a task that a test runs is part of the test
        record(firing.name, scope.trace, firing.description(), scope.depth)
        open_pair(scope, key)
        return
    trace = task_trace(task_name(result, redactor_of(firing.config)), scope.trace)
    record(firing.name, trace, firing.description(), 0)
    current.set(Scope(trace, scope, 1, key))


def on_task_finished(firing: Firing) -> None:
    pair = opened(current_scope(), ("task", getattr(firing.named.get("task_result"), "id", "")))
    if pair is None:
        record_alone(firing)
        return
    duration = close_pair(pair)
    record(firing.name, pair.trace, firing.description(), pair.depth - 1, duration=duration)
    if pair.trace.origin == "task":
        writer.notify()


def on_pre_migrate(firing: Firing) -> None:
    frame = find_frame(firing.frame, _EMIT_PRE_MIGRATE, _NEAR)
    command = None if frame is None else frame.f_back
    if command is None or not firing.config.wants("post_migrate"):
        record_alone(firing)
        return
    # All pre_migrate come before the first post_migrate: they are siblings, as deletes are.
    group = current_scope(command)
    if not goes_on(group, command, firing.sender):
        group = open_call(current_scope(command, opens=True), command)
    record(firing.name, group.trace, firing.description(), group.depth - 1)
    start_member(group, firing.sender)
    writer.pause()


def on_post_migrate(firing: Firing) -> None:
    group: Scope | None = current_scope()
    while group is not None and not (group.starts and firing.sender in group.starts):
        group = group.parent
    writer.resume()
    if group is None:
        record_alone(firing)
        return
    duration = end_member(group, firing.sender)
    record(firing.name, group.trace, firing.description(), group.depth - 1, duration=duration)


HANDLERS: dict[str, Callable[[Firing], None]] = {
    "class_prepared": on_similar,
    "connection_created": on_similar,
    "template_rendered": on_similar,
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
"""The signals that open or close something, or fold. All others are recorded by themselves."""
