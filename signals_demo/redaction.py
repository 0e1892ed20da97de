"""The only place that masks secrets."""

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote_plus

MASK = "********************"

# The first line is what Django's debug pages hide, but for one thing: an author is a person,
# an authorisation is not. The second is what else would let somebody take over a session.
HIDDEN = (
    r"API|AUTH(?!ORS?(?![A-Z])|ORED|ORSHIP)|TOKEN|KEY|SECRET|PASS|SIGNATURE|HTTP_COOKIE",
    r"SESSION_?(?:DATA|ID)(?![A-Z])|COOKIE|CSRF|XSRF|CREDENTIAL|PRIVATE",
)
_URL_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):[^/@\s]+(?=@)")


class Redactor:
    """Says which names are secret, and masks what goes by them."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        expressions = (f"(?:{pattern})" for pattern in (*HIDDEN, *patterns))
        self._search = re.compile("|".join(expressions), re.IGNORECASE).search
        self.is_secret = lru_cache(maxsize=4096)(self._is_secret)

    def _is_secret(self, name: str) -> bool:
        return self._search(name) is not None

    def query_string(self, text: str) -> str:
        """Return a query string with the values of secret parameters masked."""
        pairs = (pair.partition("=") for pair in text.split("&"))
        return "&".join(
            f"{name}={MASK}"
            if equals and self._is_secret(unquote_plus(name))
            else f"{name}{equals}{value}"
            for name, equals, value in pairs
        )

    def url(self, text: str) -> str:
        """Return a URL with its password and its secret query parameters masked."""
        text = _URL_PASSWORD.sub(rf"\1:{MASK}", text) if "@" in text else text
        head, mark, query = text.partition("?")
        return head + mark + self.query_string(query) if mark else text
