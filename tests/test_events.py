"""What travels: runs of like firings, and rows that every database takes."""

import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from signals_demo.catalog.outcomes import COMMITTED, OPEN
from signals_demo.delivery.rows import row_of
from signals_demo.events import Event, Resolution, Row, Run
from signals_demo.models import SignalEvent
from signals_demo.serialize.source import Site
from signals_demo.serialize.text import clean, encode
from signals_demo.tracing.trace import Actor, Trace

RECORDER = UUID(int=1)
NUL = "\0"
LONE_SURROGATE = "\ud800"


def event(*, arguments: Any = None, changes: Any = None, **fields: Any) -> Event:
    values: dict[str, Any] = {
        "sequence": 1,
        "time": 1_800_000_000_123_456_789,
        "signal": "post_save",
        "sender": "auth.User",
        "arguments": encode(arguments or {}),
        "object_pk": "5",
        "database": "default",
        "exception": "",
        "trace": Trace("block", "unit", trace_id="ab" * 16),
        "position": 3,
        "depth": 2,
        "duration": None,
        "outcome": None,
        "site": None,
        "changes": encode(changes or {}),
        "actor": None,
        "count": 1,
    }
    return Event(**values | fields)


def site_in(text: str) -> Site:
    """Return a site whose file and function have this name."""
    return compile("", text, "exec").replace(co_qualname=text), 0


def test_a_row_has_the_fields_of_the_model_in_their_order() -> None:
    names = [field.attname for field in SignalEvent._meta.concrete_fields]
    assert list(Row._fields) == names[1:]  # but for `id`


def test_times_are_utc_to_the_microsecond() -> None:
    row = row_of(event(duration=1_234_567), RECORDER, COMMITTED)
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=1_800_000_000_123_456)
    assert row.occurred_at == expected
    assert row.occurred_at.tzinfo is UTC
    assert row.duration == timedelta(microseconds=1234)


def test_text_that_a_column_cannot_hold_is_cut() -> None:
    long = "x" * 100_000
    trace = Trace("block", long, remote_address=long)
    row = row_of(
        event(
            signal=long, trace=trace, actor=Actor(long, long), site=site_in(long),
            **dict.fromkeys(("sender", "object_pk", "database", "exception"), long),
        ),
        RECORDER,
        "",
    )  # fmt: skip
    for field in SignalEvent._meta.concrete_fields[1:]:
        limit = getattr(field, "max_length", None)
        value = getattr(row, field.attname)
        if limit and isinstance(value, str):
            assert len(value) <= limit, field.attname
    assert row.sender.endswith("…")
    assert len(row.exception) == 2000


@pytest.mark.parametrize("bad", [NUL, LONE_SURROGATE, f"a{NUL}b{LONE_SURROGATE}c\N{SNOWMAN}"])
def test_characters_that_databases_refuse_are_made_visible(bad: str) -> None:
    trace = Trace("block", bad, remote_address=bad)
    row = row_of(
        event(
            trace=trace, actor=Actor(bad, bad), changes={bad: [bad, None]},
            **dict.fromkeys(("sender", "object_pk", "exception"), bad),
            arguments={bad: [bad, {bad: bad}, 1, None, True]},
        ),
        RECORDER,
        "",
    )  # fmt: skip
    for value in row:
        if isinstance(value, str):
            assert NUL not in value
            assert "\\u0000" not in value
            value.encode("utf-8")
    assert json.loads(row.arguments) == {
        clean(bad): [clean(bad), {clean(bad): clean(bad)}, 1, None, True]
    }


def test_text_that_is_fine_stays_as_it_is() -> None:
    fine = 'Zoë \N{SNOWMAN} 𝄞 "quoted" \\u0000 is text'
    row = row_of(event(sender=fine, arguments={"text": fine}), RECORDER, "")
    assert row.sender == fine
    assert json.loads(row.arguments)["text"].replace(NUL, "?") == fine


def test_the_actor_captured_stands_before_the_one_of_the_trace() -> None:
    trace = Trace("request", "GET /", actor=Actor("2", "bob"))
    assert row_of(event(trace=trace), RECORDER, "").actor == "bob"
    assert row_of(event(trace=trace, actor=Actor("1", "ada")), RECORDER, "").actor == "ada"


# Runs


def test_a_run_counts_until_it_is_sealed_and_then_refuses() -> None:
    run = Run(event())
    assert run.add()
    assert run.add()
    assert run.seal().count == 3
    assert not run.add()
    assert run.seal().count == 3


def test_a_run_sealed_under_fire_loses_and_invents_nothing() -> None:
    @dataclass
    class Tally:
        taken: int = 0

    for _ in range(20):
        run = Run(event())
        tallies = [Tally() for _ in range(4)]
        start = threading.Barrier(5)

        def add(tally: Tally, run: Run = run, start: threading.Barrier = start) -> None:
            start.wait(10)
            for _ in range(500):
                if not run.add():
                    break
                tally.taken += 1

        threads = [threading.Thread(target=add, args=[tally]) for tally in tallies]
        for thread in threads:
            thread.start()
        start.wait(10)
        sealed = run.seal()
        for thread in threads:
            thread.join(10)
        assert sealed.count == 1 + sum(tally.taken for tally in tallies)


# Resolutions


def test_a_resolution_concerns_open_rows_of_its_place_alone() -> None:
    numbers = count(1)

    def row(**fields: Any) -> Row:
        made = row_of(event(sequence=5, position=next(numbers)), RECORDER, OPEN)
        return made._replace(**fields)

    resolution = Resolution(RECORDER, 3, 7, "ab" * 16, "default", COMMITTED)
    assert resolution.concerns(row())
    assert resolution.concerns(row(sequence=3))
    assert resolution.concerns(row(sequence=7))
    assert not resolution.concerns(row(sequence=2))
    assert not resolution.concerns(row(sequence=8))
    assert not resolution.concerns(row(recorder=UUID(int=2)))
    assert not resolution.concerns(row(trace_id="cd" * 16))
    assert not resolution.concerns(row(database="other"))
    assert not resolution.concerns(row(outcome=COMMITTED))
    assert not resolution.concerns(row(outcome=""))
