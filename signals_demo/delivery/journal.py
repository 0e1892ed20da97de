"""The crash-proof local file: what has been captured and is not stored yet.

A process appends lines of JSON to files of its own in `JOURNAL_DIR`. Each line has reached the
operating system when the project goes on, so it survives `kill -9` (not a power cut). When all
that a file holds is stored, the file is removed. As long as the process lives it holds a lock: a
file whose lock is free was left by a process that died, and `recovery` stores what is in it.

The first item of a line says what it is:
`["event", outcome, …]` the fields of a `Row`, except `recorder`, which is the file's name
`["again", sequence, time, keys]` one more firing of a folded event, which is now about these
`["outcome", number, value, number of the one around it]` without a value, that one decides
`["open", outcome, trace_id, span_id, database, first, last]` rows that were stored as open
`["actor", first, last, trace_id, span_id, actor_pk, actor]` who did what had no actor
"""

import threading
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from signals_demo.catalog.outcomes import OPEN
from signals_demo.delivery.open_outcomes import Range
from signals_demo.delivery.segments import Segments
from signals_demo.events import Attribution, FoldedEvent, Row
from signals_demo.serialize.text import encode
from signals_demo.tracing.outcomes import TransactionOutcome

SEGMENT_SIZE = 8 * 2**20  # bytes after which a new file is begun

_MICROSECOND = timedelta(microseconds=1)


class Journal:
    """What this process writes down of its events, until they are stored. Raises nothing."""

    def __init__(self, folder: Path, recorder: UUID) -> None:
        self.folder = folder
        self.segments = Segments(folder, recorder)
        # A signal handler may come in the middle of a line, and fire another signal.
        self.lock = threading.RLock()
        self.unwritten: set[int] = set()
        """Numbers of events that could not be written."""
        self.has_overflow = False
        """Whether it alone holds some events, because the buffer was full."""
        self._outcomes: WeakValueDictionary[int, TransactionOutcome] = WeakValueDictionary()
        self._last_number = 0

    def append_event(self, row: Row, outcome: TransactionOutcome | None) -> Path | None:
        """Write an event. Return the file that is full now, if one is."""
        number = 0
        # It may have become known since the row was made.
        if outcome is not None and row.outcome == OPEN and outcome.known != OPEN:
            number = self._watch(outcome)
        values: list[Any] = ["event", number, *row[1:]]
        values[3] = row.occurred_at.isoformat()
        values[11] = None if row.duration is None else row.duration // _MICROSECOND
        if not self._write(values):
            self.unwritten.add(row.sequence)
        return self.segments.end() if self.segments.size > SEGMENT_SIZE else None

    def append_firing(self, folded: FoldedEvent) -> None:
        """Note one more firing of a folded event."""
        self._write(["again", folded.sequence, folded.last, list(folded.keys)])

    def append_actor(self, attribution: Attribution) -> None:
        """Note who did what had no actor when it was written."""
        self._write(["actor", *attribution[1:]])

    def append_open(self, outcome: TransactionOutcome, ranges: Iterable[Range]) -> None:
        """Note which rows were stored as open, before the file that holds them is removed."""
        for one in ranges:
            self._write(["open", self._watch(outcome), *one.place, one.first, one.last])

    def on_outcome(self, outcome: TransactionOutcome) -> None:
        """Note what an outcome is now. The outcome calls this."""
        around = 0 if outcome.parent is None else outcome.parent.number
        self._write(["outcome", outcome.number, outcome.known, around])

    def outcome(self, number: int) -> TransactionOutcome | None:
        """Return the outcome of this number, if it may still be set."""
        return self._outcomes.get(number)

    def holds(self, sequence: int) -> bool:
        """Return whether the event of this number was written."""
        return sequence not in self.unwritten

    def end_segment(self) -> list[Path]:
        """Begin a new file; return those before it."""
        with self.lock:
            if self.segments.size:
                self.segments.end()
            return self.segments.ended()

    def clear(self) -> None:
        """Empty it: all is stored. The caller holds the lock."""
        self.segments.empty()
        self.unwritten.clear()

    def close(self, *, is_stored: bool) -> None:
        """Give the files up: remove them if all is stored, else leave them to the next process."""
        with self.lock:
            if is_stored:
                self.segments.remove()
            self.segments.release()

    def abandon(self) -> None:
        """Write no more: a forked child has inherited it, and the files are its parent's."""
        self.segments.abandon()

    def _write(self, values: list[Any]) -> bool:
        with self.lock:
            line = (encode(values) + "\n").encode(errors="backslashreplace")
            return self.segments.write(line)

    def _watch(self, outcome: TransactionOutcome) -> int:
        """Return the number of an outcome, which calls this journal when something is known."""
        new: list[TransactionOutcome] = []
        around: TransactionOutcome | None = outcome
        while around is not None and around.listener is not self:
            new.append(around)
            around = around.parent
        for each in reversed(new):
            self._last_number += 1
            each.number = self._last_number
            self._outcomes[each.number] = each
            each.listener = self
            if each.is_decided:
                self.on_outcome(each)
        return outcome.number
