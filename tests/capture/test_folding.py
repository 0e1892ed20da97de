"""Init signals fold into runs, and the sum of the counts stays exact."""

import threading
from collections import Counter
from contextvars import copy_context

import pytest
from django.db.models.signals import post_init, pre_init
from django.dispatch import Signal

from project.playground.models import Author, Tag
from signals_demo import trace
from tests.capture.firings import connected
from tests.recording import MEMORY, kept, recorded

paid = Signal()


@pytest.mark.usefixtures("memory")
def test_the_sum_of_counts_is_the_number_of_firings() -> None:
    seen: Counter[str] = Counter()
    with (
        connected(pre_init, lambda **kwargs: seen.update(["pre_init"]), Author),
        connected(post_init, lambda **kwargs: seen.update(["post_init"]), Author),
        trace("many") as unit,
    ):
        for _ in range(1234):
            Author()
    told: Counter[str] = Counter()
    for row in kept(unit):
        told[row.signal] += row.count
    assert told == seen == {"pre_init": 1234, "post_init": 1234}


@pytest.mark.usefixtures("memory")
def test_like_init_signals_fold_after_so_many() -> None:
    with recorded(SINKS=MEMORY, FOLD_AFTER=3, FLUSH_INTERVAL=60), trace("many") as unit:
        for _ in range(10):
            Author()
        rows = kept(unit)
    assert [row.count for row in rows if row.signal == "pre_init"] == [1, 1, 1, 7]
    assert [row.count for row in rows if row.signal == "post_init"] == [1, 1, 1, 7]


@pytest.mark.usefixtures("memory")
def test_another_signal_ends_the_run() -> None:
    def make(number: int) -> None:
        for _ in range(number):
            Author()

    with recorded(
        SINKS=MEMORY,
        FOLD_AFTER=1,
        FLUSH_INTERVAL=60,
        EXTRA_SIGNALS=["tests.capture.test_folding.paid"],
    ):
        with trace("many") as unit:
            make(5)
            paid.send(None)
            make(5)
        rows = kept(unit)
    assert [row.count for row in rows if row.signal == "pre_init"] == [1, 4, 1, 4]


@pytest.mark.usefixtures("memory")
def test_models_and_lines_fold_apart() -> None:
    with recorded(SINKS=MEMORY, FOLD_AFTER=1, FLUSH_INTERVAL=60), trace("many") as unit:
        for _ in range(5):
            Author()
            Tag()
            Author()
        rows = kept(unit)
    counts = Counter[tuple[str, str]]()
    for row in rows:
        if row.signal == "post_init":
            counts[row.sender, row.call_site] += row.count
    assert sorted(counts.values()) == [5, 5, 5]
    assert len(counts) == 3


@pytest.mark.usefixtures("memory")
def test_folding_can_be_turned_off() -> None:
    with recorded(SINKS=MEMORY, FOLD_AFTER=None), trace("many") as unit:
        for _ in range(100):
            Author()
        assert [row.count for row in kept(unit)] == [1] * 200


@pytest.mark.usefixtures("memory")
def test_the_count_is_exact_with_eight_threads_in_one_trace_while_the_writer_writes() -> None:
    with recorded(SINKS={"memory": {**MEMORY["memory"], "OPTIONS": {"LIMIT": 100_000}}},
                  FLUSH_INTERVAL=0.001, FOLD_AFTER=2), trace("many") as unit:  # fmt: skip

        def work() -> None:
            for _ in range(500):
                Author()

        contexts = [copy_context() for _ in range(8)]
        threads = [threading.Thread(target=context.run, args=[work]) for context in contexts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        rows = kept(unit)
    told: Counter[str] = Counter()
    for row in rows:
        told[row.signal] += row.count
    assert told == {"pre_init": 4000, "post_init": 4000}
    assert sorted(row.position for row in rows) == list(range(1, len(rows) + 1))
