"""The project's line that made a signal fire."""

import os
from types import CodeType, FrameType

import asgiref
from django.db.models import Model, QuerySet

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
_MACHINERY = 1  # passes signals on: never the answer
_LIBRARY = 2  # Django's admin, a package: the answer if the project has no line in it
_PROJECT = 3  # the answer
_EDGE = 4  # hands over to a view, a command, a thread: what lies beyond is not the cause

_PASSING_ON = (
    OWN_FOLDER,
    folder_of(asgiref.__file__),
    *(os.path.join(DJANGO_FOLDER, name, "") for name in ("db", "dispatch", "utils", "tasks")),
)
_EDGES = tuple(
    os.path.join(DJANGO_FOLDER, *name.split("/"))
    for name in ("core/handlers/", "core/management/base.py", "core/servers/", "test/client.py")
)
_EDGE_NAMES = frozenset({"threading.py", "runpy.py", "socketserver.py"})
_roles: dict[str, int] = {}


def _classify(filename: str) -> int:
    if filename.startswith(_PASSING_ON) or filename.startswith("<frozen"):
        return _MACHINERY
    if filename.startswith(_EDGES):
        return _EDGE
    installed = is_installed(filename)
    if filename.startswith(STANDARD_FOLDERS) and not installed:
        edge = os.path.basename(filename) in _EDGE_NAMES
        return _EDGE if edge else _MACHINERY
    if installed or filename.startswith(DJANGO_FOLDER):
        return _LIBRARY
    return _PROJECT


_REFRESH = Model.refresh_from_db.__code__
_ITERATE = QuerySet.__iter__.__code__


def call_site(frame: FrameType | None) -> Site | None:
    """Return the project's line nearest below `frame`, else the first of a package, else None."""
    fallback = None
    roles = _roles
    left = MAX_FRAMES
    while frame is not None and left:
        code = frame.f_code
        role = roles.get(code.co_filename)
        if role is None:
            role = roles[code.co_filename] = _classify(code.co_filename)
        if role is _PROJECT:
            return code, frame.f_lasti
        if role is not _MACHINERY:
            if role is _EDGE:
                break
            if fallback is None:
                fallback = code, frame.f_lasti
        frame = frame.f_back
        left -= 1
    return fallback


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
    site = fallback = loop = None
    roles = _roles
    for steps in range(MAX_FRAMES):
        if frame is None:
            break
        code = frame.f_code
        role = roles.get(code.co_filename)
        if role is None:
            role = roles[code.co_filename] = _classify(code.co_filename)
        if role is _MACHINERY:
            if code is _ITERATE:  # a loop over rows: what is around it loads another instance
                near = 0
            elif code is _REFRESH and steps < near:
                return site or call_site(frame) or fallback, None, frame
        elif role is _PROJECT:
            if site is None:
                site, loop = (code, frame.f_lasti), None if near else frame
        elif role is _EDGE:
            break
        elif fallback is None:
            fallback = code, frame.f_lasti
        if site is not None and steps >= near:
            break
        frame = frame.f_back
    return site or fallback, loop, None


def refreshing(frame: FrameType | None) -> FrameType | None:
    """Return the `refresh_from_db()` that loads what a constructor's frame makes, or None."""
    caller = None if frame is None else frame.f_back
    if caller is None or caller.f_code.co_name != "from_db":  # made, not loaded
        return None
    return init_site(frame)[2]


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
