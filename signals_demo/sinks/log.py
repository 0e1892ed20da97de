"""Writes each event as a line of JSON to Python's logging."""

import json
import logging
from collections.abc import Sequence
from typing import Any

from signals_demo.events import Attribution, Resolution, Row
from signals_demo.sinks.base import BaseSink


class LogSink(BaseSink):
    """Log events. Options: `LOGGER` ("signals_demo.events") and `LEVEL` ("INFO")."""

    def __init__(self, alias: str, options: dict[str, Any]) -> None:
        super().__init__(alias, options)
        options = dict(options)
        self.logger = logging.getLogger(options.pop("LOGGER", "signals_demo.events"))
        self.level = logging.getLevelNamesMapping().get(options.pop("LEVEL", "INFO"))
        if options or self.level is None:
            raise TypeError("the log sink takes LOGGER, a name, and LEVEL, a logging level")

    def store(self, rows: Sequence[Row]) -> None:
        for row in rows:
            fields = row._asdict()
            fields["arguments"] = json.loads(row.arguments)
            fields["changes"] = json.loads(row.changes)
            self._log(fields)

    def resolve(self, resolutions: Sequence[Resolution]) -> None:
        for resolution in resolutions:
            self._log(resolution._asdict())

    def attribute(self, attributions: Sequence[Attribution]) -> None:
        for attribution in attributions:
            self._log(attribution._asdict())

    def _log(self, fields: dict[str, Any]) -> None:
        self.logger.log(self.level or 0, "%s", json.dumps(fields, default=str))
