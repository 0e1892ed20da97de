"""JSON as text, and text that every database takes."""

import json
from json.encoder import encode_basestring as quoted
from typing import Any

__all__ = ["BOOLEANS", "Text", "clean", "encode", "quoted", "render", "storable"]

BOOLEANS = ("false", "true")

Text = str | tuple[Any, ...]
"""JSON text, or a function that makes it later and its arguments.

The arguments must hold no secret and must not be able to change.
"""

_NUL = chr(0)

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def clean(text: str) -> str:
    """Return text that every database takes: NUL and lone surrogates made visible."""
    if _NUL in text:
        text = text.replace(_NUL, "\N{SYMBOL FOR NULL}")
    if not (text.isascii() or text.isprintable()):  # then it may have surrogates
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_clean_value(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): _clean_value(item) for key, item in value.items()}
    return value


def storable(text: str) -> str:
    """Return a text of JSON that every database takes, cleaned as `clean` does."""
    # A NUL is written as an escape; a surrogate as itself, which cannot be encoded.
    if "\\u0000" in text or clean(text) != text:
        return encode(_clean_value(json.loads(text)))
    return text


def render(text: Text) -> str:
    """Return the JSON text, which is made now if it has not been."""
    if isinstance(text, str):
        return text
    function, *arguments = text
    return str(function(*arguments))
