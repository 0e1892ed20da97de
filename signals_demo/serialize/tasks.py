"""What a task result of `django.tasks` says, masked by the names of the task's parameters."""

import re
from inspect import CO_VARARGS
from itertools import zip_longest
from types import FunctionType
from typing import Any

from signals_demo.serialize.limits import cut
from signals_demo.serialize.redaction import MASK, Redactor
from signals_demo.serialize.source import PROJECT, owner_of, relative_path
from signals_demo.serialize.values import jsonable


def task_name(result: Any, mask: Redactor) -> str:
    """Return the dotted path of the function that a task runs."""
    function = getattr(getattr(result, "task", None), "func", None)
    return jsonable(function, mask) if function is not None else ""


def task_shown(result: Any, mask: Redactor) -> dict[str, Any]:
    """Return a task result as JSON; `errors`, where it has any, are dotted paths of exceptions."""
    known: dict[str, Any] = {"task": task_name(result, mask)}
    for name in ("id", "status", "backend", "kwargs"):
        known[name] = jsonable(getattr(result, name, None), mask)
    known["args"] = _arguments(result, mask)
    errors = getattr(result, "errors", None) or []
    failed = [jsonable(getattr(error, "exception_class_path", ""), mask) for error in errors]
    if failed:
        known["errors"] = failed
        known["raised_at"] = _raised_at(errors[-1])
    return known


_PLACE = re.compile(r'^  File "([^"\n]+)", line ([0-9]+), in (.+)$', re.MULTILINE)
_LONGEST_TRACEBACK = 20_000


def _raised_at(error: Any) -> str:
    """Return the project's line in which a task failed, of the text that is kept of it, or ""."""
    text = getattr(error, "traceback", "")
    if type(text) is not str:
        return ""
    for file, line, name in reversed(_PLACE.findall(text[-_LONGEST_TRACEBACK:])):
        if owner_of(file) == PROJECT:
            return cut(f"{relative_path(file)}:{line} in {name}")
    return ""


def _arguments(result: Any, mask: Redactor) -> Any:
    """Return a task's positional arguments, masked by the names of its parameters."""
    names = _parameters(getattr(result, "task", None))
    args = getattr(result, "args", ())
    named = zip_longest(args, names[: len(args)], fillvalue=names[-1] if names else "")
    return jsonable(
        [MASK if mask.is_secret(name) and value is not None else value for value, name in named],
        mask,
    )


def _parameters(task: Any) -> list[str]:
    """Return the names of a task's positional parameters, the last one for all that follow."""
    function = getattr(task, "func", None)
    for _ in range(20):  # under decorators that take anything, the function's own are what counts
        wrapped = getattr(function, "__dict__", {}).get("__wrapped__")
        if type(wrapped) is not FunctionType:
            break
        function = wrapped
    if type(function) is not FunctionType:
        return []
    code = function.__code__
    names = list(code.co_varnames[: code.co_argcount])
    if getattr(task, "takes_context", False):
        names = names[1:]
    if code.co_flags & CO_VARARGS:
        names.append(code.co_varnames[code.co_argcount + code.co_kwonlyargcount])
    return names
