"""Where events go: one file for each kind of destination."""

import logging
from collections.abc import Mapping
from typing import Any

from django.utils.module_loading import import_string

from signals_demo.conf import DATABASE_SINK, config
from signals_demo.sinks.base import BaseSink, NotReady

__all__ = ["BaseSink", "NotReady", "configured", "load"]

logger = logging.getLogger("signals_demo")


def load(alias: str, params: Mapping[str, Any]) -> BaseSink:
    """Make one sink of its entry in `SINKS`.

    Raises ImportError for a path that leads nowhere, TypeError for a class that is no sink or
    for options that it does not know.
    """
    cls = import_string(params["BACKEND"])
    if not (isinstance(cls, type) and issubclass(cls, BaseSink)):
        raise TypeError(f"{params['BACKEND']} is not a subclass of signals_demo.sinks.BaseSink")
    return cls(alias, params.get("OPTIONS", {}))


def configured() -> list[BaseSink]:
    """Make the sinks of the configuration in force. One that cannot be made is logged."""
    sinks = []
    for alias, params in (config().sinks or DATABASE_SINK).items():
        try:
            sinks.append(load(alias, params))
        except Exception as error:  # noqa: BLE001 - a sink of the host's may raise anything
            logger.error("SIGNALS_DEMO['SINKS'][%r] cannot be used: %s", alias, error)
    return sinks
