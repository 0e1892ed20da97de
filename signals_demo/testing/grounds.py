"""What became of a change, as far as a test can tell inside the transaction of its `TestCase`."""

from typing import Any

from django.db import connections

from signals_demo.tracing.transactions import COMMITTED, OPEN, ROLLED_BACK, Fate, ground_on


class Block:
    """An `atomic` block without a savepoint right inside the test's transaction.

    Without the test it would be a transaction. Nothing tells of its end but the connection, which
    must be rolled back if it failed.
    """

    def __init__(self, connection: Any, atomic: object) -> None:
        self.connection = connection
        self.atomic = atomic
        self._outcome = OPEN

    @property
    def outcome(self) -> str:
        """Return what became of it; it has to be asked before the next such block ends."""
        if self._outcome == OPEN and self.atomic not in self.connection.atomic_blocks:
            self._outcome = ROLLED_BACK if self.connection.needs_rollback else COMMITTED
        return self._outcome


_running: list[Block] = []


def settle() -> None:
    """Note what became of the blocks that have ended."""
    _running[:] = [block for block in list(_running) if block.outcome == OPEN]


def _block_on(alias: str) -> Block | None:
    connection: Any = connections[alias]
    number = sum(atomic._from_testcase for atomic in connection.atomic_blocks)
    inner = connection.atomic_blocks[number:]
    if not inner or connection.savepoint_ids[number - 1] is not None:
        return None
    for block in list(_running):
        if block.connection is connection and block.atomic is inner[0]:
            return block
    block = Block(connection, inner[0])
    _running.append(block)
    return block


class Ground:
    """The transaction that a `TestCase` holds open on a database, as it is now; or none."""

    def __init__(self, alias: str) -> None:
        settle()
        self._fate = ground_on(alias)
        self._block = None if self._fate is None else _block_on(alias)

    def outcome_of(self, fate: Fate) -> str:
        """Return what became of a change: what reaches the test's own transaction is committed."""
        carrier = fate.carrier(self._fate)
        if carrier is not self._fate:
            return carrier.outcome
        return COMMITTED if self._block is None else self._block.outcome
