"""What travels: folded events that grow, and what becomes known of rows later."""

import threading
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from signals_demo.catalog.outcomes import COMMITTED, OPEN
from signals_demo.events import FoldedEvent, Resolution, Row
from signals_demo.models import SignalEvent
from tests.recording import made_event, row_maker

RECORDER = UUID(int=1)


def test_a_row_has_the_fields_of_the_model_in_their_order() -> None:
    names = [field.attname for field in SignalEvent._meta.concrete_fields]
    assert list(Row._fields) == names[1:]  # but for `id`


def test_a_folded_event_counts_until_it_is_sealed_and_then_refuses() -> None:
    folded = FoldedEvent(made_event())
    assert folded.add()
    assert folded.add()
    assert folded.seal().count == 3
    assert not folded.add()
    assert folded.seal().count == 3


def test_a_folded_event_sealed_under_fire_loses_and_invents_nothing() -> None:
    @dataclass
    class Tally:
        taken: int = 0

    for _ in range(20):
        folded = FoldedEvent(made_event())
        tallies = [Tally() for _ in range(4)]
        start = threading.Barrier(5)

        def add(
            tally: Tally, folded: FoldedEvent = folded, start: threading.Barrier = start
        ) -> None:
            start.wait(10)
            for _ in range(500):
                if not folded.add():
                    break
                tally.taken += 1

        threads = [threading.Thread(target=add, args=[tally]) for tally in tallies]
        for thread in threads:
            thread.start()
        start.wait(10)
        sealed = folded.seal()
        for thread in threads:
            thread.join(10)
        assert sealed.count == 1 + sum(tally.taken for tally in tallies)


def test_a_resolution_concerns_open_rows_of_its_place_alone() -> None:
    make = row_maker()

    def row(**fields: Any) -> Row:
        return make(**{"recorder": RECORDER, "sequence": 5, "outcome": OPEN} | fields)

    resolution = Resolution(RECORDER, 3, 7, "ab" * 16, "1a" * 8, "default", COMMITTED)
    assert resolution.concerns(row())
    assert resolution.concerns(row(sequence=3))
    assert resolution.concerns(row(sequence=7))
    assert not resolution.concerns(row(sequence=2))
    assert not resolution.concerns(row(sequence=8))
    assert not resolution.concerns(row(recorder=UUID(int=2)))
    assert not resolution.concerns(row(trace_id="cd" * 16))
    assert not resolution.concerns(row(span_id="2b" * 8))
    assert not resolution.concerns(row(database="other"))
    assert not resolution.concerns(row(outcome=COMMITTED))
    assert not resolution.concerns(row(outcome=""))
