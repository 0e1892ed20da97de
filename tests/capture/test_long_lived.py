"""A process that goes on for ever begins a new unit of work now and then."""

import time
from collections.abc import Callable
from contextvars import Context
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections, transaction
from django.db.models.signals import pre_save

from project.playground.models import Author, Tag
from signals_demo import flush, trace
from signals_demo.capture import pairs
from signals_demo.sinks.memory import MemorySink
from signals_demo.tracing import origins
from tests.delivery.controlled import together
from tests.recording import MEMORY, recorded

AGE = 0.05  # seconds
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "LONGEST", int(AGE * 10**9))


def wait() -> None:
    time.sleep(2 * AGE)


def units(work: Callable[[], object], origin: str = "process") -> list[str]:
    """Run something as in a process of its own; return the unit of work of each save signal."""
    with pytest.MonkeyPatch.context() as patch, recorded(SINKS=MEMORY):
        patch.setattr(origins, "_main", (origin, "a daemon"))
        assert flush(60)
        MemorySink.rows.clear()
        Context().run(work)
        assert flush(60)
        return [row.span_id for row in MemorySink.rows if row.signal.endswith("_save")]


@pytest.mark.parametrize("origin", ["process", "command", "shell"])
def test_a_new_unit_begins_after_a_while(origin: str) -> None:
    def work() -> None:
        Author.objects.create(name="Ada")
        Author.objects.create(name="Bob")
        wait()
        Author.objects.create(name="Cid")

    first, *others, last, closing = units(work, origin)
    assert set(others) == {first}
    assert last == closing != first


def test_not_inside_a_pair() -> None:
    def save_more(instance: Author, **kwargs: Any) -> None:
        wait()
        Tag.objects.create(name="inside")

    pre_save.connect(save_more, sender=Author)
    try:
        assert len(set(units(lambda: Author.objects.create(name="Ada")))) == 1
    finally:
        pre_save.disconnect(save_more, sender=Author)


def test_not_inside_a_block_or_a_test() -> None:
    def in_a_block() -> None:
        with trace("an import"):
            twice()

    assert len(set(units(in_a_block))) == 1
    assert len(set(units(twice, "test"))) == 1


def twice() -> None:
    Author.objects.create(name=uuid4().hex)
    wait()
    Author.objects.create(name=uuid4().hex)


def in_a_transaction() -> None:
    with transaction.atomic():
        twice()


def in_a_thread() -> None:
    def work() -> None:
        twice()
        connections.close_all()

    together(lambda number: work(), 1)


@pytest.mark.parametrize("work", [in_a_transaction, in_a_thread])
def test_also_in_a_transaction_and_in_a_thread(work: Callable[[], None]) -> None:
    first, same, second, last = units(work)
    assert (first, second) == (same, last)
    assert first != second
