"""Receivers under test: silent for a block and back as they were; which of them ran."""

import asyncio
import gc
import re
import weakref
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db.models.signals import ModelSignal, post_init, post_save
from django.dispatch import Signal
from django.test import override_settings

from project.playground.models import Author, Book, Order
from signals_demo.testing import capture_signals, muted, receivers_run
from tests.recording import Boom

PATH = "tests.testing.test_muting"

called: list[str] = []
rung = Signal()
cached = ModelSignal(use_caching=True)


def first(**kwargs: Any) -> str:
    called.append("first")
    return "done"


def second(**kwargs: Any) -> None:
    called.append("second")


def third(**kwargs: Any) -> None:
    called.append("third")


async def later(**kwargs: Any) -> str:
    called.append("later")
    return "done later"


def failing(**kwargs: Any) -> None:
    raise Boom


class Bell:
    def ring(self, **kwargs: Any) -> None:
        called.append("ring")

    def __call__(self, **kwargs: Any) -> None:
        called.append("bell")


@pytest.fixture(autouse=True)
def _receivers() -> Iterator[None]:
    called.clear()
    rung.connect(first)
    rung.connect(second, sender=Author, weak=False)
    rung.connect(third, dispatch_uid="third one")
    yield
    rung.receivers.clear()
    cached.receivers.clear()


def ring(sender: Any = Author, **kwargs: Any) -> list[str]:
    """Send the signal, and return who was called."""
    called.clear()
    rung.send(sender, **kwargs)
    return list(called)


ALL = ["first", "second", "third"]


# muted


def test_all_receivers_and_back_as_they_were() -> None:
    before = list(rung.receivers)
    with muted(rung):
        assert ring() == []
    assert rung.receivers == before
    assert ring() == ALL


@pytest.mark.parametrize(
    ("which", "rest"),
    [
        ({"receiver": first}, ["second", "third"]),
        ({"receiver": f"{PATH}.third"}, ["first", "second"]),
        ({"receiver": "third one"}, ["first", "second"]),
        ({"sender": Author}, ["first", "third"]),
        ({"sender": "playground.Author"}, ["first", "third"]),
        ({"sender": Author, "receiver": second}, ["first", "third"]),
    ],
)
def test_some_receivers(which: dict[str, Any], rest: list[str]) -> None:
    before = list(rung.receivers)
    with muted(rung, **which):
        assert ring() == rest
    assert rung.receivers == before


def test_a_method_and_an_instance() -> None:
    bell = Bell()
    rung.connect(bell.ring)
    rung.connect(bell)
    with muted(rung, receiver=bell.ring):
        assert ring() == [*ALL, "bell"]
    with muted(rung, receiver=f"{PATH}.Bell"):
        assert ring() == [*ALL, "ring"]
    assert ring() == [*ALL, "ring", "bell"]


def test_a_block_that_raises() -> None:
    with pytest.raises(Boom), muted(rung):
        raise Boom
    assert ring() == ALL


def test_weak_receivers_stay_weak() -> None:
    bell = Bell()
    gone = weakref.ref(bell)
    rung.connect(bell)
    with muted(rung):
        pass
    assert ring() == [*ALL, "bell"]
    del bell
    gc.collect()
    assert gone() is None
    assert ring() == ALL


def test_a_receiver_that_dies_while_it_is_muted() -> None:
    bell = Bell()
    rung.connect(bell)
    with muted(rung):
        del bell
        gc.collect()
        rung.connect(first, sender=Book)
    assert ring() == ALL
    rung.disconnect(first, sender=Book)
    assert len(rung.receivers) == 3


def test_what_is_connected_in_the_block_stays() -> None:
    bell = Bell()
    with muted(rung):
        rung.connect(bell)
        rung.connect(first)  # again: it was there before
        assert ring() == ["bell", "first"]
    assert ring() == [*ALL, "bell"]


def test_what_is_disconnected_beside_it_stays_away() -> None:
    with muted(rung, receiver=second):
        rung.disconnect(first)
    assert ring() == ["second", "third"]


def test_blocks_in_blocks() -> None:
    before = list(rung.receivers)
    with muted(rung, receiver=second):
        with muted(rung):
            assert ring() == []
        assert ring() == ["first", "third"]
    assert rung.receivers == before


def test_blocks_that_overlap() -> None:
    before = list(rung.receivers)
    one, other = muted(rung, receiver=second), muted(rung)
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert ring() == []
    other.__exit__(None, None, None)
    assert rung.receivers == before


def test_under_async() -> None:
    async def quiet(seconds: float) -> list[str]:
        with muted(rung, receiver=first):
            await asyncio.sleep(seconds)
            return ring()

    async def both() -> list[list[str]]:
        return await asyncio.gather(quiet(0), quiet(0.01))

    assert asyncio.run(both()) == [["second", "third"]] * 2
    assert ring() == ALL


def test_a_decorator() -> None:
    @muted(rung, receiver=first)
    def quiet() -> list[str]:
        return ring()

    @muted(rung)
    async def quiet_later() -> list[str]:
        await asyncio.sleep(0)
        return ring()

    assert quiet() == ["second", "third"]
    assert asyncio.run(quiet_later()) == []
    assert ring() == ALL


def test_a_signal_that_remembers_its_receivers() -> None:
    cached.connect(first)
    assert len(cached.send(Author)) == 1
    with muted(cached):
        assert cached.send(Author) == []
    assert len(cached.send(Author)) == 1


def test_several_signals_by_name() -> None:
    assert post_save.has_listeners(Order)
    with muted("post_save", f"{PATH}.rung"):
        assert ring() == []
    assert ring() == ALL


@pytest.mark.parametrize("setting", [{}, {"EXCLUDE_MODELS": ["auth.*"]}], ids=repr)
def test_the_recorder_is_not_muted(setting: dict[str, Any]) -> None:
    with (
        override_settings(SIGNALS_DEMO=setting),
        muted("post_init", "pre_init"),
        capture_signals() as signals,
    ):
        Author(pk=1)
    assert signals.names == ["pre_init", "post_init"]


def test_a_setting_that_changes_in_the_block() -> None:
    post_init.connect(first)
    try:
        with muted("post_init"), override_settings(SIGNALS_DEMO={"CHANGES": False}):
            Author(pk=1)
        assert called == []
        assert sum(entry[0] == post_init.receivers[0][0] for entry in post_init.receivers) == 1
        with capture_signals() as signals:
            Author(pk=1)
        assert called == ["first"]
        assert signals.names == ["pre_init", "post_init"]
    finally:
        post_init.disconnect(first)


@pytest.mark.parametrize(
    ("signals", "which", "error", "said"),
    [
        ([], {}, TypeError, "takes the signals to mute"),
        (["post_svae"], {}, ValueError, "Did you mean 'post_save'"),
        ([rung], {"receiver": 3}, TypeError, "receiver= takes a receiver"),
        ([rung], {"receiver": failing}, ValueError, f"no receiver '{PATH}.failing'"),
        ([rung], {"receiver": f"{PATH}.frist"}, ValueError, f"Did you mean '{PATH}.first'"),
        ([rung], {"sender": Book}, ValueError, "no receiver connected for the sender"),
        (["post_save"], {"receiver": first, "sender": Group}, ValueError, "auth.models.Group"),
    ],
)
def test_a_slip_mutes_nothing(
    signals: list[Any], which: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=re.escape(said)), muted(*signals, **which):
        pytest.fail("not reached")
    assert ring() == ALL


# receivers_run


def test_who_ran() -> None:
    with receivers_run(rung) as ran:
        ring()
        ring(Book)
    assert ran.names == [f"{PATH}.{name}" for name in [*ALL, "first", "third"]]
    assert [run.sender for run in ran.runs] == ["playground.Author"] * 3 + ["playground.Book"] * 2
    assert repr(ran).startswith(f"<ReceiverRuns: {PATH}.first, ")
    called.clear()
    ring()
    assert len(ran.runs) == 5


def test_who_ran_for_a_sender() -> None:
    with receivers_run(rung, sender="playground.Book") as ran, receivers_run(rung) as all_ran:
        ring()
        ring(Book)
    assert ran.names == [f"{PATH}.first", f"{PATH}.third"]
    assert len(all_ran.runs) == 5


@pytest.mark.django_db
def test_who_ran_of_a_signal_by_name() -> None:
    book = Book.objects.create(title="Notes", author=Author.objects.create(name="Ada"))
    with receivers_run("post_save", sender=Order) as ran:
        Order.objects.create(book=book, reader="Mina")
    assert ran.names == ["project.playground.receivers.confirm"]
    assert ran.runs[0].signal == "post_save"


@pytest.mark.django_db
def test_without_a_signal_all_are_noted_but_the_recorders_own() -> None:
    with receivers_run() as ran, override_settings(LANGUAGE_CODE="nl"):
        User.objects.create_user("ada")
    assert {run.signal for run in ran.runs} == {"setting_changed"}
    assert "project.playground.receivers.note_setting" in ran.names
    assert not any(name.startswith("signals_demo.") for name in ran.names)


def test_what_a_receiver_raises_and_returns() -> None:
    rung.connect(failing)
    with receivers_run(rung) as ran:
        with pytest.raises(Boom):
            rung.send(Author)
        responses = rung.send_robust(Author)
    assert [type(run.error) for run in ran.runs] == [type(None)] * 3 + [Boom] + [
        type(None)
    ] * 3 + [Boom]
    assert responses[0] == (first, "done")
    assert hash(responses[0][0]) == hash(first)
    assert responses[0][0].__qualname__ == "first"


def test_async_receivers() -> None:
    rung.connect(later)
    rung.connect(partial(failing), weak=False, sender=Book)

    async def send() -> Any:
        return await rung.asend(Author)

    with receivers_run(rung) as ran:
        responses = asyncio.run(send())
        rung.send(Author)
        with pytest.raises(Boom):
            rung.send(Book)
    assert (later, "done later") in responses
    assert ran.names.count(f"{PATH}.later") == 2
    assert ran.runs[-1].receiver == f"{PATH}.failing"


def test_an_async_receiver_that_fails() -> None:
    async def failing_later(**kwargs: Any) -> None:
        raise Boom

    rung.connect(failing_later)
    with receivers_run(rung) as ran, pytest.raises(Boom):
        rung.send(Author)
    assert isinstance(ran.runs[-1].error, Boom)


def test_nobody_is_watched_after_the_block() -> None:
    before = Signal._live_receivers  # type: ignore[attr-defined]
    with pytest.raises(Boom), receivers_run():
        raise Boom
    assert Signal._live_receivers is before  # type: ignore[attr-defined]


def test_muted_receivers_do_not_run() -> None:
    with receivers_run(rung) as ran, muted(rung, receiver=second):
        ring()
    assert ran.names == [f"{PATH}.first", f"{PATH}.third"]


def test_slips() -> None:
    with pytest.raises(ValueError, match="Did you mean 'post_save'"):
        receivers_run("post_svae")
    with pytest.raises(ValueError, match=r"Did you mean 'playground\.Order'"):
        receivers_run("post_save", sender="playground.Odrer")
    with pytest.raises(TypeError, match="sender= takes a model"):
        receivers_run(sender=7)  # type: ignore[arg-type]
