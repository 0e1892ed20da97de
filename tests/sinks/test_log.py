"""The log sink writes a line of JSON for each event."""

import json
import logging
from collections.abc import Callable

import pytest

from signals_demo.catalog.outcomes import COMMITTED
from signals_demo.events import Resolution, Row
from signals_demo.sinks.log import LogSink
from tests.recording import row_maker

make_row = pytest.fixture(row_maker)


def test_the_log_gets_one_line_of_json_for_each_event(
    make_row: Callable[..., Row], caplog: pytest.LogCaptureFixture
) -> None:
    row = make_row()
    sink = LogSink("log", {"LOGGER": "shop.signals", "LEVEL": "WARNING"})
    with caplog.at_level(logging.WARNING, "shop.signals"):
        sink.store([row, make_row()])
        sink.resolve(
            [Resolution(row.recorder, 1, 2, row.trace_id, row.span_id, "default", COMMITTED)]
        )
    assert {(record.name, record.levelname) for record in caplog.records} == {
        ("shop.signals", "WARNING")
    }
    first, _, resolved = [json.loads(record.getMessage()) for record in caplog.records]
    assert first["signal"] == "post_save"
    assert first["arguments"] == json.loads(row.arguments)
    assert first["recorder"] == str(row.recorder)
    assert (resolved["first"], resolved["last"], resolved["outcome"]) == (1, 2, COMMITTED)
