"""The outcome of a change, as far as it is known inside the transaction of a `TestCase`."""

from typing import Any

from django.db import connections

from signals_demo.catalog.outcomes import COMMITTED, OPEN, ROLLED_BACK
from signals_demo.tracing.levels import outcome_around_test
from signals_demo.tracing.outcomes import TransactionOutcome


class AtomicBlock:
    """An `atomic` block without a savepoint right inside the test's transaction.

    Outside the test it would be a transaction. Only the connection shows its end: it must be
    rolled back if the block failed.
    """

    def __init__(self, connection: Any, atomic: object) -> None:
        self.connection = connection
        self.atomic = atomic
        self._outcome = OPEN

    @property
    def outcome(self) -> str:
        """Return its outcome; call this before the next such block ends."""
        if self._outcome == OPEN and self.atomic not in self.connection.atomic_blocks:
            self._outcome = ROLLED_BACK if self.connection.needs_rollback else COMMITTED
        return self._outcome


_running: list[AtomicBlock] = []


def update_blocks() -> None:
    """Note the outcomes of the blocks that have ended."""
    _running[:] = [block for block in list(_running) if block.outcome == OPEN]


def _block_on(alias: str) -> AtomicBlock | None:
    connection: Any = connections[alias]
    number = sum(atomic._from_testcase for atomic in connection.atomic_blocks)
    inner = connection.atomic_blocks[number:]
    if not inner or connection.savepoint_ids[number - 1] is not None:
        return None
    for block in list(_running):
        if block.connection is connection and block.atomic is inner[0]:
            return block
    block = AtomicBlock(connection, inner[0])
    _running.append(block)
    return block


class TestTransaction:
    """The current transaction that a `TestCase` holds open on a database, or none."""

    __test__ = False

    def __init__(self, alias: str) -> None:
        update_blocks()
        self._own = outcome_around_test(alias)
        self._block = None if self._own is None else _block_on(alias)

    def outcome_of(self, outcome: TransactionOutcome) -> str:
        """Return the outcome of a change: what reaches the test's own transaction is committed."""
        decider = outcome.decided_by(self._own)
        if decider is not self._own:
            return decider.value
        return COMMITTED if self._block is None else self._block.outcome
