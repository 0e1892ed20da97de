"""The noticeboard: the notes that the playground's receivers leave for the pages."""

import os
import sys
from collections import deque
from typing import NamedTuple

from signals_demo.tracing.scope import current_trace

# In a process that an action started, notes also go to the output, where `collect()` reads them.
IN_CHILD = "PLAYGROUND_CHILD"
_MARK = "Pinned: "


class Note(NamedTuple):
    """A line on the board, and the trace in which it was written."""

    trace_id: str
    text: str


_board: deque[Note] = deque(maxlen=2000)


def pin(text: str) -> None:
    """Put a note on the board, under the current trace."""
    unit = current_trace()
    if unit is None:
        return
    _board.append(Note(unit.trace_id, text))
    if IN_CHILD in os.environ:
        sys.stdout.write(f"\n{_MARK}{unit.trace_id} {text}\n")
        sys.stdout.flush()


def collect(output: str) -> None:
    """Put on the board the notes in the output of a child process."""
    for line in output.splitlines():
        if line.startswith(_MARK):
            _board.append(Note(*line.removeprefix(_MARK).split(" ", 1)))


def notes_of(trace_id: str) -> list[str]:
    """Return the notes of one trace, oldest first."""
    # A copy, because other threads pin notes meanwhile.
    return [note.text for note in _board.copy() if note.trace_id == trace_id]
