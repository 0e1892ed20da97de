"""Faults of the recorder itself: counted, logged once per kind, and kept from the project."""

import logging
import sys
from collections import Counter

from signals_demo.conf import config

logger = logging.getLogger("signals_demo")

faults: Counter[str] = Counter()


def note_fault(where: str) -> None:
    """Count the exception being handled, and log the first of its kind."""
    kind = f"{where}: {type(sys.exc_info()[1]).__name__}"
    faults[kind] += 1
    if faults[kind] == 1:
        logger.exception(
            "%s could not be recorded. Further faults of this kind are only counted.", where
        )


def fault(where: str) -> None:
    """Note the exception being handled, and raise it if `STRICT`."""
    note_fault(where)
    error = sys.exc_info()[1]
    if config().strict and error is not None:
        raise error
