"""A flight recorder for Django signals."""

from signals_demo.recorder import tidy
from signals_demo.traces import suppress, trace
from signals_demo.writer import writer

__all__ = ["flush", "suppress", "trace"]
__version__ = "0.1.0"


def flush(timeout: float = 5.0) -> bool:
    """Wait until everything captured so far is stored; return False if `timeout` (s) ran out."""
    tidy()
    return writer.flush(timeout)
