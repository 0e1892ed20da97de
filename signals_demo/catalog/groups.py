"""Groups of signals that several parts ask for."""

from signals_demo.catalog.signals import BUILT_IN

INIT = ("pre_init", "post_init")
"""What fires for each instance that is made."""

PASSIVE = (*INIT, "class_prepared")
"""What fires in every process that loads and checks models, even one without a database."""

WRITES = ("post_save", "post_delete")
LINKS = "m2m_changed"
CHANGES = (*WRITES, LINKS)
"""What reports a change of the database."""

EVENTS_LOST = "signals_demo.events_lost"
"""The signal of the events that stand for lost ones: `count` says how many."""

PAIRS = {signal.closes: signal.name for signal in BUILT_IN if signal.closes}
"""The closing signal of each opening one. `m2m_changed` fires before and after, and is none."""


def is_change(signal: str, duration: object) -> bool:
    """Return whether an event reports a change, by its signal and its duration.

    The second of the two `m2m_changed` closes a pair, and so has a duration.
    """
    return signal in WRITES or (signal == LINKS and duration is not None)
