"""Takes receivers out of a signal for a while, and puts them back in their order."""

from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakKeyDictionary

from django.dispatch import Signal
from django.dispatch.dispatcher import NONE_ID

Entry = tuple[Any, ...]
"""How a `Signal` keeps a receiver: its key, the receiver or a weak reference to it, and more."""


class TakenOut:
    """An entry that is taken out, what stood before it, and how many callers want it out."""

    def __init__(self, entry: Entry, before: list[Entry]) -> None:
        self.entry = entry
        self.before = before
        self.wanted_out = 0


# Callers may overlap, in threads and tasks: an entry is put back by the last that wants it out.
_taken_out: WeakKeyDictionary[Signal, list[TakenOut]] = WeakKeyDictionary()


def _insert(entries: list[Entry], entry: Entry, before: list[Entry]) -> None:
    """Insert an entry after the last of those that stood before it."""
    index = 0
    for number, other in enumerate(entries, 1):
        if any(other is each for each in before):
            index = number
    entries.insert(index, entry)


def _all_entries(signal: Signal) -> list[Entry]:
    entries = list(signal.receivers)
    for each in _taken_out.get(signal, ()):
        _insert(entries, each.entry, each.before)
    return entries


def all_entries(signal: Signal) -> list[Entry]:
    """Return what is connected to a signal, with what is taken out for a while in its order."""
    with signal.lock:
        return _all_entries(signal)


def take_out(signal: Signal, is_meant: Callable[[Entry], bool]) -> list[TakenOut]:
    """Take the entries out that are meant, and return them with those that are out already.

    `put_back()` has to be called with what this returns.
    """
    with signal.lock:
        taken_out = _taken_out.setdefault(signal, [])
        entries = _all_entries(signal)
        chosen = [each for each in taken_out if is_meant(each.entry)]
        for entry in filter(is_meant, list(signal.receivers)):
            chosen.append(TakenOut(entry, entries[: entries.index(entry)]))
            taken_out.append(chosen[-1])
        for each in chosen:
            each.wanted_out += 1
        _replace(signal, [e for e in signal.receivers if not any(e is c.entry for c in chosen)])
    return chosen


def put_back(signal: Signal, chosen: Iterable[TakenOut]) -> None:
    """Put entries back that no other caller wants out."""
    with signal.lock:
        entries = list(signal.receivers)
        for each in chosen:
            each.wanted_out -= 1
            if each.wanted_out == 0:
                _taken_out[signal].remove(each)
                # What was connected meanwhile under the same key would come twice.
                entries = [entry for entry in entries if entry[0] != each.entry[0]]
                _insert(entries, each.entry, each.before)
        _replace(signal, entries)


def _replace(signal: Signal, entries: list[Entry]) -> None:
    signal.receivers[:] = entries
    signal.sender_receivers_cache.clear()
    # One may have died while it was out: have the signal look.
    signal._dead_receivers = True  # type: ignore[attr-defined]


def entries_before(signal: Signal, uid: str) -> list[Entry]:
    """Return what stands before the receiver that was connected for every sender with this uid."""
    entries = list(signal.receivers)
    found = [index for index, entry in enumerate(entries) if entry[0] == (uid, NONE_ID)]
    return entries[: found[0]] if found else entries


def others_before(signal: Signal, uid: str, sender: object = None) -> bool:
    """Return whether another receiver is called before the one with this uid and sender."""
    key = NONE_ID if sender is None else id(sender)
    for entry in list(signal.receivers):
        if entry[0] == (uid, key):
            break
        if NONE_ID in (key, entry[0][1]) or entry[0][1] == key:
            return True
    return False


def move_after(signal: Signal, uid: str, before: list[Entry], sender: object = None) -> None:
    """Move the receiver with this uid and sender to the place right after these entries."""
    key = NONE_ID if sender is None else id(sender)
    with signal.lock:
        entries = list(signal.receivers)
        for entry in [entry for entry in entries if entry[0] == (uid, key)]:
            entries.remove(entry)
            _insert(entries, entry, before)
        _replace(signal, entries)
