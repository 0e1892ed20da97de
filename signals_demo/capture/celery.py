"""Makes each task of Celery a trace of its own, where the project uses Celery.

A worker runs many tasks in one thread, and no signal of Django's says where one begins.
"""

import sys
from typing import Any

from signals_demo.delivery.writer import writer
from signals_demo.faults import fault
from signals_demo.tracing.origins import task_trace
from signals_demo.tracing.scope import Scope, current, opened

_UID = "signals_demo.{}".format
_modules = sys.modules
_followed: Any = None


def follow() -> None:
    """Follow the tasks from now on, if Celery is loaded. Calling it again changes nothing."""
    global _followed
    if _followed is None and "celery.signals" in _modules:
        signals = _modules["celery.signals"]
        before, after = (getattr(signals, f"task_{name}", None) for name in ("prerun", "postrun"))
        if before is not None and after is not None:  # the import is done
            before.connect(_on_prerun, weak=False, dispatch_uid=_UID("prerun"))
            after.connect(_on_postrun, weak=False, dispatch_uid=_UID("postrun"))
            _followed = signals


def leave() -> None:
    """Follow the tasks no longer."""
    global _followed
    if _followed is not None:
        _followed.task_prerun.disconnect(dispatch_uid=_UID("prerun"))
        _followed.task_postrun.disconnect(dispatch_uid=_UID("postrun"))
        _followed = None


def _key(task_id: object) -> tuple[str, object]:
    return "celery", task_id


def _on_prerun(*, task_id: Any = None, task: Any = None, **kwargs: object) -> None:
    try:
        around = current.get()
        if around is not None and around.trace.origin == "test":
            return  # a task that a test calls is part of the test
        if not task.request.is_eager:
            around = _outermost(around)
        trace = task_trace(str(task.name), None if around is None else around.trace)
        current.set(Scope(trace, around, key=_key(task_id)))
    except Exception:  # noqa: BLE001 - the project must not notice; `fault` logs
        fault("A task of Celery")


def _outermost(scope: Scope | None) -> Scope | None:
    """Return the scope around all tasks: one that was killed may have left its own."""
    while scope is not None and scope.parent is not None:
        scope = scope.parent
    return None if scope is None or scope.trace.origin == "task" else scope


def _on_postrun(*, task_id: Any = None, **kwargs: object) -> None:
    scope = opened(current.get(), _key(task_id))
    if scope is not None:
        current.set(scope.parent)
        writer.notify()
