"""Masks secrets in text: the addresses, parameters, JSON and messages that may hold one.

All of it is linear in the length of the text, and the callers bound that length: no pattern here
can go back over more than the word that it is in.
"""

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from signals_demo.serialize.secret_names import SecretNames

MASK = "********************"

DEEPEST = 4
"""Levels of texts in texts (a URL in a parameter of a URL, JSON in JSON) that are looked into."""

_PARAMETER = re.compile(r"(?:^|(?<=[&;?]))([^&;?=]*)=([^&;]*)")
_URL_PARAMETER = re.compile(r"(?<=[?&;#])([^\s?&;#=\"'<>]*)=([^\s&;#\"'<>]*)")
# `password='x'`, `{"password": "x"}`, `\"pin\": [1, 2]`, and PostgreSQL's `Key (pin)=(x)`.
_ASSIGNMENT = re.compile(
    r"(\([\w.,\- ]+\)|(?<![\w.\-])[\w.\-]+)"
    r"""([\\"'\]]*\s*=\s*|[\\"'`]+\s*:\s*)"""
    r"(\([^()]*\)"
    r"|\[[^\[\]]*(?:\]|$)|\{[^{}]*(?:\}|$)"
    r"""|\\"[^"]*(?:"|$)|"(?:[^"\\]|\\.)*(?:"|$)|'(?:[^'\\]|\\.)*(?:'|$)"""
    r"""|[^\s"'(),;&\]}]+)"""
)
_HEADER = re.compile(r"(?m)^([ \t]*[\w\-]+):[ \t]*\S.*$")
_BEARER = re.compile(r"(?i)\b(bearer)\s+([\w.~+/\-]{4,}=*)")
_SCHEME = re.compile(
    r"(?i)\b(basic|token|jwt|digest|apikey)\s+(?=[\w.~+/\-]*[0-9=])([\w.~+/\-]{6,}=*)"
)
# What databases quote of a row, up to the end of the line: few of them name the column.
_QUOTED = re.compile(
    r"(Duplicate entry |[Ii]ncorrect [\w ]{0,30}value: |syntax for type [\w ]{1,40}: "
    r"|value out of range: |Failing row contains )"
    r"(['\"(])([^\n]*)"
)
_QUOTE_ENDS = {"'": "' for ", '"': '"', "(": ")"}
_STATEMENT_LINE = re.compile(r"(?m)^(LINE \d+: )(.*)$")
_LITERAL = re.compile(r"'(?:[^']|'')*(?:'|$)")
# `user:password@tcp(host)`, as drivers write it.
_DRIVER_DSN = re.compile(r"(?<![^\s\"'])([^\s:/@\"']+):([^\s@\"']+)@(?=(?:tcp|unix)\()")

_USERINFO_END = re.compile(r"[/?#\s\"'<>]")
# As the password beside a user name that is a token.
_PLACEHOLDERS = frozenset({"", "api_token", "unused", "x-oauth-basic", "x-token-auth"})
_LONGEST_USER = 24
_PORT = re.compile(r"\d{1,5}")


class Redactor:
    """Masks what goes by the name of a secret, in text and in structures."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self.names = SecretNames(patterns)
        self.is_secret = self.names.is_secret

    def query_string(self, text: str, depth: int = 0) -> str:
        """Return a query string with the values of secret parameters masked."""
        return _PARAMETER.sub(lambda match: self._parameter(match, depth), text)

    def _parameter(self, match: re.Match[str], depth: int) -> str:
        name, value = match.groups()
        if self.names.is_secret_when_sent(unquote_plus(name)):
            return f"{name}={MASK}"
        return f"{name}={self._value(value, depth)}"

    def _value(self, value: str, depth: int) -> str:
        """Return the value of a parameter, which may be an address or JSON, escaped or not."""
        plain = unquote_plus(value)
        for _ in range(DEEPEST):  # escaped again: an address in an address in an address
            if "%" not in plain or (again := unquote_plus(plain)) == plain:
                break
            plain = again
        masked = self.text(plain, depth + 1)
        if masked == plain:
            return value
        return masked if plain == value else quote_plus(masked, safe="/:?=*,@")

    def urls(self, text: str, depth: int = 0) -> str:
        """Return text with the passwords and secret parameters of the URLs in it masked."""
        if "://" in text and "@" in text:
            text = _without_passwords(text)
        if "=" in text:
            text = _URL_PARAMETER.sub(lambda match: self._parameter(match, depth), text)
        return text

    def text(self, text: str, depth: int = 0) -> str:
        """Return the text of a field or a parameter, which may be an address or JSON, masked."""
        if depth > DEEPEST:
            return MASK if may_hold_secret(text) or "%" in text else text
        looks_like_json = text[:1] in ("{", "[", '"')
        if looks_like_json and (found := _parsed(text)) is not None:
            masked = self._structure(found, depth)
            return text if masked == found else json.dumps(masked, ensure_ascii=False)
        text = self.urls(text, depth)
        if "=" in text or looks_like_json:
            text = _ASSIGNMENT.sub(self._assignment, text)
        return _BEARER.sub(rf"\1 {MASK}", text) if "earer " in text else text

    def message(self, text: str) -> str:
        """Return an exception's message with the secrets masked that it names or quotes."""
        text = _ASSIGNMENT.sub(self._assignment, self.urls(text))
        text = _HEADER.sub(self._header, text)
        text = _DRIVER_DSN.sub(rf"\1:{MASK}@", text)
        text = _QUOTED.sub(_without_value, text)
        text = _STATEMENT_LINE.sub(_without_literals, text)
        return _SCHEME.sub(rf"\1 {MASK}", _BEARER.sub(rf"\1 {MASK}", text))

    def _assignment(self, match: re.Match[str]) -> str:
        name, sign, value = match.groups()
        hidden = self.names.is_secret_from_outside(name)
        return f"{name}{sign}{MASK if hidden else value}"

    def _header(self, match: re.Match[str]) -> str:
        hidden = self.names.is_secret_from_outside(match[1])
        return f"{match[1]}: {MASK}" if hidden else match[0]

    def _structure(self, value: Any, depth: int) -> Any:
        """Return a value that JSON gave with its secrets masked."""
        if type(value) is str:
            return self.text(value, depth + 1)
        if type(value) is list:
            if is_named_pair(value, self.is_secret):
                return [value[0], MASK]
            return [self._structure(item, depth) for item in value]
        if type(value) is dict:
            named = names_a_secret(value, self.is_secret)
            return {
                key: MASK
                if item is not None and (self.is_secret(key) or (named and key in VALUE_KEYS))
                else self._structure(item, depth)
                for key, item in value.items()
            }
        return value


def may_hold_secret(text: str) -> bool:
    """Return whether `text()` could find anything in this: a quick look, for the usual text."""
    return "=" in text or '"' in text or "://" in text or "earer " in text


VALUE_KEYS = frozenset({"value", "values", "val"})
_NAME_KEYS = ("name", "key", "field", "header")


def is_named_pair(items: Any, is_secret: Any) -> bool:
    """Return whether this is a name and its secret: `["Authorization", "…"]`."""
    return len(items) == 2 and type(items[0]) is str and is_secret(items[0])


def names_a_secret(mapping: Any, is_secret: Any) -> bool:
    """Return whether this is a secret in the form `{"name": "password", "value": "…"}`."""
    return any(
        type(name := mapping.get(key)) is str and is_secret(name) for key in _NAME_KEYS
    ) and not VALUE_KEYS.isdisjoint(mapping)


def _parsed(text: str) -> Any:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if type(found) in (dict, list, str) else None


def _without_value(match: re.Match[str]) -> str:
    before, quote, rest = match.groups()
    end = rest.rfind(_QUOTE_ENDS[quote])
    return f"{before}{MASK}{rest[end + 1 :] if end >= 0 else ''}"


def _without_literals(match: re.Match[str]) -> str:
    return match[1] + _LITERAL.sub(MASK, match[2])


def _without_passwords(text: str) -> str:
    """Mask the passwords of URLs, and user names that stand alone: these are tokens."""
    parts = text.split("://")
    for number in range(1, len(parts)):
        parts[number] = _without_password(parts[number])
    return "://".join(parts)


def _without_password(rest: str) -> str:
    """Mask the password in what follows a `://`, up to the next one."""
    end = _USERINFO_END.search(rest)
    authority = rest[: end.start()] if end else rest
    at = authority.rfind("@")
    if at < 0:
        # A password may have an unescaped slash. A port is not a password.
        user, colon, after = authority.partition(":")
        is_port = not after or _PORT.fullmatch(after)
        space = re.search(r"\s", rest)
        at = rest.find("@", 0, space.start() if space else len(rest))
        if not colon or is_port or at < 0:
            return rest
        return f"{user}:{MASK}{rest[at:]}"
    user, colon, password = authority[:at].partition(":")
    if user not in ("", "git") and (password in _PLACEHOLDERS or len(user) > _LONGEST_USER):
        return f"{MASK}{rest[at:]}"
    return f"{user}:{MASK}{rest[at:]}" if colon else rest
