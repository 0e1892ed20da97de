"""What becomes of a transaction, and of a save: set when it is known, asked when it is stored."""

import weakref
from typing import TYPE_CHECKING, Protocol

from signals_demo.catalog.outcomes import OPEN, ROLLED_BACK

if TYPE_CHECKING:

    class Listener(Protocol):
        """Is called when something becomes known of an outcome."""

        def on_outcome(self, outcome: "TransactionOutcome") -> None: ...


class TransactionOutcome:
    """What becomes of a transaction, or of the part of it since a savepoint.

    `owner` is what will set it: the connection. If the owner is gone and has not set it, the
    server has rolled back.
    """

    __slots__ = ("__weakref__", "_owner", "_released", "known", "listener", "number", "parent")

    def __init__(self, parent: "TransactionOutcome | None" = None, owner: object = None) -> None:
        self.parent = parent
        self.known = ""
        """Its own value, once that is known: it does not change any more."""
        self._owner = None if owner is None else weakref.ref(owner)
        self._released = False
        # The journal, once it has written of this outcome, and the number it gave it.
        self.listener: Listener | None = None
        self.number = 0

    def set(self, value: str) -> None:
        """Note how it ended; what was noted before stands."""
        if not self.known:
            self.known = value
            if self.listener is not None:
                self.listener.on_outcome(self)

    def release(self) -> None:
        """Note that the savepoint is gone: what is around it decides from now on."""
        self._released = True
        if self.listener is not None:
            self.listener.on_outcome(self)

    def decided_by(self, outermost: "TransactionOutcome | None" = None) -> "TransactionOutcome":
        """Return the outcome that decides this one: itself or one around it, up to `outermost`."""
        outcome = self
        while outcome is not outermost and outcome._released and not outcome.known:
            if outcome.parent is None:
                break
            outcome = outcome.parent
        return outcome

    @property
    def is_waiting(self) -> bool:
        """Return whether it is that of a save that may still succeed or fail."""
        return False

    @property
    def is_decided(self) -> bool:
        """Return whether it is known, or is decided by the one around it."""
        return bool(self.known) or self._released

    @property
    def value(self) -> str:
        """Return `committed`, `rolled_back`, or `open` as long as it is not known."""
        # What is not released is set together with what is around it: no need to ask that. A
        # transaction may have thousands of savepoints inside each other.
        outcome = self.decided_by()
        # Asked first: the project's thread may set it, and release its owner, at this moment.
        is_alone = outcome._owner is not None and outcome._owner() is None
        if outcome.known:
            return outcome.known
        return ROLLED_BACK if is_alone and not outcome._released else OPEN


class SaveOutcome(TransactionOutcome):
    """What becomes of one save: it is rolled back, unless it is set or released.

    Its `owner` is the pair of signals that is open for as long as the save may still succeed.
    """

    __slots__ = ()

    @property
    def value(self) -> str:
        """Return the value; a transaction that ended before the save did does not decide it."""
        # Asked first: the save may end, and then the transaction, at this moment.
        has_ended = self.parent is not None and self.parent.value != OPEN
        if has_ended and not self.known and not self._released:
            return ROLLED_BACK
        return super().value

    @property
    def is_waiting(self) -> bool:
        """Return whether the save may still succeed or fail."""
        return not self._released and self.value == OPEN
