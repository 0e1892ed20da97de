"""Events as lines in a terminal."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from signals_demo.factories import SignalEventFactory
from signals_demo.management.terminal import LineFormatter, printable
from signals_demo.models import SignalEvent

FAINT = "\x1b[2m"


def an_event(**fields: Any) -> SignalEvent:
    return SignalEventFactory.build(
        **{
            "occurred_at": datetime(2026, 11, 21, 14, 3, 22, 416_000, tzinfo=UTC),
            "signal": "post_save",
            "sender": "shop.Order",
            "object_pk": "5",
            "trace_id": "ab" * 16,
            "origin": "request",
            "origin_name": "POST /checkout/",
        }
        | fields
    )


def lines(*events: SignalEvent, **options: Any) -> list[str]:
    formatter = LineFormatter(**{"coloured": False} | options)
    return [line for event in events for line in formatter.lines(event)]


def test_a_heading_stands_above_each_trace_once() -> None:
    first, again, other = an_event(), an_event(), an_event(trace_id="cd" * 16)
    found = [line for line in lines(first, again, other) if line.startswith("──")]
    assert [line.split()[-1] for line in found] == ["ab" * 16, "cd" * 16]
    assert all("POST /checkout/" in line for line in found)


def test_without_headings_there_is_a_line_for_each_event() -> None:
    assert len(lines(an_event(), an_event(), has_headings=False)) == 2


def test_the_depth_indents_up_to_a_limit() -> None:
    [shallow, deep, deepest] = (
        lines(an_event(depth=depth), has_headings=False)[0].partition("post_save")[0]
        for depth in (1, 12, 400)
    )
    assert len(deep) - len(shallow) == 22
    assert deepest == deep


def test_only_the_first_changes_are_shown_and_the_rest_is_counted() -> None:
    changes = {f"field{n}": [n, n + 1] for n in range(5)}
    [line] = lines(an_event(changes=changes), has_headings=False)
    assert "field0: 0 → 1, field1: 1 → 2, field2: 2 → 3, +2" in line


def test_long_values_and_exceptions_are_cut() -> None:
    event = an_event(
        changes={"name": ["x" * 999, "y" * 999]}, exception="ValueError: " + "z" * 999
    )
    [line] = lines(event, has_headings=False)
    assert len(line) < 400


def test_colours_are_for_those_who_want_them() -> None:
    event = an_event(outcome="rolled_back", duration=timedelta(milliseconds=3))
    plain, coloured = lines(event), lines(event, coloured=True)
    assert "\x1b" not in "".join(plain)
    assert all(line.startswith(FAINT) for line in coloured)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë \N{SNOWMAN}", "Zoë \N{SNOWMAN}"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\u202e", "a\\nb\\u202e"),
    ],
)
def test_no_recorded_text_gives_a_terminal_orders(text: str, shown: str) -> None:
    assert printable(text) == shown
    name = {"sender": text, "origin_name": text, "actor": text, "call_site": text}
    more = {"exception": text, "changes": {text: [text, text]}}
    assert all(line.isprintable() for line in lines(an_event(**name, **more)))
