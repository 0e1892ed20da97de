"""Rows say what was captured, in text that every database takes."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from signals_demo.catalog.outcomes import COMMITTED
from signals_demo.delivery.rows import row_of
from signals_demo.models import SignalEvent
from signals_demo.serialize.source import Site
from signals_demo.serialize.text import clean
from signals_demo.tracing.actors import NOBODY, Actor
from signals_demo.tracing.identity import Identity
from signals_demo.tracing.trace import Trace
from tests.recording import made_event

RECORDER = UUID(int=1)

NUL = "\0"

LONE_SURROGATE = "\ud800"


def site_in(text: str) -> Site:
    """Return a site whose file and function have this name."""
    return compile("", text, "exec").replace(co_qualname=text), 0


def test_times_are_utc_to_the_microsecond() -> None:
    row = row_of(made_event(duration=1_234_567), RECORDER, COMMITTED)
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=1_800_000_000_123_456)
    assert row.occurred_at == expected
    assert row.occurred_at.tzinfo is UTC
    assert row.duration == timedelta(microseconds=1234)


def test_text_that_a_column_cannot_hold_is_cut() -> None:
    long = "x" * 100_000
    trace = Trace("block", long, remote_address=long, who=Identity(Actor(long, long)))
    row = row_of(
        made_event(
            signal=long, trace=trace, site=site_in(long),
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
    assert row.sender.endswith("...")
    assert len(row.exception) == 2000


@pytest.mark.parametrize("bad", [NUL, LONE_SURROGATE, f"a{NUL}b{LONE_SURROGATE}c\N{SNOWMAN}"])
def test_characters_that_databases_refuse_are_made_visible(bad: str) -> None:
    who = Identity(Actor(bad, bad, Actor(bad, bad)))
    trace = Trace("block", bad, remote_address=bad, who=who)
    row = row_of(
        made_event(
            trace=trace, changes={bad: [bad, None]},
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
        clean(bad): [clean(bad), {clean(bad): clean(bad)}, 1, None, True],
        "impersonator": {"pk": clean(bad), "name": clean(bad)},
    }


def test_text_that_is_fine_stays_as_it_is() -> None:
    fine = 'Zoë \N{SNOWMAN} 𝄞 "quoted" \\u0000 is text'
    row = row_of(made_event(sender=fine, arguments={"text": fine}), RECORDER, "")
    assert row.sender == fine
    assert json.loads(row.arguments)["text"].replace(NUL, "?") == fine


def test_a_row_has_the_actor_of_its_event() -> None:
    who = Identity(Actor("2", "bob"))
    who.changes += [(5, Actor("1", "ada")), (8, NOBODY)]
    trace = Trace("request", "GET /", who=who)
    found = [row_of(made_event(trace=trace, sequence=n), RECORDER, "") for n in range(1, 10)]
    assert [row.actor for row in found] == ["bob"] * 4 + ["ada"] * 3 + [""] * 2
    assert list(who.parts()) == [(0, 4, Actor("2", "bob")), (5, 7, Actor("1", "ada"))]
