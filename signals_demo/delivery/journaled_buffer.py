"""Writes what is captured in the journal before it goes into the buffer: `JOURNAL_DIR`."""

import threading
from pathlib import Path
from uuid import UUID

from signals_demo.conf import config
from signals_demo.delivery.buffer import Buffer
from signals_demo.delivery.journal import Journal
from signals_demo.delivery.rows import JournaledEvent, SegmentEnd, rendered
from signals_demo.events import Attribution, Event, FoldedEvent
from signals_demo.serialize.stored import unasked


class Journaling:
    """The journal of this process, if the setting asks for one."""

    def __init__(self, recorder: UUID, buffer: Buffer) -> None:
        self.journal: Journal | None = None
        self.segment_ends: list[SegmentEnd] = []
        self._recorder = recorder
        self._buffer = buffer
        self._lock = threading.RLock()

    def current(self) -> Journal | None:
        """Return the journal that the setting asks for, after it has given up another one."""
        folder = config().journal_dir
        if self._folder == folder:
            return self.journal
        with self._lock:  # the first events of several threads may come here at once
            if self._folder != folder:
                before = self.journal
                self.journal = Journal(folder, self._recorder) if folder else None
                self._buffer.losses.journal = self.journal
                if before is not None:  # what it holds is in the buffer too
                    before.close(is_stored=not before.has_overflow)
                    before.abandon()
            return self.journal

    @property
    def _folder(self) -> Path | None:
        return None if self.journal is None else self.journal.folder

    def put(self, event: Event) -> None:
        """Write an event, and put it in the buffer."""
        journal = self.current()
        if journal is None:
            self._buffer.items.append(event)
            return
        with unasked() as fields:  # this is the project's thread
            row = rendered(event, self._recorder, event.outcome_value)
        with journal.lock:  # so that the buffer has the order of the journal
            ended = journal.append_event(row, event.outcome)
            self._buffer.items.append(JournaledEvent(event, row, not fields.any))
            self._end(ended)

    def put_folded(self, folded: FoldedEvent) -> None:
        """Write a folded event as it is so far, and put it in the buffer."""
        journal = self.current()
        if journal is None:
            self._buffer.items.append(folded)
            return
        row = rendered(folded.event, self._recorder, folded.event.outcome_value)
        with journal.lock:
            ended = journal.append_event(row, folded.event.outcome)
            folded.on_add = journal.append_firing
            self._buffer.items.append(folded)
            self._end(ended)

    def put_actor(self, attribution: Attribution) -> None:
        """Write who did what had no actor, and put that in the buffer."""
        journal = self.current()
        if journal is not None:
            journal.append_actor(attribution)
        self._buffer.items.append(attribution)

    def _end(self, path: Path | None) -> None:
        if path is not None:
            end = SegmentEnd(path)
            self.segment_ends.append(end)
            self._buffer.items.append(end)

    def close(self, *, is_stored: bool) -> bool:
        """Close the journal; return whether it keeps all events that are left."""
        journal = self.journal
        if journal is None:
            return False
        journal.close(is_stored=is_stored and not journal.has_overflow)
        return not journal.unwritten

    def abandon(self) -> None:
        """Write no more: a forked child has inherited it, and the files are its parent's."""
        if self.journal is not None:
            self.journal.abandon()
