"""Where in the host's code a signal was made to fire."""

import os
import re
import sys
import sysconfig
from itertools import islice
from types import CodeType, FrameType

import asgiref
import django
from django.db.models import Model, QuerySet

import signals_demo

MAX_FRAMES = 60


# What a source file is to the search for the host's line.
_MACHINERY = 1  # passes signals on: never the answer
_LIBRARY = 2  # Django's admin, a package: the answer if the project has no line in it
_HOST = 3  # the project: the answer
_EDGE = 4  # hands over to a view, a command, a thread: what lies beyond is not the cause


# A line of code, as cheaply as a frame tells it: its code, and the offset of the instruction.
Site = tuple[CodeType, int]


def _folder(*parts: str) -> str:
    return os.path.join(os.path.dirname(parts[0]), *parts[1:])


_OWN = _folder(signals_demo.__file__, "")
_DJANGO = _folder(django.__file__, "")
_PASSING_ON = (
    _OWN,
    _folder(asgiref.__file__, ""),
    *(os.path.join(_DJANGO, name, "") for name in ("db", "dispatch", "utils", "tasks")),
)
_EDGES = tuple(
    os.path.join(_DJANGO, *name.split("/"))
    for name in ("core/handlers/", "core/management/base.py", "core/servers/", "test/client.py")
)
_STANDARD = tuple(os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib"))
_EDGE_NAMES = frozenset({"threading.py", "runpy.py", "socketserver.py"})
_places: dict[str, int] = {}


def _is_installed(filename: str) -> bool:
    return "site-packages" in filename or "dist-packages" in filename


def _classify(filename: str) -> int:
    if filename.startswith(_PASSING_ON) or filename.startswith("<frozen"):
        return _MACHINERY
    if filename.startswith(_EDGES):
        return _EDGE
    installed = _is_installed(filename)
    if filename.startswith(_STANDARD) and not installed:
        edge = os.path.basename(filename) in _EDGE_NAMES
        return _EDGE if edge else _MACHINERY
    if installed or filename.startswith(_DJANGO):
        return _LIBRARY
    return _HOST


_REFRESH = Model.refresh_from_db.__code__
_ITERATE = QuerySet.__iter__.__code__


def call_site(frame: FrameType | None) -> Site | None:
    """Return the host's line nearest below `frame`, else the first of a package, else None."""
    fallback = None
    places = _places
    left = MAX_FRAMES
    while frame is not None and left:
        code = frame.f_code
        place = places.get(code.co_filename)
        if place is None:
            place = places[code.co_filename] = _classify(code.co_filename)
        if place is _HOST:
            return code, frame.f_lasti
        if place is not _MACHINERY:
            if place is _EDGE:
                break
            if fallback is None:
                fallback = code, frame.f_lasti
        frame = frame.f_back
        left -= 1
    return fallback


# How far from the constructor `refresh_from_db()` is: from_db(), the iterables, get(); and some of
# the host's.
_NEAR = 9


def making_site(frame: FrameType | None) -> tuple[Site | None, int, FrameType | None]:
    """Return the call site of a constructor's signal, as `call_site` does, and how far away it is.

    With it comes the `refresh_from_db()` that loads the instance which is being made, or None. The
    distance is 0 unless the site is a loop over rows: there the next one has the same.
    """
    near = _NEAR
    site = fallback = None
    distance = 0
    places = _places
    for steps in range(MAX_FRAMES):
        if frame is None:
            break
        code = frame.f_code
        place = places.get(code.co_filename)
        if place is None:
            place = places[code.co_filename] = _classify(code.co_filename)
        if place is _MACHINERY:
            if code is _ITERATE:  # a loop over rows: what is around it loads another instance
                near = 0
            elif code is _REFRESH and steps < near:
                return site or call_site(frame) or fallback, 0, frame
        elif place is _HOST:
            if site is None:
                site, distance = (code, frame.f_lasti), 0 if near else steps
        elif place is _EDGE:
            break
        elif fallback is None:
            fallback = code, frame.f_lasti
        if site is not None and steps >= near:
            break
        frame = frame.f_back
    return site or fallback, distance, None


def refreshing(frame: FrameType | None) -> FrameType | None:
    """Return the `refresh_from_db()` that loads what a constructor's frame makes, or None."""
    caller = None if frame is None else frame.f_back
    if caller is None or caller.f_code.co_name != "from_db":  # made, not loaded
        return None
    return making_site(frame)[2]


_MODELS = os.path.join(_DJANGO, "db", "models", "")
_in_models: dict[str, bool] = {}


def sending_frame(frame: FrameType | None) -> FrameType | None:
    """Return the ORM function that sends a signal, from the receiver's frame; None if none does.

    It is not always the caller of `Signal.send`: that may be wrapped.
    """
    if frame is not None and _in_models.get(frame.f_code.co_filename):  # but mostly it is
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


_shown: dict[tuple[int, int], tuple[CodeType, str]] = {}


def shown(site: Site) -> str:
    """Return a site as `shop/views.py:42 in checkout`, its path relative to the import path."""
    code, offset = site
    # By identity: a code object hashes all that it holds. Kept with it, so that it is not reused.
    key = id(code), offset
    known = _shown.get(key)
    if known is None:
        if len(_shown) > 10_000:
            _shown.clear()
        known = _shown[key] = code, _text(code, offset)
    return known[1]


def _text(code: CodeType, offset: int) -> str:
    positions = islice(code.co_positions(), offset // 2, None)
    line = next(positions, (None,))[0] or code.co_firstlineno
    return f"{relative(code.co_filename)}:{line} in {code.co_qualname}"


_shown_paths: dict[str, str] = {}


def relative(filename: str) -> str:
    """Return a file's path relative to the folder of the import path that it is in."""
    path = _shown_paths.get(filename)
    if path is None:
        inside = [root for root in _roots() if filename.startswith(root)]
        path = filename[len(max(inside, key=len, default="")) :]
        _shown_paths[filename] = path = path.replace(os.sep, "/")
    return path


def _roots() -> list[str]:
    try:
        here = os.getcwd()
    except OSError:  # the folder is gone
        here = os.sep
    texts = (root for root in (*sys.path, "") if isinstance(root, str))
    roots = {os.path.normpath(os.path.join(here, root)) for root in texts} - {os.sep}
    return [os.path.join(root, "") for root in roots]


PROJECT, DJANGO, OURS, PYTHON = "project", "django", "signals_demo", "python"


def owner_of(filename: str) -> str:
    """Return whose code a file is: `PROJECT`, `DJANGO`, `OURS`, `PYTHON`, or a package's name."""
    for folder, owner in ((_OWN, OURS), (_DJANGO, DJANGO)):
        if filename.startswith(folder):
            return owner
    if _is_installed(filename):
        inside = re.split(r"(?:site|dist)-packages[\\/]", filename)[-1]
        return re.split(r"[\\/]|\.py$", inside)[0]
    return PYTHON if filename.startswith((*_STANDARD, "<frozen")) else PROJECT
