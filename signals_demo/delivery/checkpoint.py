"""Takes out of the journal what every sink has stored, and stores what only the journal holds."""

import logging
from collections.abc import Sequence
from uuid import UUID

from signals_demo.catalog.outcomes import OPEN
from signals_demo.clock import clock
from signals_demo.conf import config
from signals_demo.delivery.buffer import Buffer
from signals_demo.delivery.held_rows import HeldRows
from signals_demo.delivery.journal import Journal
from signals_demo.delivery.journal_reader import JournalReader
from signals_demo.delivery.journaled_buffer import Journaling
from signals_demo.delivery.open_outcomes import OpenOutcomes
from signals_demo.delivery.recovery import recover_all
from signals_demo.delivery.segments import remove
from signals_demo.sinks import BaseSink
from signals_demo.sinks.base import Busy

logger = logging.getLogger("signals_demo")

RECOVERY_INTERVAL = 60.0  # seconds between two looks for what processes that died have left


class Checkpoint:
    """What the worker does with the journal when all that it took from the buffer is stored."""

    def __init__(
        self,
        recorder: UUID,
        buffer: Buffer,
        open_outcomes: OpenOutcomes,
        held: HeldRows,
        journaling: Journaling,
    ) -> None:
        self._recorder = recorder
        self._buffer = buffer
        self._open = open_outcomes
        self._held = held
        self._journaling = journaling
        self._next_recovery = 0.0

    def recover_soon(self) -> None:
        """Look for what other processes have left at the next checkpoint."""
        self._next_recovery = 0.0

    def run(self, sinks: Sequence[BaseSink]) -> bool:
        """Bring the journal up to date; return whether it alone holds no event of this process."""
        journal = self._journaling.current()
        if journal is None:
            return True
        try:
            if journal.has_overflow:
                self._read_back(journal, sinks)
            if clock.monotonic() >= self._next_recovery:
                recover_all(journal.folder, sinks)
                self._next_recovery = clock.monotonic() + RECOVERY_INTERVAL
        except Busy:
            return not journal.has_overflow
        except Exception as error:  # noqa: BLE001 - a sink may raise anything
            logger.warning("The events in the journal cannot be stored yet: %s", error)
            self._next_recovery = clock.monotonic() + RECOVERY_INTERVAL
            return not journal.has_overflow
        self._remove_stored(journal)
        return True

    def _remove_stored(self, journal: Journal) -> None:
        ends = self._journaling.segment_ends
        with journal.lock:
            if not (self._buffer.items or self._open or self._held):
                journal.clear()
                ends.clear()
                return
        stored = [end for end in list(ends) if end.is_stored]
        if stored:
            self._note_open(journal)
            for end in stored:
                remove(end.path)
                ends.remove(end)

    def _note_open(self, journal: Journal) -> None:
        """Note the rows that are open, before the files that hold them are removed."""
        for outcome, ranges in self._open.ranges():
            journal.append_open(outcome, ranges)

    def _read_back(self, journal: Journal, sinks: Sequence[BaseSink]) -> None:
        """Store what only the journal holds, because the buffer was full."""
        journal.has_overflow = False
        try:
            ended = journal.end_segment()
            self._buffer.seal()  # or what is counted later would be missing
            reader = JournalReader(journal.folder, self._recorder)
            for batch in reader.batches(ended, config().batch_size):
                for row, number in batch:
                    outcome = journal.outcome(number)
                    if row.outcome == OPEN and outcome is not None:
                        self._open.add(outcome, row)
                for sink in sinks:
                    sink.store([row for row, _number in batch])
        except Exception:
            journal.has_overflow = True
            raise
        self._note_open(journal)
        for path in ended:
            remove(path)
