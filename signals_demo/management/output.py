"""What the commands have in common that print much: their output may end, be full or be narrow."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.core.management.base import CommandError

TEXT = {"errors": "backslashreplace"}
"""For people: what the output's encoding lacks is spelled out, as a terminal in Windows needs."""
DATA = {"encoding": "utf-8", "errors": "backslashreplace"}
"""For programs, which are told an encoding and read that everywhere."""


@contextmanager
def written(output: Any, how: dict[str, str]) -> Iterator[None]:
    """Have an output take all characters, and turn its faults into a quiet end or a sentence."""
    try:
        with _taking(output, how):
            yield
            output.flush()
    except BrokenPipeError:  # who reads the output has read enough
        _write_no_more()
    except OSError as error:
        _write_no_more()
        raise CommandError(f"The output cannot be written: {error.strerror}.") from error


def _write_no_more() -> None:
    """Throw away what is left in the buffer: Python would try to write it when it ends."""
    with suppress(OSError):  # it may be no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _taking(output: Any, how: dict[str, str]) -> Iterator[None]:
    if not hasattr(output, "reconfigure"):  # a StringIO takes everything
        yield
        return
    before = {"encoding": output.encoding, "errors": output.errors}
    output.reconfigure(**how)
    try:
        yield
    finally:
        output.reconfigure(**before)
