"""Rows that were stored as open are known by few ranges of numbers."""

from typing import Any
from uuid import UUID

from signals_demo.delivery.open_outcomes import OpenOutcomes
from signals_demo.events import Row
from signals_demo.tracing.outcomes import TransactionOutcome


def open_row(number: int, trace_id: str = "t") -> Row:
    values: dict[str, Any] = dict.fromkeys(Row._fields, "")
    values |= {"sequence": number, "trace_id": trace_id, "database": "default"}
    return Row(**values)


def resolved(rows: OpenOutcomes) -> list[tuple[int, int, str]]:
    return [(one.first, one.last, one.outcome) for one in rows.resolved(UUID(int=1))]


def test_rows_that_come_out_of_order_are_all_in_a_range() -> None:
    rows, outcome = OpenOutcomes(), TransactionOutcome()
    for number in (5, 3, 4, 7, 6):
        rows.add(outcome, open_row(number))
    outcome.set("committed")
    assert resolved(rows) == [(3, 7, "committed")]
    assert not rows


def test_a_row_of_another_transaction_that_comes_late_is_left_out_of_the_range() -> None:
    rows, one, other = OpenOutcomes(), TransactionOutcome(), TransactionOutcome()
    for outcome, number in ((one, 1), (one, 3), (other, 2), (one, 4)):
        rows.add(outcome, open_row(number))
    one.set("committed")
    ranges = resolved(rows)
    assert not any(first <= 2 <= last for first, last, _ in ranges)
    assert {n for first, last, _ in ranges for n in range(first, last + 1)} == {1, 3, 4}
    other.set("rolled_back")
    assert resolved(rows) == [(2, 2, "rolled_back")]


def test_what_is_known_of_a_trace_goes_with_its_last_open_row() -> None:
    rows, lasting = OpenOutcomes(), TransactionOutcome()
    rows.add(lasting, open_row(1, "lasting"))
    for number in range(2, 200):
        outcome = TransactionOutcome()
        rows.add(outcome, open_row(number, f"trace {number}"))
        outcome.set("committed")
        assert len(resolved(rows)) == 1
    assert len(rows._latest) == 1


def test_rows_of_which_nobody_will_ever_know_are_forgotten() -> None:
    rows, lost = OpenOutcomes(), TransactionOutcome()
    rows.add(lost, open_row(1))
    lost.set("open")
    assert resolved(rows) == []
    assert not rows
    assert not rows._latest
