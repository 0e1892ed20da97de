"""Write the output of commands: it may be closed, full or unable to show all characters."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.core.management.base import CommandError

TEXT = {"errors": "backslashreplace"}
"""For people: characters that the encoding lacks are escaped, as for a terminal in Windows."""
DATA = {"encoding": "utf-8", "errors": "backslashreplace"}
"""For programs, which expect the same encoding everywhere."""


@contextmanager
def written(output: Any, how: dict[str, str]) -> Iterator[None]:
    """Make an output accept all characters, and turn its errors into a quiet end or a message."""
    try:
        with _taking(output, how):
            yield
            output.flush()
    except BrokenPipeError:  # the reader of the output has closed it
        _write_no_more()
    except OSError as error:
        _write_no_more()
        raise CommandError(f"The output cannot be written: {error.strerror}.") from error


def _write_no_more() -> None:
    """Discard what is left in the buffer: Python would try to write it at exit."""
    with suppress(OSError):  # it may not be a file
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
