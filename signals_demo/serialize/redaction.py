"""The only place that masks secrets."""

import re
from collections.abc import Callable, Iterable
from functools import cache, cached_property, lru_cache
from urllib.parse import unquote_plus

MASK = "********************"

# The first line is what Django's debug pages hide, but for one thing: an author is a person,
# an authorisation is not. The second is what else would let somebody take over a session.
HIDDEN = (
    r"API|AUTH(?!ORS?(?![A-Z])|ORED|ORSHIP)|TOKEN|KEY|SECRET|PASS|SIGNATURE|HTTP_COOKIE",
    r"SESSION_?(?:DATA|ID)(?![A-Z])|COOKIE|CSRF|XSRF|CREDENTIAL|PRIVATE",
)
_LONG_NAME = 100

# What follows a colon is a password and not a port. One with an unquoted slash ends at the next @.
_URL_PASSWORD = r"(?<=://)([^/@\s:?#]*):(?!\d+(?:[/?#\s]|$))(?:[^/?#\s]+(?=@)|\S+?(?=@))"
_PARAMETER = r"(?:^|(?<=[&;?]))([^&;?=]*)=([^&;]*)"
_URL_PARAMETER = r"(?<=[?&;#])([^\s?&;#=]*)=([^\s&;#\"'<>]*)"
# `password='x'`, `{"password": "x"}`, and PostgreSQL's `Key (session_key)=(x)`.
_ASSIGNMENT = (
    r"""(\([\w.,\- ]+\)|(?<![\w.\-])[\w.\-]+)(["'\]]*\s*=\s*|["']\s*:\s*)"""
    r"""(\([^)]*\)|"[^"]*"|'[^']*'|[^\s"'(),;&\]}]+)"""
)
_AUTHORIZATION = r"(?i)\b(Bearer|Basic|Token)\s+[\w.~+/\-]{8,}=*"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern when it is first wanted: a process that only starts wants none."""
    return re.compile(pattern)


class Redactor:
    """Says which names are secret, and masks what goes by them."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._patterns = (*HIDDEN, *patterns)
        self._known = lru_cache(maxsize=4096)(self._is_secret)

    @cached_property
    def _searches(self) -> list[Callable[[str], object]]:
        # One by one: flags and groups of one pattern are nothing to the others.
        return [re.compile(pattern, re.IGNORECASE).search for pattern in self._patterns]

    def is_secret(self, name: str) -> bool:
        """Return whether what goes by this name must not be shown."""
        return self._known(name) if len(name) <= _LONG_NAME else self._is_secret(name)

    def _is_secret(self, name: str) -> bool:
        return any(search(name) for search in self._searches)

    def _mask_parameter(self, match: re.Match[str]) -> str:
        name, value = match.groups()
        # Names come from outside: remembering them would fill the memory of known names.
        return f"{name}={MASK if self._is_secret(unquote_plus(name)) else value}"

    def query_string(self, text: str) -> str:
        """Return a query string with the values of secret parameters masked."""
        return _compiled(_PARAMETER).sub(self._mask_parameter, text)

    def urls(self, text: str) -> str:
        """Return text with the passwords and secret parameters of the URLs in it masked."""
        if "@" in text:
            text = _compiled(_URL_PASSWORD).sub(rf"\1:{MASK}", text)
        if "=" in text:
            text = _compiled(_URL_PARAMETER).sub(self._mask_parameter, text)
        return text

    def message(self, text: str) -> str:
        """Return the message of an exception with the secrets that it names masked."""

        def mask(match: re.Match[str]) -> str:
            name, sign, value = match.groups()
            return f"{name}{sign}{MASK if self._is_secret(name) else value}"

        text = _compiled(_ASSIGNMENT).sub(mask, self.urls(text))
        return _compiled(_AUTHORIZATION).sub(rf"\1 {MASK}", text)
