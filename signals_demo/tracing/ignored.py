"""Requests in which nothing is recorded: those of `EXCLUDE_PATHS`, and the live page's own."""

from collections.abc import Callable
from functools import lru_cache

from django.conf import settings
from django.urls import Resolver404, resolve
from django.utils.translation import get_language_from_path, override

from signals_demo.conf import config
from signals_demo.tracing.scope import IGNORED, silent
from signals_demo.tracing.trace import Trace

ROUTE = "live/events/"
NAME = "live_events"

_ENDING = f"/signals_demo/signalevent/{ROUTE}"
_URL_NAME = f"signals_demo_signalevent_{NAME}"


def is_ignored(method: str, path: str, path_info: str) -> bool:
    """Return whether a request is one of them; `path_info` is its path within the site."""
    excluded = config().exclude_paths
    if excluded and _matcher(excluded)(path or "/"):
        return True
    # Every request comes by here; hardly any gets past this line.
    return path_info.endswith(_ENDING) and method in ("GET", "HEAD") and _leads_to_us(path_info)


def begin(trace: Trace) -> None:
    """Record nothing from here on in this context, if the trace is that of such a request."""
    if trace.is_ignored:
        silent.set(silent.get() + IGNORED)


def end(trace: Trace) -> None:
    """Record again in this context, if this trace kept it from that."""
    if trace.is_ignored:
        silent.set(max(silent.get() - IGNORED, 0))


def _leads_to_us(path_info: str) -> bool:
    """Return whether it leads to our view: another view may have the same ending."""
    try:
        with override(get_language_from_path(path_info)):  # the path may begin with a language
            return resolve(path_info, settings.ROOT_URLCONF).url_name == _URL_NAME
    except Resolver404:
        return False


@lru_cache(maxsize=8)
def _matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Return what says whether a path matches one of the patterns."""
    whole = frozenset(pattern for pattern in patterns if "*" not in pattern)
    parts = [pattern.split("*") for pattern in patterns if "*" in pattern]
    return lambda path: path in whole or any(_fits(path, each) for each in parts)


def _fits(path: str, parts: list[str]) -> bool:
    """Return whether a path consists of these parts in this order, with anything between them."""
    # No regular expression: with several stars that takes a time that grows faster than the path.
    first, *middle, last = parts
    place, end = len(first), len(path) - len(last)
    if place > end or not (path.startswith(first) and path.endswith(last)):
        return False
    for part in middle:
        found = path.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True
