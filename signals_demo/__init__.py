"""A flight recorder for Django signals."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from signals_demo.tracing.api import suppress, trace

__all__ = ["flush", "suppress", "trace"]
__version__ = "0.1.0"


# pytest loads `signals_demo.pytest_plugin`, and with it this package, in every project that has
# it installed: Django is not imported before something of the recorder's is asked for.
def __getattr__(name: str) -> Any:
    if name in ("suppress", "trace"):
        from signals_demo.tracing import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def flush(timeout: float = 5.0) -> bool:
    """Wait until everything captured so far is stored; return False if `timeout` (s) ran out."""
    from signals_demo.capture.pairs import leave_ended_pairs
    from signals_demo.delivery.writer import writer

    leave_ended_pairs()
    return writer.flush(timeout)
