"""What wakes the worker is neither missed nor seen twice."""

import threading

from signals_demo.delivery.wakeup import Wakeup


def test_what_was_set_before_wakes_once() -> None:
    wakeup = Wakeup()
    wakeup.set()
    wakeup.set()
    assert wakeup.wait(0)
    assert not wakeup.wait(0)
    wakeup.set()
    wakeup.clear()
    assert not wakeup.wait(0)


def test_many_threads_that_set_it_wake_the_one_that_waits() -> None:
    wakeup = Wakeup()
    woken = threading.Event()

    def wait() -> None:
        assert wakeup.wait(30)
        woken.set()

    def set_often() -> None:
        for _ in range(200):
            wakeup.set()

    threads = [threading.Thread(target=work) for work in (wait, *[set_often] * 8)]
    for thread in threads:
        thread.start()
    assert woken.wait(30)
    for thread in threads:
        thread.join(30)
