"""Sinks are made from the setting, and need to store and nothing else."""

from typing import Any

import pytest

from signals_demo.sinks import BaseSink, NotReady, configured, load
from signals_demo.sinks.database import DatabaseSink
from signals_demo.sinks.memory import MemorySink
from tests.recording import recorded


@pytest.mark.parametrize(
    ("backend", "options"),
    [
        ("database.DatabaseSink", {"ALIAS": "other"}),
        ("memory.MemorySink", {"LIMITS": 3}),
        ("memory.MemorySink", {"LIMIT": 0}),
        ("memory.MemorySink", {"LIMIT": "many"}),
        ("log.LogSink", {"FILE": "events.log"}),
        ("log.LogSink", {"LEVEL": "LOUD"}),
    ],
)
def test_options_that_a_sink_does_not_know_are_refused(
    backend: str, options: dict[str, Any]
) -> None:
    with pytest.raises(TypeError, match="sink takes"):
        load("own", {"BACKEND": f"signals_demo.sinks.{backend}", "OPTIONS": options})


def test_what_is_no_sink_is_refused() -> None:
    with pytest.raises(TypeError, match="not a subclass"):
        load("own", {"BACKEND": "datetime.date"})
    with pytest.raises(ImportError):
        load("own", {"BACKEND": "signals_demo.sinks.carrier.PigeonSink"})


def test_a_sink_that_cannot_be_made_is_logged_and_the_others_are_made(
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend = "signals_demo.sinks.memory.MemorySink"
    with recorded(SINKS={"bad": {"BACKEND": "no.Sink"}, "good": {"BACKEND": backend}}):
        (sink,) = configured()
    assert isinstance(sink, MemorySink)
    assert sink.alias == "good"
    assert "'bad'" in caplog.text


def test_without_sinks_there_is_the_database() -> None:
    with recorded():
        (sink,) = configured()
    assert isinstance(sink, DatabaseSink)


def test_a_sink_needs_to_store_and_nothing_else() -> None:
    class Least(BaseSink):
        def store(self, rows: Any) -> None:
            raise NotReady

    sink = Least("least", {})
    sink.resolve([])
    sink.close()
    assert sink.check() == []
    with pytest.raises(TypeError, match="abstract"):
        BaseSink("none", {})  # type: ignore[abstract]
