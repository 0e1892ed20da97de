"""What a folded row says of its firings, beside the arguments of the first one."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from signals_demo.serialize.text import Text, encode, render, with_members

FOLDED = "folded"
"""The argument under which it is."""

MOST_KEYS = 5
"""So many different instances are named; a row with fewer names all."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def with_folded(arguments: Text, last: int, keys: Iterable[str | int]) -> Text:
    """Return arguments with the time of the last firing, in ns since the epoch, and the keys.

    A key is a number or JSON text. Other threads may add to `keys` while this copies them.
    """
    named = [key for key in tuple(keys) if key != "null"]  # of one that is not saved
    return _with_folded, arguments, last, tuple(named[:MOST_KEYS])


def _with_folded(arguments: Text, last: int, keys: tuple[str | int, ...]) -> str:
    last_at = (_EPOCH + timedelta(microseconds=last // 1000)).isoformat()
    pks = f',"pks":[{",".join(map(str, keys))}]' if keys else ""
    return with_members(render(arguments), f'"{FOLDED}":{{"last_at":{encode(last_at)}{pks}}}')
