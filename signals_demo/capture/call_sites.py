"""The project's line that made a signal fire."""

import os
from types import CodeType, FrameType

import asgiref
from django.db.models import Model, QuerySet
from django.db.models.base import ModelBase
from django.db.models.manager import BaseManager

from signals_demo.serialize.source import (
    DJANGO_FOLDER,
    OWN_FOLDER,
    STANDARD_FOLDERS,
    Site,
    folder_of,
    is_installed,
)

MAX_FRAMES = 60

# What a source file means to the search for the project's line.
_PROJECT = 1  # the answer
_PACKAGE = 3  # the answer if the project has no line in it
_DJANGO = 5  # the admin, a form: the answer if no package has one either
_MACHINERY = 8  # passes signals on: never the answer
_EDGE = 9  # hands over to a view, a command, a thread: what lies beyond is not the cause
_AWAITED = 10  # the same, and knows what awaits it; see `awaited`

_PASSES_ON = 1  # comes after others of its kind: a method that calls the one that it overrides
_OWN = 7  # such a method of a model: the answer if there is no other
_WORST = 8

_PASSING_ON = (
    OWN_FOLDER,
    folder_of(asgiref.__file__),
    *(os.path.join(DJANGO_FOLDER, name, "") for name in ("db", "dispatch", "utils", "tasks")),
)
_EDGES = tuple(
    os.path.join(DJANGO_FOLDER, *name.split("/"))
    for name in ("core/handlers/", "core/management/base.py", "core/servers/", "test/client.py")
)
_AWAITED_FILE = os.path.join(OWN_FOLDER, "capture", "awaited.py")
_EDGE_NAMES = frozenset({"threading.py", "runpy.py", "socketserver.py"})


def _classify(filename: str) -> int:
    if filename == _AWAITED_FILE:
        return _AWAITED
    if filename.startswith(_PASSING_ON) or filename.startswith("<frozen"):
        return _MACHINERY
    if filename.startswith(_EDGES):
        return _EDGE
    installed = is_installed(filename)
    if filename.startswith(STANDARD_FOLDERS) and not installed:
        edge = os.path.basename(filename) in _EDGE_NAMES
        return _EDGE if edge else _MACHINERY
    if filename.startswith(DJANGO_FOLDER):
        return _DJANGO
    return _PACKAGE if installed else _PROJECT


class _Roles(dict[str, int]):
    def __missing__(self, filename: str) -> int:
        role = self[filename] = _classify(filename)
        return role


_roles = _Roles()


def rank_of(filename: str) -> int | None:
    """Return how good an answer a file is, the lower the better; None for what is never one."""
    role = _roles[filename]
    return role if role < _MACHINERY else None


_REFRESH = Model.refresh_from_db.__code__
_ITERATE = QuerySet.__iter__.__code__
_FROM_DB: CodeType = Model.from_db.__func__.__code__  # type: ignore[attr-defined]


Ranked = tuple[Site | None, int]
"""A line, and how well it answers who caused something; less is better."""


def call_site(frame: FrameType | None) -> Site | None:
    """Return the line that caused what `frame` does.

    It is the project's line nearest to it, else that of a package, else Django's, else None. A
    method that only calls the one that it overrides, such as a model's own `save()`, comes last.
    """
    return ranked_site(frame)[0]


def ranked_site(frame: FrameType | None) -> Ranked:
    """Return the same, and how good an answer it is."""
    start = frame
    best = None
    rank = _WORST
    roles = _roles
    for _ in range(MAX_FRAMES):
        if frame is None:
            break
        code = frame.f_code
        role = roles[code.co_filename]
        if role is not _MACHINERY:
            if role >= _EDGE:
                if role is _AWAITED:
                    best, rank = _better(best, rank, frame)
                break
            if role < rank:
                found = role if start is frame else _rank(role, frame, start)
                if found is _PROJECT:
                    return (code, frame.f_lasti), found
                if found < rank:
                    best, rank = (code, frame.f_lasti), found
        frame = frame.f_back
    return best, rank


def _better(best: Site | None, rank: int, frame: FrameType) -> Ranked:
    """Return that line, or the one that awaits what `frame` calls, if that answers better."""
    awaiting: Ranked = frame.f_locals["awaiting"]
    return awaiting if awaiting[1] < rank else (best, rank)


def _rank(role: int, frame: FrameType, start: FrameType | None) -> int:
    """Return how well a frame answers who caused what `start` does; less is better."""
    name = frame.f_code.co_name
    if "." not in frame.f_code.co_qualname:  # no method
        return role
    inner = None
    while start is not None and start is not frame:
        if start.f_code.co_name == name:
            inner = start
        start = start.f_back
    if inner is None:
        return role
    owner, called = _first_argument(frame), _first_argument(inner)
    kind = type(owner)
    if owner is called and owner is not None:
        is_model = issubclass(kind, (Model, ModelBase))
        return _OWN if is_model else role + _PASSES_ON
    # A manager's methods call those of a queryset.
    is_overridden = issubclass(kind, BaseManager) and issubclass(type(called), QuerySet)
    return role + _PASSES_ON if is_overridden else role


def _first_argument(frame: FrameType) -> object:
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None


# How many calls away from the constructor `refresh_from_db()` is at most: there are from_db(), the
# iterables, get(), and some of the project's.
_NEAR = 9


def init_site(
    frame: FrameType | None,
) -> tuple[Site | None, FrameType | None, FrameType | None]:
    """Return the call site of a constructor's signal, as `call_site` does, and two frames.

    The first is that of the call site if it is a loop over rows: the next row has the same site.
    The second is the `refresh_from_db()` that loads the instance under construction. Otherwise
    they are None.
    """
    near = _NEAR
    start = frame
    site = fallback = loop = None
    rank = _WORST
    roles = _roles
    for steps in range(MAX_FRAMES):
        if frame is None:
            break
        code = frame.f_code
        role = roles[code.co_filename]
        if role is _MACHINERY:
            if code is _ITERATE:  # a loop over rows: what is around it loads another instance
                near = 0
            elif code is _REFRESH and steps < near:
                return site or call_site(frame) or fallback, None, frame
        elif role >= _EDGE:
            if role is _AWAITED:
                fallback, rank = _better(fallback, rank, frame)
            break
        elif role < rank and site is None:
            found = _rank(role, frame, start)
            if found is _PROJECT:
                site, loop = (code, frame.f_lasti), None if near else frame
            elif found < rank:
                fallback, rank = (code, frame.f_lasti), found
        if site is not None and steps >= near:
            break
        frame = frame.f_back
    return site or fallback, loop, None


# How many calls away from the constructor a `from_db()` of the project's is at most.
_HELPERS = 6


def is_loaded(frame: FrameType | None) -> bool:
    """Return whether a constructor makes the instance of a row, and not one of its caller's."""
    caller = None if frame is None else frame.f_back
    if caller is None or caller.f_code is _FROM_DB:
        return caller is not None
    for _ in range(_HELPERS):
        if caller is None:
            return False
        if caller.f_code is _FROM_DB or caller.f_code.co_name == "from_db":
            made = None if frame is None else type(_first_argument(frame))
            cls = _first_argument(caller)
            return made is not None and type(cls) is type(made) and issubclass(made, cls)
        caller = caller.f_back
    return False


def loading(frame: FrameType | None) -> FrameType | bool:
    """Return the same as `is_loaded`, or the `refresh_from_db()` that loads it."""
    if not is_loaded(frame):
        return False
    for _ in range(_NEAR):
        if frame is None or frame.f_code is _ITERATE:
            break
        if frame.f_code is _REFRESH:
            return frame
        frame = frame.f_back
    return True


_MODELS = os.path.join(DJANGO_FOLDER, "db", "models", "")
_in_models: dict[str, bool] = {}


def sending_frame(frame: FrameType | None) -> FrameType | None:
    """Return the frame of the ORM function that sends a signal, or None if none does.

    It is not always the caller of `Signal.send`: that may be wrapped.
    """
    if frame is not None and _in_models.get(frame.f_code.co_filename):  # the usual case
        return frame
    for _ in range(8):
        if frame is None:
            return None
        filename = frame.f_code.co_filename
        found = _in_models.get(filename)
        if found is None:
            found = _in_models[filename] = filename.startswith(_MODELS)
        if found:
            return frame
        frame = frame.f_back
    return None


def find_frame(
    frame: FrameType | None, code: CodeType, limit: int = MAX_FRAMES
) -> FrameType | None:
    """Return the first of the next `limit` frames that runs `code`, or None."""
    for _ in range(limit):
        if frame is None or frame.f_code is code:
            return frame
        frame = frame.f_back
    return None
