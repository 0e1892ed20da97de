"""The noticeboard: where the playground's own receivers leave a note that people can see."""

import os
import sys
from collections import deque
from typing import NamedTuple

from signals_demo.tracing.scope import current_trace

# In a process that an action has started, notes go to the output, for `collect()` to read.
IN_CHILD = "PLAYGROUND_CHILD"
_MARK = "Pinned: "


class Note(NamedTuple):
    """A line on the board, and the unit of work in which it was written."""

    trace_id: str
    text: str


_board: deque[Note] = deque(maxlen=2000)


def pin(text: str) -> None:
    """Put a note on the board, under the unit of work that is going on."""
    unit = current_trace()
    if unit is None:
        return
    _board.append(Note(unit.trace_id, text))
    if IN_CHILD in os.environ:
        sys.stdout.write(f"\n{_MARK}{unit.trace_id} {text}\n")
        sys.stdout.flush()


def collect(output: str) -> None:
    """Put on the board what a child process has pinned, as its output says."""
    for line in output.splitlines():
        if line.startswith(_MARK):
            _board.append(Note(*line.removeprefix(_MARK).split(" ", 1)))


def notes_of(trace_id: str) -> list[str]:
    """Return the notes of one unit of work, oldest first."""
    # Of a copy: meanwhile other threads pin theirs.
    return [note.text for note in _board.copy() if note.trace_id == trace_id]
