"""The crash-proof local file: what has been captured and is not stored yet.

A process appends lines of JSON to files of its own in `JOURNAL_DIR`. Each line has reached the
operating system when the host goes on, so it is there after `kill -9` (not after a power cut).
When all that a file holds is stored, the file goes. As long as the process lives it holds a lock:
a file whose lock is free was left by a process that died, and `recovery` stores what is in it.

What a line is, tells its first item:
`["event", outcome, …]` the fields of a `Row`, but for `recorder`, which is the file's name
`["again", sequence]` one more firing of a folded event
`["outcome", number, outcome, number of the one around it]` with no outcome: it goes with that one
`["open", outcome, trace_id, database, first, last]` rows that were stored as open
`["actor", trace_id, actor_pk, actor]` who did what is in a trace
"""

import json
import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from django.core.files import locks

from signals_demo.events import Attribution, Row
from signals_demo.serialize.text import encode
from signals_demo.tracing.outcomes import TransactionOutcome

logger = logging.getLogger("signals_demo")

SEGMENT_SIZE = 8 * 2**20  # bytes after which a new file is begun
RETRY = 5.0  # seconds between two tries at a folder that cannot be written

_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
_MICROSECOND = timedelta(microseconds=1)


def lock_path(folder: Path, recorder: UUID) -> Path:
    """Return the file that a process keeps locked for as long as it lives."""
    return folder / f"{recorder.hex}.lock"


def segments(folder: Path, recorder: UUID) -> list[Path]:
    """Return the files of a process that are there, in their order."""
    return sorted(folder.glob(f"{recorder.hex}-*.jsonl"))


def hold(path: Path) -> int:
    """Open and lock a file, private to this user. Raise BlockingIOError if its owner lives."""
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            if not locks.lock(descriptor, locks.LOCK_EX | locks.LOCK_NB):
                raise BlockingIOError(f"{path} is locked")
            # Whoever had it may have removed it in the meantime: then it is another file.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.stat(path), os.fstat(descriptor)):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


class Sealed:
    """Stands in the buffer where a file of the journal ended: what came before can go with it."""

    __slots__ = ("left", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.left = 0  # sinks that have not stored everything before it


class Journal:
    """The files of this process. Its methods raise nothing: a fault is logged and survived."""

    def __init__(self, folder: Path, recorder: UUID) -> None:
        self.folder = folder
        self.recorder = recorder
        # A signal handler may come in the middle of a line, and fire another.
        self.lock = threading.RLock()
        self.missing: set[int] = set()
        """Numbers of events that could not be written."""
        self.spilled = False
        """Whether events are in its files alone, because the buffer was full."""
        self._outcomes: WeakValueDictionary[int, TransactionOutcome] = WeakValueDictionary()
        self._outcomes_seen = 0
        self._is_mine = True
        self._holder: int | None = None
        self._file: int | None = None
        self._path = folder
        self._number = 0
        self._size = 0
        self._fault = ""
        self._next_try = 0.0

    def append_event(self, row: Row, outcome: TransactionOutcome | None) -> Sealed | None:
        """Write an event. Return the file that it ended, if it did."""
        number = self._watched(outcome) if outcome is not None and not outcome.known else 0
        values: list[Any] = ["event", number, *row[1:]]
        values[3] = row.occurred_at.isoformat()
        values[10] = None if row.duration is None else row.duration // _MICROSECOND
        if not self._write(values):
            self.missing.add(row.sequence)
        return self._rotate() if self._size > SEGMENT_SIZE else None

    def append_again(self, sequence: int) -> None:
        """Note one more firing of a folded event."""
        self._write(["again", sequence])

    def append_actor(self, attribution: Attribution) -> None:
        """Note who did what is in a trace."""
        self._write(["actor", *attribution[1:]])

    def append_open(
        self, outcome: TransactionOutcome, ranges: Iterable[tuple[str, str, int, int]]
    ) -> None:
        """Note which rows were stored as open, before the file that holds them goes."""
        for one in ranges:
            self._write(["open", self._watched(outcome), *one])

    def outcome(self, number: int) -> TransactionOutcome | None:
        """Return the outcome of this number, if it may still be set."""
        return self._outcomes.get(number)

    def rotate(self) -> list[Path]:
        """Begin a new file; return those before it."""
        with self.lock:
            if self._file is not None and self._size:
                self._rotate()
            return [path for path in segments(self.folder, self.recorder) if path != self._path]

    def clear(self) -> None:
        """Empty it: all is stored. The caller holds the lock."""
        for path in segments(self.folder, self.recorder):
            if path != self._path:
                self.remove(path)
        if self._file is not None and self._size:
            with suppress(OSError):
                os.ftruncate(self._file, 0)
            self._size = 0
        self.missing.clear()

    def remove(self, path: Path) -> None:
        """Remove one of its files."""
        with suppress(OSError):
            path.unlink(missing_ok=True)

    def size(self) -> int:
        """Return how many bytes its files have."""
        found = 0
        for path in segments(self.folder, self.recorder):
            with suppress(OSError):
                found += path.stat().st_size
        return found

    def close(self, *, is_stored: bool) -> None:
        """Give the files up: remove them if all is stored, else leave them to the next process."""
        with self.lock:
            self._close_file()
            if is_stored:
                for path in segments(self.folder, self.recorder):
                    self.remove(path)
                if self._holder is not None:
                    self.remove(lock_path(self.folder, self.recorder))
            self._release()

    def abandon(self) -> None:
        """Write no more: a forked child has inherited it, and the files are its parent's."""
        self._is_mine = False
        self._close_file()
        self._release()

    def _release(self) -> None:
        if self._holder is not None:
            with suppress(OSError):
                os.close(self._holder)
            self._holder = None

    def _close_file(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None

    def _rotate(self) -> Sealed:
        done = Sealed(self._path)
        self._close_file()
        self._path = self.folder  # no file, until the next line
        return done

    def _write(self, values: list[Any]) -> bool:
        with self.lock:
            if self._file is None and not self._open():
                return False
            line = (encode(values) + "\n").encode(errors="backslashreplace")
            try:
                written = os.write(self._file, line)  # type: ignore[arg-type]
                if written < len(line):  # the disk is full: the rest will say so
                    os.write(self._file, line[written:])  # type: ignore[arg-type]
            except OSError as error:
                self._fail(error)
                return False
            self._size += len(line)
            if self._fault:  # not before: on a full disk a file can be made, but not written
                self._fault = ""
                logger.warning("The journal in %s can be written again.", self.folder)
            return True

    def _open(self) -> bool:
        if not self._is_mine or (self._fault and time.monotonic() < self._next_try):
            return False
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._holder is None:
                self._holder = hold(lock_path(self.folder, self.recorder))
            self._number += 1
            path = self.folder / f"{self.recorder.hex}-{self._number:08}.jsonl"
            self._file = os.open(path, _NEW, 0o600)
        except OSError as error:
            self._fail(error)
            return False
        self._path, self._size = path, 0
        return True

    def _fail(self, error: OSError) -> None:
        """Note that it cannot be written, once, and go on without it for a while."""
        if not self._fault:
            logger.error(
                "SIGNALS_DEMO['JOURNAL_DIR']: %s cannot be written: %s. Until it can, events are "
                "kept in memory alone.",
                self.folder, error.strerror or error,
            )  # fmt: skip
        self._fault = str(error)
        self._next_try = time.monotonic() + RETRY
        self._close_file()

    def _watched(self, outcome: TransactionOutcome) -> int:
        """Return the number of an outcome, of which this journal notes what becomes."""
        new: list[TransactionOutcome] = []
        around: TransactionOutcome | None = outcome
        while around is not None and around.listener is not self:
            new.append(around)
            around = around.parent
        for each in reversed(new):
            self._outcomes_seen += 1
            each.number = self._outcomes_seen
            self._outcomes[each.number] = each
            each.listener = self
            if each.is_decided:
                self.on_outcome(each)
        return outcome.number

    def on_outcome(self, outcome: TransactionOutcome) -> None:
        """Note what an outcome is now (called by the outcome)."""
        around = 0 if outcome.parent is None else outcome.parent.number
        self._write(["outcome", outcome.number, outcome.known, around])


def lines(paths: Iterable[Path]) -> Iterator[list[Any]]:
    """Return what is in these files, but for lines that were torn off."""
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                try:
                    found = json.loads(line)
                except ValueError:
                    continue
                if isinstance(found, list) and found:
                    yield found
