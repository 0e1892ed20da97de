"""Remove receivers from a signal for a while, and put them back in their places."""

from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakKeyDictionary

from django.dispatch import Signal
from django.dispatch.dispatcher import NONE_ID

Entry = tuple[Any, ...]
"""How a `Signal` keeps a receiver: its key, the receiver or a weak reference to it, and more."""


class Hidden:
    """A removed entry, the entries before it, and how many blocks need it removed."""

    def __init__(self, entry: Entry, before: list[Entry]) -> None:
        self.entry = entry
        self.before = before
        self.blocks = 0


# Blocks may overlap, in threads and tasks: the last one puts an entry back.
_hidden: WeakKeyDictionary[Signal, list[Hidden]] = WeakKeyDictionary()


def _put(entries: list[Entry], hidden: Hidden) -> None:
    """Put an entry back in its place: after the last entry that was before it."""
    place = 0
    for index, entry in enumerate(entries, 1):
        if any(entry is other for other in hidden.before):
            place = index
    entries.insert(place, hidden.entry)


def _all_entries(signal: Signal) -> list[Entry]:
    full = list(signal.receivers)
    for each in _hidden.get(signal, ()):
        _put(full, each)
    return full


def entries_of(signal: Signal) -> list[Entry]:
    """Return the entries of a signal, with the removed ones in their places."""
    with signal.lock:
        return _all_entries(signal)


def hide(signal: Signal, is_meant: Callable[[Entry], bool]) -> list[Hidden]:
    """Remove the matching entries; return them and those that were already removed.

    Call `show()` with the result.
    """
    with signal.lock:
        hidden = _hidden.setdefault(signal, [])
        full = _all_entries(signal)
        chosen = [each for each in hidden if is_meant(each.entry)]
        for entry in filter(is_meant, list(signal.receivers)):
            chosen.append(Hidden(entry, full[: full.index(entry)]))
            hidden.append(chosen[-1])
        for each in chosen:
            each.blocks += 1
        _replace(signal, [e for e in signal.receivers if not any(e is c.entry for c in chosen)])
    return chosen


def show(signal: Signal, chosen: Iterable[Hidden]) -> None:
    """Put back the entries that no other block needs removed."""
    with signal.lock:
        entries = list(signal.receivers)
        for each in chosen:
            each.blocks -= 1
            if each.blocks == 0:
                _hidden[signal].remove(each)
                # A receiver that was connected meanwhile under the same key would be called twice.
                entries = [entry for entry in entries if entry[0] != each.entry[0]]
                _put(entries, each)
        _replace(signal, entries)


def _replace(signal: Signal, entries: list[Entry]) -> None:
    signal.receivers[:] = entries
    signal.sender_receivers_cache.clear()
    # A receiver may have died while it was removed: make the signal check.
    signal._dead_receivers = True  # type: ignore[attr-defined]


def before(signal: Signal, uid: str) -> list[Entry]:
    """Return the entries before the receiver that has this uid and no sender."""
    entries = list(signal.receivers)
    places = [place for place, entry in enumerate(entries) if entry[0] == (uid, NONE_ID)]
    return entries[: places[0]] if places else entries


def move(signal: Signal, uid: str, behind: list[Entry]) -> None:
    """Move that receiver behind these entries."""
    with signal.lock:
        entries = list(signal.receivers)
        for entry in [entry for entry in entries if entry[0] == (uid, NONE_ID)]:
            entries.remove(entry)
            _put(entries, Hidden(entry, behind))
        _replace(signal, entries)
