"""Rows of an open transaction wait for its outcome: each is stored once, and none is lost."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from signals_demo.catalog.outcomes import COMMITTED, OPEN, ROLLED_BACK
from signals_demo.delivery import held_rows
from signals_demo.delivery.held_rows import HeldRows
from signals_demo.delivery.journal import Journal
from signals_demo.delivery.journal_reader import JournalReader
from signals_demo.delivery.open_outcomes import OpenOutcomes
from signals_demo.delivery.rows import RowBatch, row_of
from signals_demo.events import Attribution, Row
from signals_demo.tracing.outcomes import SaveOutcome, TransactionOutcome
from tests.recording import made_event, row_maker


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(held_rows, "clock", made)
    return made


@pytest.fixture
def opened() -> OpenOutcomes:
    return OpenOutcomes()


@pytest.fixture
def held(opened: OpenOutcomes) -> HeldRows:
    return HeldRows(opened)


class KnownAtThisMoment(TransactionOutcome):
    """An outcome that another thread sets just after it was read for the nth time."""

    __slots__ = ("_reads",)

    def __init__(self, reads: int) -> None:
        super().__init__()
        self._reads = reads

    @property
    def value(self) -> str:
        known = super().value
        self._reads -= 1
        if not self._reads:
            self.set(COMMITTED)
        return known


def rows(number: int) -> list[Row]:
    make = row_maker()
    fields = {"outcome": OPEN, "actor": "", "actor_pk": ""}
    return [make(**fields) for _ in range(number)]


def numbers(found: list[Row]) -> list[int]:
    return [row.sequence for row in found]


def drain(held: HeldRows, *, now: bool = False) -> list[Row]:
    found = held.take(100, now=now)
    while held.has_due:
        found += held.take(100, now=now)
    return found


def test_a_row_waits_for_the_outcome_and_is_stored_with_it(
    held: HeldRows, opened: OpenOutcomes, clock: Clock
) -> None:
    outcome = TransactionOutcome()
    [row] = rows(1)
    held.add(outcome, row)
    assert drain(held) == []
    assert len(held) == 1
    outcome.set(COMMITTED)
    assert drain(held) == [row._replace(outcome=COMMITTED)]
    assert not held
    assert not opened


def test_the_first_rows_are_shown_as_open_after_a_moment(
    held: HeldRows, opened: OpenOutcomes, clock: Clock
) -> None:
    outcome, made = TransactionOutcome(), rows(held_rows.SHOWN + 900)
    for row in made:
        held.add(outcome, row)
    clock.now += 2 * held_rows.MOMENT
    assert drain(held) == made[: held_rows.SHOWN]
    assert opened
    clock.now += held_rows.LONGEST / 2
    assert drain(held) == []
    clock.now += held_rows.LONGEST
    assert drain(held) == made[held_rows.SHOWN :]


def test_a_long_transaction_is_compressed_and_comes_back_in_order(
    held: HeldRows, opened: OpenOutcomes, clock: Clock
) -> None:
    outcome, made = TransactionOutcome(), rows(3000)
    for row in made:
        held.add(outcome, row)
    assert len(held) == 3000
    outcome.set(COMMITTED)
    assert drain(held) == [row._replace(outcome=COMMITTED) for row in made]
    assert not held
    assert not opened


def test_saves_and_savepoints_inside_have_outcomes_of_their_own(
    held: HeldRows, clock: Clock
) -> None:
    around, made = TransactionOutcome(), rows(2000)
    undone = TransactionOutcome(around)
    for number, row in enumerate(made):
        if number % 100 == 0:
            held.add(undone, row)
            continue
        save = SaveOutcome(around)
        held.add(save, row)
        save.release()
    undone.set(ROLLED_BACK)
    around.set(COMMITTED)
    found = drain(held)
    assert sorted(numbers(found)) == numbers(made)
    assert {row.sequence for row in found if row.outcome == ROLLED_BACK} == set(
        numbers(made[::100])
    )
    assert {row.outcome for row in found} == {COMMITTED, ROLLED_BACK}


def test_now_none_waits_any_longer(held: HeldRows, opened: OpenOutcomes, clock: Clock) -> None:
    outcome, made = TransactionOutcome(), rows(1200)
    for row in made:
        held.add(outcome, row)
    assert drain(held, now=True) == made
    assert opened


def test_they_take_a_limited_number_of_bytes(
    held: HeldRows, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_rows, "MOST_BYTES", 5000)
    outcome, made = TransactionOutcome(), rows(5000)
    for row in made:
        held.add(outcome, row)
    found = drain(held)
    assert numbers(found) == numbers(made[: len(found)])
    assert 0 < len(held) < 3000


def test_rows_of_an_outcome_that_nobody_will_know_wait_no_longer(
    held: HeldRows, clock: Clock
) -> None:
    outcome, made = TransactionOutcome(), rows(3)
    for row in made:
        held.add(outcome, row)
    outcome.set(OPEN)
    assert drain(held) == made


def test_who_acted_becomes_known_while_they_wait(held: HeldRows, clock: Clock) -> None:
    outcome, made = TransactionOutcome(), rows(800)
    for row in made:
        held.add(outcome, row)
    one = made[0]
    held.attribute(
        Attribution(one.recorder, made[10].sequence, 2**62, one.trace_id, one.span_id, "7", "ada")
    )
    outcome.set(COMMITTED)
    found = drain(held)
    assert [row.actor for row in found] == [""] * 10 + ["ada"] * 790
    assert {row.actor_pk for row in found[10:]} == {"7"}


def test_who_stood_behind_becomes_known_while_they_wait(held: HeldRows, clock: Clock) -> None:
    outcome = TransactionOutcome()
    other, named, nobody = (row._replace(actor=name) for row, name in zip(
        rows(3), ("eve", "ada", ""), strict=True
    ))  # fmt: skip
    for row in (other, named, nobody):
        held.add(outcome, row)
    unit = named.trace_id, named.span_id
    one = Attribution(named.recorder, 0, 2**62, *unit, "", "ada", "7", 'bob "b"')
    held.attribute(one)
    held.attribute(one)
    outcome.set(COMMITTED)
    found = {row.actor: json.loads(row.arguments).get("impersonator") for row in drain(held)}
    assert found == {"eve": None, "ada": {"pk": "7", "name": 'bob "b"'}}


@pytest.mark.parametrize("reads", [1, 2, 3, 4])
def test_an_outcome_that_becomes_known_while_a_row_is_made_is_not_missed(
    held: HeldRows, opened: OpenOutcomes, reads: int
) -> None:
    outcome = KnownAtThisMoment(reads)
    batch = RowBatch(uuid4(), held, sinks=1)
    batch.add_event(made_event(outcome=outcome))
    [row] = [*batch.entries, *drain(held, now=True)]
    assert isinstance(row, Row)
    outcome.set(COMMITTED)
    told = [each.outcome for each in opened.resolved(row.recorder)]
    assert [row.outcome, *told] in ([COMMITTED], [OPEN, COMMITTED])


def test_an_outcome_that_becomes_known_before_the_journal_has_the_row_is_not_missed(
    tmp_path: Path,
) -> None:
    recorder, outcome = uuid4(), KnownAtThisMoment(reads=1)
    journal = Journal(tmp_path, recorder)
    event = made_event(outcome=outcome)
    journal.append_event(row_of(event, recorder, outcome.value), outcome)
    journal.close(is_stored=False)
    reader = JournalReader(tmp_path, recorder)
    assert [row.outcome for row, _number in reader.rows(reader.paths)] == [COMMITTED]


def test_a_row_whose_outcome_will_never_be_known_does_not_wait(held: HeldRows) -> None:
    outcome = TransactionOutcome()
    outcome.set(OPEN)
    batch = RowBatch(uuid4(), held, sinks=1)
    batch.add_event(made_event(outcome=outcome))
    assert len(batch.entries) == 1
    assert not held
