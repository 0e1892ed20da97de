"""From the buffer to every sink: in batches, in order, with what becomes known later."""

import threading
from collections.abc import Sequence

import pytest
from django.db import transaction

from project.playground.models import Author
from signals_demo import flush, trace
from signals_demo.delivery.buffer import Buffer
from signals_demo.delivery.rows import Buffered
from signals_demo.events import Resolution
from signals_demo.sinks import BaseSink
from tests.delivery.controlled import CONTROLLED, Controlled, authors
from tests.recording import MEMORY, kept, recorded, saves


def test_batches_are_no_larger_than_asked_and_in_order(sink: type[Controlled]) -> None:
    with recorded(SINKS=CONTROLLED, BATCH_SIZE=7, FOLD_AFTER=None), trace("unit") as unit:
        authors(50)
        assert flush()
    assert max(map(len, sink.batches)) <= 7
    numbers = [row.sequence for row in sink.rows(unit)]
    assert numbers == sorted(numbers)
    assert len(numbers) == 100


def test_resolutions_reach_every_sink(transactional_db: None) -> None:
    seen: list[Resolution] = []

    def note(self: BaseSink, resolutions: Sequence[Resolution]) -> None:
        seen.extend(resolutions)

    Controlled.reset()
    with (
        pytest.MonkeyPatch.context() as patch,
        recorded(SINKS=CONTROLLED | MEMORY),
        trace("unit") as unit,
    ):
        patch.setattr(Controlled, "resolve", note)
        with transaction.atomic():
            Author.objects.create(name="Ada")
            assert {outcome for _, outcome in saves(kept(unit))} == {"open"}
        assert {outcome for _, outcome in saves(kept(unit))} == {"committed"}
    assert {one.outcome for one in seen if one.trace_id == unit.trace_id} == {"committed"}


def test_what_fires_after_the_setting_has_changed_reaches_the_new_sinks(
    sink: type[Controlled],
) -> None:
    taking, changed = threading.Event(), threading.Event()
    take = Buffer.take

    def take_late(self: Buffer, size: int) -> list[Buffered]:
        taking.set()
        changed.wait(10)
        return take(self, size)

    with pytest.MonkeyPatch.context() as patch, recorded(SINKS=CONTROLLED):
        assert flush()
        patch.setattr(Buffer, "take", take_late)
        with trace("before"):
            Author(pk=1)
        assert taking.wait(10)
        with recorded(SINKS=MEMORY), trace("after") as unit:
            Author(pk=2)
            changed.set()
            assert kept(unit)
