"""Masks the parts of a URL's path that are secrets: the token of a password reset link.

The project's own URL patterns say which part has which name. Their regular expressions are
matched here as Django does; no converter and no view is called, and no module is imported.
"""

import re
import sys
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.urls import URLPattern, URLResolver
from django.urls.resolvers import LocalePrefixPattern, RegexPattern, RoutePattern

from signals_demo.serialize.redaction import MASK, Redactor

LONGEST_PATH = 1000
MOST_PATTERNS = 2000
"""How many patterns are tried for one path."""

# Where no pattern knows a path: a part that no one writes by hand and that is no UUID.
_PART = re.compile(r"(?<=/)[\w~=+\-]{20,}(?=/|$)|(?<=/)eyJ[\w\-.]{20,}")
_CHANGE = re.compile(r"[A-Za-z](?=[0-9])|[0-9](?=[A-Za-z])")
_UUID = re.compile(r"(?i)[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
_LANGUAGE = re.compile(r"(?:[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})?/)?")

_ADDRESS = re.compile(r"([A-Za-z][\w+.\-]{0,20}://[^/?#\s]*)(/[^?#\s]*)")

Span = tuple[int, int]


def masked_path(path: str, redactor: Redactor, urlconf: Any = None) -> str:
    """Return a path within the site, without its script prefix, with its secrets masked.

    `urlconf` is the module of URL patterns or its name, as in `request.urlconf`; without one it
    is `ROOT_URLCONF`. A path that no pattern matches loses what looks random.
    """
    path = path[:LONGEST_PATH]
    try:
        spans = _secret_spans(path, redactor, urlconf or getattr(settings, "ROOT_URLCONF", None))
    except Exception:  # noqa: BLE001 - a pattern of the project's may raise anything
        spans = None
    if spans is None:
        return _PART.sub(lambda part: MASK if _looks_random(part[0]) else part[0], path)
    for start, end in sorted(spans, reverse=True):
        path = path[:start] + MASK + path[end:]
    return path


def masked_address(address: str, redactor: Redactor) -> str:
    """Return a URL with the secrets in its path, its parameters and its user masked.

    Its path may be one of this site's: a `Referer` mostly is.
    """
    found = _ADDRESS.match(address)
    if found is None:
        return redactor.urls(address)
    return redactor.urls(found[1] + masked_path(found[2], redactor) + address[found.end() :])


def _looks_random(part: str) -> bool:
    return len(_CHANGE.findall(part)) >= 4 and not _UUID.fullmatch(part)


def _secret_spans(path: str, redactor: Redactor, urlconf: Any) -> list[Span] | None:
    """Return where the secrets in a path are, or None if no pattern matches it."""
    patterns = _patterns_of(urlconf)
    if patterns is None or not path.startswith("/"):
        return None
    found = _Search(path, redactor).of(patterns, 1)
    return next(found, None)


def _patterns_of(urlconf: Any) -> Any:
    """Return the URL patterns of a module that is loaded, or None."""
    if isinstance(urlconf, str):
        urlconf = sys.modules.get(urlconf)
    known = getattr(urlconf, "urlpatterns", urlconf)
    return known if isinstance(known, (list, tuple)) else None


class _Search:
    """The search for the pattern that a path leads to."""

    def __init__(self, path: str, redactor: Redactor) -> None:
        self.path = path
        self.redactor = redactor
        self.left = MOST_PATTERNS

    def of(self, patterns: Any, start: int) -> Iterator[list[Span]]:
        """Yield the spans of secrets for each pattern that matches the path from `start` on."""
        for each in patterns:
            self.left -= 1
            if self.left < 0:
                return
            match = self._match(each, start)
            if match is None:
                continue
            spans = [
                (start + match.start(name), start + match.end(name))
                for name in match.re.groupindex
                if match.start(name) >= 0 and self.redactor.is_secret(name)
            ]
            if type(each) is URLPattern:
                yield spans
                continue
            inner = _patterns_of(each.urlconf_name)
            if inner is not None:
                yield from (spans + more for more in self.of(inner, start + match.end()))

    def _match(self, each: Any, start: int) -> re.Match[str] | None:
        if type(each) not in (URLPattern, URLResolver):
            return None
        pattern = each.pattern
        rest = self.path[start:]
        if type(pattern) in (RoutePattern, RegexPattern):
            regex: re.Pattern[str] = pattern.regex
            return regex.search(rest)
        # The language of i18n_patterns is that of the request, which has ended by now.
        return _LANGUAGE.match(rest) if type(pattern) is LocalePrefixPattern else None
