"""What an instance's row holds, as far as that is known: what it was loaded or last saved with.

The values are kept on `instance._state`, frozen where they could be changed in place. They go
where the instance goes, except into a pickle: it does not grow, and what is read from it has
unknown old values. So has an instance that was made and not loaded.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.db import connections
from django.db.models import Model

from signals_demo.catalog.outcomes import OPEN, ROLLED_BACK
from signals_demo.serialize.introspection import ATOMS, uuid_int
from signals_demo.serialize.model_info import ModelInfo
from signals_demo.serialize.same import UUID, same

if TYPE_CHECKING:
    from typing import Protocol

    class Outcome(Protocol):
        """What becomes of the transaction in which a row was written."""

        known: str

        @property
        def value(self) -> str: ...

        def decided_by(self) -> "Outcome": ...


class _Missing:
    """Stands for a value in `Loaded` that is not there."""


DEFERRED: Any = _Missing()  # never loaded
UNKNOWN: Any = _Missing()  # the database may hold another value than the instance


class Kept(tuple[Any, ...]):
    """A tuple that is not pickled, and that copies share."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[tuple[Any, ...]], tuple[()]]:
        return tuple, ()  # can be read where this app is not installed

    def __deepcopy__(self, memo: object) -> "Kept":
        return self


class Loaded(Kept):
    """The values of an instance's concrete fields when they last matched the database."""

    __slots__ = ()


class Undo(Kept):
    """What the row holds again after a rollback: `(outcome, Loaded | None)`, the outermost first.

    There is one for each transaction and savepoint that is open and in which it was written.
    """

    __slots__ = ()


def current(info: ModelInfo, instance: Model) -> Sequence[Any]:
    """Return the values that an instance has now, as they are kept."""
    held = instance.__dict__
    try:
        values = info.read(held)
    except KeyError:
        values = tuple(held.get(attname, DEFERRED) for attname in info.attnames)
    if not info.freezers:
        return values
    frozen = list(values)
    for index, freeze in info.freezers:
        frozen[index] = freeze(frozen[index])
    return frozen


def saved(info: ModelInfo, instance: Model) -> Sequence[Any]:
    """Return the values that a row has once its instance is saved."""
    values = current(info, instance)
    if not info.empty_files:
        return values
    written = list(values)
    for index in info.empty_files:
        if written[index] is None:
            written[index] = ""
    return written


def known(info: ModelInfo, instance: Model, outcome: "Outcome | None" = None) -> Loaded | None:
    """Return what the instance's row holds, or None where that is not known.

    `outcome` is that of the transaction that is open: what has been done in it still holds.
    """
    state = instance._state.__dict__
    undo = state.get(info.undo_key)
    if undo is not None and not (undo and undo[-1][0] is outcome):
        _undo(info, state)
    return state.get(info.loaded_key) or None


def _undo(info: ModelInfo, state: dict[str, Any]) -> None:
    """Go back to what the row held before all that has been rolled back since."""
    left: list[tuple[Outcome, Loaded | None]] = list(state[info.undo_key])
    if any(outcome.known == OPEN for outcome, _before in left):  # and will never be told
        state[info.loaded_key] = Loaded()
        left.clear()
    while left and (value := left[-1][0].value) != OPEN:
        _outcome, before = left.pop()
        if value == ROLLED_BACK:
            state[info.loaded_key] = before or Loaded()
        else:
            left.clear()
    # Of savepoints that are gone, the one around them decides.
    deciders = [outcome.decided_by() for outcome, _before in left]
    kept = [one for number, one in enumerate(left) if deciders[number] not in deciders[:number]]
    if kept:
        state[info.undo_key] = Undo(kept)
    else:
        del state[info.undo_key]


def remember(info: ModelInfo, instance: Model) -> None:
    """Keep the values that `instance` holds now as those that the database has."""
    instance._state.__dict__[info.loaded_key] = Loaded(current(info, instance))


def forget(info: ModelInfo, instance: Model) -> None:
    """Know nothing of the row any more."""
    state = instance._state.__dict__
    state.pop(info.loaded_key, None)
    state.pop(info.undo_key, None)


def adopt(info: ModelInfo, instance: Model, fresh: Model) -> None:
    """Take over from `fresh`, just loaded, what `instance.refresh_from_db()` will copy."""
    found = known(info, fresh)
    if type(fresh) is not type(instance) or found is None:
        return
    held = instance.__dict__
    now = [held.get(attname) for attname in info.attnames]
    if not is_row(info, found, now):
        return  # a related object, loaded with it
    before = known(info, instance)
    if before is None or not is_row(info, before, now):
        before = Loaded((UNKNOWN,) * len(info.names))
    instance._state.__dict__[info.loaded_key] = Loaded(
        old if new is DEFERRED else new for old, new in zip(before, found, strict=True)
    )


def keep(
    info: ModelInfo,
    instance: Model,
    values: Sequence[Any],
    written: Iterable[int] | None,
    outcome: "Outcome | None",
    before: Loaded | None,
) -> None:
    """Keep the values that have been written: all of them if `written` is None.

    `outcome` is that of the transaction that is open, if one is, and `before` what was known.
    """
    state = instance._state.__dict__
    if written is not None:
        is_same_row = before is not None and is_row(info, before, values)
        kept = list(before if before and is_same_row else (UNKNOWN,) * len(values))
        for index in (*written, *info.key_indexes):
            kept[index] = values[index]
        values = kept
    if outcome is not None:
        undo = state.get(info.undo_key) or ()
        if not undo or (
            undo[-1][0] is not outcome and undo[-1][0].decided_by() is not outcome.decided_by()
        ):
            state[info.undo_key] = Undo((*undo, (outcome, before)))
    elif info.undo_key in state:
        del state[info.undo_key]
    state[info.loaded_key] = Loaded(values)


def is_row(info: ModelInfo, before: Sequence[Any], values: Sequence[Any]) -> bool:
    """Return whether two sets of values have one key."""
    for index in info.key_indexes:
        old, new = before[index], values[index]
        if old is not new and not _same_key(old, new):
            return False
    return True


def _same_key(old: Any, new: Any) -> bool:
    if old is None or new is None:
        return False
    if same(old, new):
        return True
    if id(type(old)) in ATOMS and id(type(new)) in ATOMS:  # "1" finds the row 1
        return type(old) is not type(new) and str(old) == str(new)
    if type(old) is str or type(new) is str:
        text, other = (old, new) if type(old) is str else (new, old)
        if type(other) is UUID:
            return bool(text.replace("-", "").lower() == f"{uuid_int(other):032x}")
    return False


def forget_in(info: ModelInfo, instance: Model, alias: str) -> None:
    """Forget what is known of the row if the instance is about to be saved to other data."""
    loaded_from = instance._state.__dict__.get("db")
    if loaded_from != alias and loaded_from is not None and not _are_one(loaded_from, alias):
        forget(info, instance)


def _are_one(alias: str, other: str) -> bool:
    """Return whether two aliases are of the same data, because one of them is a replica."""
    databases = connections.settings
    found = [databases.get(each, {}) for each in (alias, other)]
    primary, second = (
        one.get("TEST", {}).get("MIRROR") or each
        for one, each in zip(found, (alias, other), strict=True)
    )
    if primary == second:
        return True
    names = [(one.get("ENGINE"), str(one.get("NAME") or "")) for one in found]
    return names[0] == names[1] and names[0][1] not in ("", ":memory:")


def indexes(info: ModelInfo, names: Collection[str]) -> list[int]:
    """Return where fields, named by name or column, are among the values."""
    return sorted({info.index_of[name] for name in names if name in info.index_of})
