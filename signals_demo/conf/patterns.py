"""Which regular expressions `REDACT` accepts.

Python's engine goes back, and a pattern such as `(a+)+$` can take years on a short name that
someone sends for it. Nothing can interrupt it: so such patterns are refused by their structure.
"""

import re
from collections.abc import Iterator
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

LONGEST = 129
"""Characters that a pattern sees of a name, at most: `SecretNames` cuts it."""

MOST_STEPS = 8 * LONGEST**2
"""Ways to match that the engine may have to try: about ten milliseconds."""

_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)


def problem_of(pattern: str) -> str:
    """Return what to use instead of a pattern that cannot be used, or ""."""
    try:
        re.compile(pattern)
        parsed = list(_parser.parse(pattern))
    except (re.error, OverflowError, RecursionError) as error:
        return f"use regular expressions; {pattern!r} is not one ({error})"
    is_anchored = bool(parsed) and parsed[0] == (codes.AT, codes.AT_BEGINNING)
    # What a search ends with is tried once: nothing after it can fail.
    inner = parsed[:-1] if parsed and parsed[-1][0] in _REPEATS else parsed
    ways = 1 if is_anchored else LONGEST
    for least, most in _repeats(inner, inside=False):
        if most < 0:
            return f"use no repeat inside a repeat; {pattern!r} could take very long"
        ways *= most - least + 1
    if ways > MOST_STEPS:
        return f"use fewer repeats such as .* in one pattern; {pattern!r} could take very long"
    return ""


def _repeats(parsed: Any, *, inside: bool) -> Iterator[tuple[int, int]]:
    """Yield the bounds of each repeat; (0, -1) for a choice inside of one that is repeated."""
    for code, argument in parsed:
        if code in _REPEATS:
            least, most, body = argument
            most, least = min(int(most), LONGEST), min(int(least), LONGEST)
            if most != least:
                yield (0, -1) if inside else (least, most)
            yield from _repeats(body, inside=inside or most > 1)
        elif code is codes.BRANCH:
            if inside:
                yield 0, -1
            for branch in argument[1]:
                yield from _repeats(branch, inside=inside)
        elif code is codes.SUBPATTERN:
            yield from _repeats(argument[-1], inside=inside)
        elif code in (codes.ASSERT, codes.ASSERT_NOT):
            yield from _repeats(argument[1], inside=inside)
        elif code is codes.ATOMIC_GROUP:
            yield from _repeats(argument, inside=inside)
        elif code is codes.GROUPREF_EXISTS:
            yield from _repeats(argument[1], inside=inside)
            yield from _repeats(argument[2] or (), inside=inside)
