"""Stores what processes left in their journals when they died."""

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from signals_demo.catalog.outcomes import OPEN
from signals_demo.delivery.journal_reader import JournalReader
from signals_demo.delivery.segments import acquire, lock_path, segment_paths
from signals_demo.events import Resolution, Row
from signals_demo.sinks import BaseSink

logger = logging.getLogger("signals_demo")

BATCH = 1000
Progress = Callable[[int], object]


def _corrections(batch: Sequence[tuple[Row, int]]) -> list[Resolution]:
    """Return the outcomes of rows that may have been stored before, as open."""
    found: list[Resolution] = []
    for row, number in batch:
        if not number or row.outcome == OPEN:
            continue
        about = row.trace_id, row.span_id, row.database, row.outcome
        latest = found[-1] if found else None
        if latest is not None and latest.last == row.sequence - 1 and latest[3:] == about:
            found[-1] = latest._replace(last=row.sequence)
        else:
            found.append(Resolution(row.recorder, row.sequence, row.sequence, *about))
    return found


def recorders(folder: Path) -> list[UUID]:
    """Return the processes whose journals are in a folder."""
    found = set()
    for path in (*folder.glob("*.lock"), *folder.glob("*-*.jsonl")):
        with suppress(ValueError):
            found.add(UUID(hex=path.stem[:32]))
    return sorted(found)


def recover(
    folder: Path,
    recorder: UUID,
    sinks: Sequence[BaseSink],
    progress: Progress = lambda stored: None,
) -> int | None:
    """Store what a process left in its journal, and remove that. Return the number of events.

    Return None if the process lives, or another process recovers it. Raises what a sink raises:
    then all is still there, and can be stored again.
    """
    try:
        descriptor = acquire(lock_path(folder, recorder))
    except BlockingIOError:
        return None
    try:
        stored = _store(JournalReader(folder, recorder), sinks, progress)
        for path in segment_paths(folder, recorder):
            path.unlink(missing_ok=True)
        lock_path(folder, recorder).unlink(missing_ok=True)
    finally:
        os.close(descriptor)
    return stored


def _store(reader: JournalReader, sinks: Sequence[BaseSink], progress: Progress) -> int:
    stored = 0
    for batch in reader.batches(reader.paths, BATCH):
        corrections = _corrections(batch)
        for sink in sinks:
            sink.store([row for row, _number in batch])
            if corrections:
                sink.resolve(corrections)
        stored += len(batch)
        progress(stored)
    for sink in sinks:
        if resolutions := reader.resolutions():
            sink.resolve(resolutions)
        if reader.attributions:
            sink.attribute(reader.attributions)
    return stored


def recover_all(folder: Path, sinks: Sequence[BaseSink]) -> None:
    """Store what processes left in a folder when they died, and log the number of events."""
    for recorder in recorders(folder):
        stored = recover(folder, recorder, sinks)
        if stored:
            logger.info("%d signal events of a process that died were stored.", stored)
