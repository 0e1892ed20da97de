"""The part of two long values in which they differ."""

import json
from typing import Any

from signals_demo.serialize.limits import MAX_TEXT
from signals_demo.serialize.redaction import Redactor, may_hold_secret
from signals_demo.serialize.values import jsonable

CONTEXT = 60
"""How many characters are shown around the part that differs."""

_BEFORE = 1000  # characters before it that are looked at, for the name of a secret
_LONGEST = MAX_TEXT - 200


def text_parts(old: str, new: str, redactor: Redactor) -> tuple[str, str]:
    """Return what differs in two texts, masked, with how much is the same around it."""
    start = _same_start(old, new)
    end = _same_start(old[start:][::-1], new[start:][::-1])
    begin = max(0, start - _BEFORE)
    windows = [
        _masked(text[begin : len(text) - end + CONTEXT][: _BEFORE + 2 * MAX_TEXT], redactor)
        for text in (old, new)
    ]
    shown_from = max(0, _same_start(*windows) - CONTEXT)
    # Masks may be shorter than what they hide.
    before = min(begin + shown_from, start)
    after = max(0, end - CONTEXT)
    first, second = (
        f"{f'… ({before:,} characters before) ' if before else ''}"
        f"{_cut(window[shown_from:], len(text) - before - after)}"
        f"{f' … ({after:,} characters after)' if after else ''}"
        for window, text in zip(windows, (old, new), strict=True)
    )
    return first, second


def _cut(text: str, length: int) -> str:
    return f"{text[:_LONGEST]}… ({length:,} characters)" if len(text) > _LONGEST else text


def json_parts(old: Any, new: Any, redactor: Redactor) -> tuple[str, str] | None:
    """Return what differs in two containers as JSON, or None if JSON cannot be made of them."""
    # As a whole, because what is secret may be said at another place than where it is.
    first, second = (_json_text(value, redactor) for value in (old, new))
    if first is None or second is None:
        return None
    return text_parts(redactor.text(first), redactor.text(second), redactor)


def _json_text(value: Any, redactor: Redactor) -> str | None:
    try:
        return json.dumps(
            value,
            ensure_ascii=False,
            sort_keys=True,
            default=lambda other: jsonable(other, redactor),
        )
    except (TypeError, ValueError, RecursionError):
        return None


def _masked(text: str, redactor: Redactor) -> str:
    return redactor.message(text) if may_hold_secret(text) else text


def _same_start(old: str, new: str) -> int:
    """Return how many characters at the start are the same."""
    low, high = 0, min(len(old), len(new))
    while low < high:  # by halves: comparing them takes hardly any time
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
