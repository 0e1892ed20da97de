"""Where in the host's code a signal was made to fire."""

import os
import sys
import sysconfig
from types import CodeType, FrameType
from typing import NamedTuple

import asgiref
import django

MAX_FRAMES = 60


# What a source file is to the search for the host's line.
_MACHINERY = 1  # passes signals on: never the answer
_LIBRARY = 2  # Django's admin, a package: the answer if the project has no line in it
_HOST = 3  # the project: the answer
_EDGE = 4  # hands over to a view, a command, a thread: what lies beyond is not the cause


class Site(NamedTuple):
    """A line of code."""

    filename: str
    line: int
    function: str


def _folder(*parts: str) -> str:
    return os.path.join(os.path.dirname(parts[0]), *parts[1:])


_OWN = _folder(__file__, "")
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


def _classify(filename: str) -> int:
    if filename.startswith(_PASSING_ON) or filename.startswith("<frozen"):
        return _MACHINERY
    if filename.startswith(_EDGES):
        return _EDGE
    installed = "site-packages" in filename or "dist-packages" in filename
    if filename.startswith(_STANDARD) and not installed:
        edge = os.path.basename(filename) in _EDGE_NAMES
        return _EDGE if edge else _MACHINERY
    if installed or filename.startswith(_DJANGO):
        return _LIBRARY
    return _HOST


def call_site(frame: FrameType | None) -> Site | None:
    """Return the host's line nearest below `frame`, else the first of a package, else None."""
    fallback = None
    places = _places
    for _ in range(MAX_FRAMES):
        if frame is None:
            break
        filename = frame.f_code.co_filename
        place = places.get(filename)
        if place is None:
            place = places[filename] = _classify(filename)
        if place is _HOST:
            return Site(filename, frame.f_lineno, frame.f_code.co_qualname)
        if place is _EDGE:
            break
        if place is _LIBRARY and fallback is None:
            fallback = frame
        frame = frame.f_back
    if fallback is None:
        return None
    code = fallback.f_code
    return Site(code.co_filename, fallback.f_lineno, code.co_qualname)


_MODELS = os.path.join(_DJANGO, "db", "models", "")
_in_models: dict[str, bool] = {}


def sending_frame(frame: FrameType | None) -> FrameType | None:
    """Return the ORM function that sends a signal, from the receiver's frame; None if none does.

    It is not always the caller of `Signal.send`: that may be wrapped.
    """
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


def shown(site: Site) -> str:
    """Return a site as `shop/views.py:42 in checkout`, its path relative to the import path."""
    return f"{_relative(site.filename)}:{site.line} in {site.function}"


_shown_paths: dict[str, str] = {}


def _relative(filename: str) -> str:
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
