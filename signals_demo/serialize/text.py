"""JSON as text, and text that every database takes."""

import json
from collections.abc import Callable
from json.encoder import encode_basestring as quoted
from typing import Any

__all__ = [
    "BOOLEANS", "Text", "ascii_json", "ascii_text", "clean", "encode", "quoted", "render",
    "storable", "with_members",
]  # fmt: skip

BOOLEANS = ("false", "true")

Text = str | tuple[Any, ...]
"""JSON text, or a function that makes it later and its arguments.

The arguments must not be able to change. Secrets among them are masked in the text.
"""

_NUL = chr(0)

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def clean(text: str) -> str:
    """Return text without what no database takes: NUL and lone surrogates are escaped."""
    if _NUL in text:
        text = text.replace(_NUL, "\\x00")
    if not (text.isascii() or text.isprintable()):  # then it may have surrogates
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


def ascii_text(text: str) -> str:
    """Return text with a visible escape for each character beyond ASCII."""
    return text.encode("ascii", "backslashreplace").decode("ascii")


def ascii_json(text: str) -> str:
    """Return a text of JSON whose strings have no character beyond ASCII, escaped or not."""
    return encode(_changed(json.loads(text), ascii_text))


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON value with each text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_changed(item, change) for item in value]
    if isinstance(value, dict):
        return {change(key): _changed(item, change) for key, item in value.items()}
    return value


def storable(text: str) -> str:
    """Return a text of JSON that every database takes, cleaned as `clean` does."""
    # A NUL is written as an escape; a surrogate as itself, which cannot be encoded.
    if "\\u0000" in text or clean(text) != text:
        return encode(_changed(json.loads(text), clean))
    return text


def render(text: Text) -> str:
    """Return the JSON text, which is made now if it has not been."""
    if isinstance(text, str):
        return text
    function, *arguments = text
    return str(function(*arguments))


def with_members(text: str, members: str) -> str:
    """Return the JSON text of an object with more members, which are text such as `"a":1`."""
    return f"{{{members}}}" if text == "{}" else f"{text[:-1]},{members}}}"
