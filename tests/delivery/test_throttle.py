"""The writer lets the host's requests go first."""

import threading
import time
import weakref
from collections.abc import Iterator

import pytest

from signals_demo.delivery.throttle import LONG, MANY, PATIENCE, PORTION, STEP, Pace

ENOUGH = 30.0


@pytest.fixture
def pace() -> Pace:
    return Pace()


class Work:
    """Some steps of a writer's, on a thread of its own."""

    def __init__(self, pace: Pace, patience: float, steps: int = 5) -> None:
        self.done = 0
        self._steps = steps * STEP
        self._thread = threading.Thread(target=self._work, args=(pace, patience), daemon=True)
        self._thread.start()

    def _work(self, pace: Pace, patience: float) -> None:
        pace.start(patience)
        for _ in pace.steps(range(self._steps)):
            self.done += 1

    def has_ended(self, timeout: float = ENOUGH) -> bool:
        self._thread.join(timeout)
        return self.done == self._steps


@pytest.fixture
def held(pace: Pace) -> Iterator[Work]:
    """Work that waits for a request."""
    pace.begin("a request")
    work = Work(pace, patience=ENOUGH)
    assert not work.has_ended(0.1)
    assert work.done == STEP
    yield work
    pace.hurry()


def test_it_waits_until_the_request_is_over(pace: Pace, held: Work) -> None:
    pace.end("a request")
    assert held.has_ended()


def test_it_waits_for_all_that_are_served(pace: Pace, held: Work) -> None:
    pace.begin("another")
    pace.end("a request")
    assert not held.has_ended(0.1)
    pace.end("another")
    assert held.has_ended()


def test_it_goes_on_at_once_when_somebody_waits_for_it(pace: Pace, held: Work) -> None:
    pace.hurry()
    assert held.has_ended()


def test_it_waits_no_longer_than_it_may(pace: Pace) -> None:
    pace.begin("a request")
    assert Work(pace, patience=PATIENCE).has_ended()


def test_a_request_that_never_ends_is_not_waited_for(pace: Pace) -> None:
    pace.begin("a stream")
    began = time.monotonic()
    work = Work(pace, patience=ENOUGH)
    assert not work.has_ended(LONG / 2)
    assert work.has_ended()
    assert time.monotonic() - began < ENOUGH / 2
    assert Work(pace, patience=ENOUGH).has_ended(LONG / 2)


def test_requests_whose_end_is_never_told_are_forgotten(pace: Pace) -> None:
    class Request:
        pass

    kept = weakref.WeakSet[Request]()
    for _ in range(3):
        for _ in range(MANY):
            request = Request()
            kept.add(request)
            pace.begin(request)
        time.sleep(LONG * 1.1)
    pace.begin(Request())
    del request
    assert len(kept) <= 1


def test_the_host_never_waits_for_itself(pace: Pace) -> None:
    pace.begin("a request")
    Work(pace, patience=0.0).has_ended()
    assert list(pace.steps(range(100))) == list(range(100))


ROWS = range(3 * PORTION + 1)


def portions(pace: Pace) -> list[int]:
    found = [list(some) for some in pace.portions(ROWS)]
    assert [row for some in found for row in some] == list(ROWS)
    return [len(some) for some in found]


def test_the_database_gets_few_rows_at_one_go_while_requests_come(pace: Pace) -> None:
    pace.start(ENOUGH)
    pace.begin("a request")
    pace.end("a request")
    assert portions(pace) == [PORTION, PORTION, PORTION, 1]
    time.sleep(LONG)
    assert portions(pace) == [len(ROWS)]


def test_the_database_gets_all_rows_at_one_go_when_time_is_short(pace: Pace) -> None:
    pace.start(0.0)
    pace.begin("a request")
    assert portions(pace) == [len(ROWS)]


def test_the_host_s_own_rows_are_not_divided(pace: Pace) -> None:
    Work(pace, patience=ENOUGH).has_ended()
    pace.begin("a request")
    assert portions(pace) == [len(ROWS)]


def test_a_forked_child_serves_none_of_its_parents_requests(pace: Pace) -> None:
    pace.begin("a request")
    pace.start_afresh()
    assert Work(pace, patience=ENOUGH).has_ended(LONG / 2)


def test_many_requests_end_while_it_waits(pace: Pace) -> None:
    def serve(name: int) -> None:
        for number in range(2000):
            pace.begin((name, number))
            pace.end((name, number))

    work = Work(pace, patience=ENOUGH, steps=200)
    threads = [threading.Thread(target=serve, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(ENOUGH)
    assert work.has_ended()
