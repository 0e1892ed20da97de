"""Lines of source code: where they are, whose they are, and how they are shown."""

import os
import re
import sys
import sysconfig
from itertools import islice
from types import CodeType

import django

Site = tuple[CodeType, int]
"""A line of code, as cheaply as a frame gives it: its code and the offset of the instruction."""


def folder_of(filename: str) -> str:
    """Return the folder that a file is in, with a separator at its end."""
    return os.path.join(os.path.dirname(filename), "")


OWN_FOLDER = folder_of(os.path.dirname(__file__))
DJANGO_FOLDER = folder_of(django.__file__)
STANDARD_FOLDERS = tuple(
    os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib")
)


def is_installed(filename: str) -> bool:
    """Return whether a file belongs to an installed package."""
    return "site-packages" in filename or "dist-packages" in filename


PROJECT, DJANGO, OURS, PYTHON = "project", "django", "signals_demo", "python"


def owner_of(filename: str) -> str:
    """Return whose code a file is: `PROJECT`, `DJANGO`, `OURS`, `PYTHON`, or a package's name."""
    for folder, owner in ((OWN_FOLDER, OURS), (DJANGO_FOLDER, DJANGO)):
        if filename.startswith(folder):
            return owner
    if is_installed(filename):
        inside = re.split(r"(?:site|dist)-packages[\\/]", filename)[-1]
        return re.split(r"[\\/]|\.py$", inside)[0]
    return PYTHON if filename.startswith((*STANDARD_FOLDERS, "<frozen")) else PROJECT


_known: dict[tuple[int, int], tuple[CodeType, str]] = {}


def site_text(site: Site) -> str:
    """Return a site as `shop/views.py:42 in checkout`, its path relative to the import path."""
    code, offset = site
    # By identity: a code object hashes all that it holds. Kept with it, so that it is not reused.
    key = id(code), offset
    known = _known.get(key)
    if known is None:
        if len(_known) > 10_000:
            _known.clear()
        known = _known[key] = code, _text(code, offset)
    return known[1]


def _text(code: CodeType, offset: int) -> str:
    positions = islice(code.co_positions(), offset // 2, None)
    line = next(positions, (None,))[0] or code.co_firstlineno
    return f"{relative_path(code.co_filename)}:{line} in {code.co_qualname}"


_relative_paths: dict[str, str] = {}


def relative_path(filename: str) -> str:
    """Return a file's path relative to the folder on the import path that holds it."""
    path = _relative_paths.get(filename)
    if path is None:
        inside = [root for root in _roots() if filename.startswith(root)]
        path = filename[len(max(inside, key=len, default="")) :]
        _relative_paths[filename] = path = path.replace(os.sep, "/")
    return path


def _roots() -> list[str]:
    try:
        here = os.getcwd()
    except OSError:  # the folder is gone
        here = os.sep
    texts = (root for root in (*sys.path, "") if isinstance(root, str))
    roots = {os.path.normpath(os.path.join(here, root)) for root in texts} - {os.sep}
    return [os.path.join(root, "") for root in roots]
