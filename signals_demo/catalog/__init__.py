"""Which signals Django has: name, family, arguments, when each fires."""

from signals_demo.catalog.signals import BUILT_IN, built_in, get
from signals_demo.catalog.types import CONNECT_OPTIONS, Argument, BuiltIn, Family

__all__ = ["BUILT_IN", "CONNECT_OPTIONS", "Argument", "BuiltIn", "Family", "built_in", "get"]
