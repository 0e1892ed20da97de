"""The files of a journal: their names, their lock, and how one process writes them."""

import logging
import os
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from django.core.files import locks

from signals_demo.clock import clock

logger = logging.getLogger("signals_demo")

RETRY = 5.0  # seconds between two tries at a folder that cannot be written

_CLOSE_ON_EXEC = getattr(os, "O_CLOEXEC", 0)
_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | _CLOSE_ON_EXEC


def lock_path(folder: Path, recorder: UUID) -> Path:
    """Return the file that a process keeps locked as long as it lives."""
    return folder / f"{recorder.hex}.lock"


def segment_paths(folder: Path, recorder: UUID) -> list[Path]:
    """Return the files of a process that are there, in their order."""
    return sorted(folder.glob(f"{recorder.hex}-*.jsonl"))


def acquire(path: Path) -> int:
    """Open and lock a file, private to this user. Raise BlockingIOError if its owner lives."""
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | _CLOSE_ON_EXEC, 0o600)
        try:
            if not locks.lock(descriptor, locks.LOCK_EX | locks.LOCK_NB):
                raise BlockingIOError(f"{path} is locked")
            # The process that had it may have removed it meanwhile: then it is another file.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.stat(path), os.fstat(descriptor)):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, if it can be removed."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


class Segments:
    """The files of this process. A fault is logged and survived; the caller holds a lock."""

    def __init__(self, folder: Path, recorder: UUID) -> None:
        self.folder = folder
        self.recorder = recorder
        self.size = 0
        """Bytes in the file that is being written."""
        self._is_ours = True
        self._lock_file: int | None = None
        self._file: int | None = None
        self._path: Path | None = None
        self._number = 0
        self._fault = ""
        self._next_try = 0.0

    def write(self, line: bytes) -> bool:
        """Append a line, to a new file if none is open. Return whether that worked."""
        if self._file is None and not self._open():
            return False
        try:
            written = os.write(self._file, line)  # type: ignore[arg-type]
            if written < len(line):  # the disk is full: the rest raises
                os.write(self._file, line[written:])  # type: ignore[arg-type]
        except OSError as error:
            self._fail(error)
            return False
        self.size += len(line)
        if self._fault:  # not before: on a full disk a file can be made, but not written
            self._fault = ""
            logger.warning("The journal in %s can be written again.", self.folder)
        return True

    def end(self) -> Path | None:
        """End the file that is being written, and return it."""
        ended, self._path, self.size = self._path, None, 0
        self._close_file()
        return ended

    def ended(self) -> list[Path]:
        """Return the files, except the one that is being written."""
        return [path for path in self.paths() if path != self._path]

    def paths(self) -> list[Path]:
        """Return the files that are there, in their order."""
        return segment_paths(self.folder, self.recorder)

    def total_size(self) -> int:
        """Return how many bytes the files have."""
        found = 0
        for path in self.paths():
            with suppress(OSError):
                found += path.stat().st_size
        return found

    def empty(self) -> None:
        """Empty the file that is being written, and remove the others."""
        for path in self.ended():
            remove(path)
        if self._file is not None and self.size:
            with suppress(OSError):
                os.ftruncate(self._file, 0)
            self.size = 0

    def remove(self) -> None:
        """Remove all files, and the lock."""
        self._close_file()
        for path in self.paths():
            remove(path)
        if self._lock_file is not None:
            remove(lock_path(self.folder, self.recorder))

    def abandon(self) -> None:
        """Write no more."""
        self._is_ours = False
        self.release()

    def release(self) -> None:
        """Close all files, so that another process can store what is in them."""
        self._close_file()
        if self._lock_file is not None:
            with suppress(OSError):
                os.close(self._lock_file)
            self._lock_file = None

    def _open(self) -> bool:
        if not self._is_ours or (self._fault and clock.monotonic() < self._next_try):
            return False
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._lock_file is None:
                self._lock_file = acquire(lock_path(self.folder, self.recorder))
            self._number += 1
            path = self.folder / f"{self.recorder.hex}-{self._number:08}.jsonl"
            self._file = os.open(path, _NEW, 0o600)
        except OSError as error:
            self._fail(error)
            return False
        self._path, self.size = path, 0
        return True

    def _fail(self, error: OSError) -> None:
        """Report once that it cannot be written, and go on without it for a while."""
        if not self._fault:
            logger.error(
                "SIGNALS_DEMO['JOURNAL_DIR']: %s cannot be written: %s. Until that is "
                "fixed, events are kept only in memory.",
                self.folder, error.strerror or error,
            )  # fmt: skip
        self._fault = str(error)
        self._next_try = clock.monotonic() + RETRY
        self._close_file()

    def _close_file(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None
