"""Destinations of events: one module for each kind."""

import logging
from collections.abc import Mapping
from typing import Any

from django.utils.module_loading import import_string

from signals_demo.conf import DATABASE_SINK, config
from signals_demo.sinks.base import BaseSink, NotReady, Session

__all__ = ["BaseSink", "NotReady", "configured", "load"]

logger = logging.getLogger("signals_demo")


def load(alias: str, params: Mapping[str, Any]) -> BaseSink:
    """Make one sink from its entry in `SINKS`.

    Raises ImportError for a path that leads nowhere, TypeError for a class that is no sink or
    for options that it does not know.
    """
    cls = import_string(params["BACKEND"])
    if not (isinstance(cls, type) and issubclass(cls, BaseSink)):
        raise TypeError(f"{params['BACKEND']} is not a subclass of signals_demo.sinks.BaseSink")
    return cls(alias, params.get("OPTIONS", {}))


def configured(session: Session = BaseSink.session) -> list[BaseSink]:
    """Make the sinks of the configuration in force. One that cannot be made is logged."""
    sinks: list[BaseSink] = []
    for alias, params in (config().sinks or DATABASE_SINK).items():
        try:
            sink = load(alias, params)
            sink.session = session
        except Exception as error:  # noqa: BLE001 - a sink of the project's may raise anything
            logger.error("SIGNALS_DEMO['SINKS'][%r] cannot be used: %s", alias, error)
        else:
            sinks.append(sink)
    return sinks
