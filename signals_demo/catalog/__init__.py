"""Which signals Django has: name, family, arguments, when each fires."""

from signals_demo.catalog.groups import (
    CHANGES,
    EVENTS_LOST,
    INIT,
    LINKS,
    PAIRS,
    PASSIVE,
    WRITES,
    is_change,
)
from signals_demo.catalog.signals import BUILT_IN, built_in, get
from signals_demo.catalog.types import CONNECT_OPTIONS, Argument, BuiltIn, Family

__all__ = [
    "BUILT_IN",
    "CHANGES",
    "CONNECT_OPTIONS",
    "EVENTS_LOST",
    "INIT",
    "LINKS",
    "PAIRS",
    "PASSIVE",
    "WRITES",
    "Argument",
    "BuiltIn",
    "Family",
    "built_in",
    "get",
    "is_change",
]
