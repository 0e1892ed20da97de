"""The worker lets requests go first."""

import threading
import time
import weakref
from collections.abc import Iterator

import pytest

from signals_demo.delivery.throttle import BUDGET, LONG, MANY, PORTION, STEP, Throttle

ENOUGH = 30.0


@pytest.fixture
def throttle() -> Throttle:
    return Throttle()


class Work:
    """Some steps of a worker, on its thread."""

    def __init__(self, throttle: Throttle, budget: float, steps: int = 5) -> None:
        self.done = 0
        self._steps = steps * STEP
        self._thread = threading.Thread(target=self._work, args=(throttle, budget), daemon=True)
        self._thread.start()

    def _work(self, throttle: Throttle, budget: float) -> None:
        throttle.start(budget)
        for _ in throttle.steps(range(self._steps)):
            self.done += 1

    def has_ended(self, timeout: float = ENOUGH) -> bool:
        self._thread.join(timeout)
        return self.done == self._steps


@pytest.fixture
def held(throttle: Throttle) -> Iterator[Work]:
    """Work that waits for a request."""
    throttle.begin("a request")
    work = Work(throttle, budget=ENOUGH)
    assert not work.has_ended(0.1)
    assert work.done == STEP
    yield work
    throttle.stop_waiting()


def test_it_waits_until_the_request_is_over(throttle: Throttle, held: Work) -> None:
    throttle.end("a request")
    assert held.has_ended()


def test_it_waits_for_all_that_are_served(throttle: Throttle, held: Work) -> None:
    throttle.begin("another")
    throttle.end("a request")
    assert not held.has_ended(0.1)
    throttle.end("another")
    assert held.has_ended()


def test_it_goes_on_at_once_when_a_thread_waits_for_it(throttle: Throttle, held: Work) -> None:
    throttle.stop_waiting()
    assert held.has_ended()


def test_it_waits_no_longer_than_it_may(throttle: Throttle) -> None:
    throttle.begin("a request")
    assert Work(throttle, budget=BUDGET).has_ended()


def test_a_request_that_never_ends_is_not_waited_for(throttle: Throttle) -> None:
    throttle.begin("a stream")
    began = time.monotonic()
    work = Work(throttle, budget=ENOUGH)
    assert not work.has_ended(LONG / 2)
    assert work.has_ended()
    assert time.monotonic() - began < ENOUGH / 2
    assert Work(throttle, budget=ENOUGH).has_ended(LONG / 2)


def test_requests_whose_end_is_never_noted_are_forgotten(throttle: Throttle) -> None:
    class Request:
        pass

    kept = weakref.WeakSet[Request]()
    for _ in range(3):
        for _ in range(MANY):
            request = Request()
            kept.add(request)
            throttle.begin(request)
        time.sleep(LONG * 1.1)
    throttle.begin(Request())
    del request
    assert len(kept) <= 1


def test_the_project_never_waits_for_itself(throttle: Throttle) -> None:
    throttle.begin("a request")
    Work(throttle, budget=0.0).has_ended()
    assert list(throttle.steps(range(100))) == list(range(100))


ROWS = range(3 * PORTION + 1)


def portions(throttle: Throttle) -> list[int]:
    found = [list(some) for some in throttle.portions(ROWS)]
    assert [row for some in found for row in some] == list(ROWS)
    return [len(some) for some in found]


def test_the_database_gets_few_rows_at_one_go_while_requests_come(throttle: Throttle) -> None:
    throttle.start(ENOUGH)
    throttle.begin("a request")
    throttle.end("a request")
    assert portions(throttle) == [PORTION, PORTION, PORTION, 1]
    time.sleep(LONG)
    assert portions(throttle) == [len(ROWS)]


def test_the_database_gets_all_rows_at_one_go_when_time_is_short(throttle: Throttle) -> None:
    throttle.start(0.0)
    throttle.begin("a request")
    assert portions(throttle) == [len(ROWS)]


def test_the_project_s_own_rows_are_not_divided(throttle: Throttle) -> None:
    Work(throttle, budget=ENOUGH).has_ended()
    throttle.begin("a request")
    assert portions(throttle) == [len(ROWS)]


def test_a_forked_child_serves_none_of_its_parents_requests(throttle: Throttle) -> None:
    throttle.begin("a request")
    throttle.reset()
    assert Work(throttle, budget=ENOUGH).has_ended(LONG / 2)


def test_many_requests_end_while_it_waits(throttle: Throttle) -> None:
    def serve(name: int) -> None:
        for number in range(2000):
            throttle.begin((name, number))
            throttle.end((name, number))

    work = Work(throttle, budget=ENOUGH, steps=200)
    threads = [threading.Thread(target=serve, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(ENOUGH)
    assert work.has_ended()
