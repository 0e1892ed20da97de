"""Similar firings that say little of their own share a row, and the sum of the counts is exact."""

import asyncio
import contextlib
import json
import threading
from collections import Counter
from contextvars import copy_context
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, connection
from django.db.backends.signals import connection_created
from django.db.models.signals import class_prepared, post_init, pre_init
from django.dispatch import Signal
from django.template import engines
from django.test.signals import template_rendered
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from project.playground.models import Author, Book, Tag
from signals_demo import suppress, trace
from signals_demo.events import Row
from signals_demo.tracing.trace import Trace
from tests.capture.firings import connected
from tests.recording import MEMORY, kept, recorded

pytestmark = pytest.mark.usefixtures("memory")

paid = Signal()


def counts(unit: Trace, signal: str) -> list[int]:
    """Return how many firings the rows of a signal stand for."""
    return [row.count for row in kept(unit) if row.signal == signal]


def folded(row: Row) -> dict[str, object]:
    """Return what a row says of the firings that are folded into it."""
    found: dict[str, object] = json.loads(row.arguments)["folded"]
    return found


def make(number: int) -> None:
    for _ in range(number):
        Author()


def test_the_sum_of_counts_is_the_number_of_firings() -> None:
    seen: Counter[str] = Counter()
    with (
        recorded(SINKS=MEMORY),
        connected(pre_init, lambda **kwargs: seen.update(["pre_init"]), Author),
        connected(post_init, lambda **kwargs: seen.update(["post_init"]), Author),
        trace("many") as unit,
    ):
        make(1234)
    told: Counter[str] = Counter()
    for row in kept(unit):
        told[row.signal] += row.count
    assert told == seen == {"pre_init": 1234, "post_init": 1234}


def test_similar_firings_share_a_row_from_the_first() -> None:
    with recorded(SINKS=MEMORY, FLUSH_INTERVAL=600), trace("many") as unit:
        make(10)
        rows = kept(unit)
    assert [(row.signal, row.count) for row in rows] == [("pre_init", 10), ("post_init", 10)]


def test_so_many_have_rows_of_their_own() -> None:
    with recorded(SINKS=MEMORY, FOLD_AFTER=3, FLUSH_INTERVAL=600), trace("many") as unit:
        make(10)
        assert counts(unit, "pre_init") == [1, 1, 1, 7]
        assert counts(unit, "post_init") == [1, 1, 1, 7]


def test_folding_can_be_turned_off() -> None:
    with recorded(SINKS=MEMORY, FOLD_AFTER=None), trace("many") as unit:
        make(100)
        assert [row.count for row in kept(unit)] == [1] * 200


def test_one_that_is_alone_is_as_if_nothing_were_folded() -> None:
    told = []
    for limit in (0, None):
        with recorded(SINKS=MEMORY, FOLD_AFTER=limit), trace("one") as unit:
            Author(pk=5, name="Ada")
        told.append([(row.signal, row.object_pk, row.arguments, row.depth) for row in kept(unit)])
    assert told[0] == told[1]


@pytest.mark.django_db(transaction=True)
def test_what_fires_in_between_does_not_end_the_row() -> None:
    with (
        recorded(
            SINKS=MEMORY,
            FLUSH_INTERVAL=600,
            EXTRA_SIGNALS=["tests.capture.test_folding.paid"],
        ),
        trace("unit") as unit,
    ):
        for number in range(20):
            make(5)
            paid.send(None)
            Tag.objects.create(name=f"saved {number}")
        rows = kept(unit)
    found = Counter((row.signal, row.sender) for row in rows)
    assert found["pre_init", "playground.Author"] == found["post_init", "playground.Author"] == 1
    assert found["post_save", "playground.Tag"] == 20
    assert sum(row.count for row in rows if row.sender == "playground.Author") == 200


def test_models_and_lines_and_units_fold_apart() -> None:
    with recorded(SINKS=MEMORY, FLUSH_INTERVAL=600):
        units = []
        for name in ("one", "two"):
            with trace(name) as unit:
                units.append(unit)
                for _ in range(5):
                    Author()
                    Tag()
                    Author()
        for unit in units:
            rows = [row for row in kept(unit) if row.signal == "post_init"]
            assert [row.count for row in rows] == [5, 5, 5]
            assert len({(row.sender, row.call_site) for row in rows}) == 3


def test_a_row_says_when_the_first_and_the_last_fired() -> None:
    with recorded(SINKS=MEMORY, FLUSH_INTERVAL=600), trace("unit") as unit:
        times = []
        for _ in range(3):
            Author()
            Tag()
            times.append(datetime.now().astimezone())
        row = next(row for row in kept(unit) if row.sender == "playground.Author")
    last = datetime.fromisoformat(str(folded(row)["last_at"]))
    near = timedelta(milliseconds=5)  # one clock may be read a little before the other
    assert row.occurred_at <= times[0] + near
    assert times[1] - near <= last <= times[2] + near


@pytest.mark.parametrize(
    ("keys", "shown", "object_pk"),
    [
        ([3, 1, 2], [3, 1, 2], ""),
        (range(1, 100), [1, 2, 3, 4, 5], ""),
        ([7] * 9, [7], "7"),
        ([7, 8, 7, 8], [7, 8], ""),
        ([7, None], [7], ""),
    ],
    ids=["few", "many", "the same", "two", "one of them not saved"],
)
def test_a_row_names_the_first_few_instances(
    keys: list[int | None], shown: list[int], object_pk: str
) -> None:
    with recorded(SINKS=MEMORY, FLUSH_INTERVAL=600), trace("unit") as unit:
        for key in keys:
            Author(pk=key)
        row = next(row for row in kept(unit) if row.signal == "post_init")
    assert folded(row)["pks"] == shown
    assert row.object_pk == object_pk
    assert row.count == len(keys)


def test_instances_without_a_key_have_no_names() -> None:
    with recorded(SINKS=MEMORY, FLUSH_INTERVAL=600), trace("unit") as unit:
        make(3)
        assert all(set(folded(row)) == {"last_at"} for row in kept(unit))


def test_nothing_is_counted_that_is_suppressed() -> None:
    with recorded(SINKS=MEMORY, FLUSH_INTERVAL=600), trace("unit") as unit:
        for _ in range(10):
            Author()
            with suppress():
                Author()
        assert [row.count for row in kept(unit)] == [10, 10]


def test_what_an_init_makes_is_inside_its_row() -> None:
    def nest(**kwargs: object) -> None:
        Tag()

    with (
        recorded(SINKS=MEMORY, FLUSH_INTERVAL=600),
        connected(pre_init, nest, Author),
        trace("unit") as unit,
    ):
        make(5)
        rows = kept(unit)
    assert [(row.signal, row.sender, row.depth, row.count) for row in rows] == [
        ("pre_init", "playground.Author", 0, 5),
        ("pre_init", "playground.Tag", 1, 5),
        ("post_init", "playground.Tag", 1, 5),
        ("post_init", "playground.Author", 0, 5),
    ]


def test_a_unit_with_very_many_kinds_of_firings_keeps_a_limited_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("signals_demo.capture.folding.MOST_FOLDS", 10)
    with recorded(SINKS=MEMORY, FLUSH_INTERVAL=600), trace("unit") as unit:
        for _ in range(3):
            for number in range(30):
                render(f"{number}.html", 2)
        assert len(unit.folds) <= 10
        assert sum(counts(unit, "template_rendered")) == 180


def test_the_count_is_exact_with_eight_threads_in_one_trace_while_the_writer_writes() -> None:
    with recorded(SINKS={"memory": {**MEMORY["memory"], "OPTIONS": {"LIMIT": 100_000}}},
                  FLUSH_INTERVAL=0.001, FOLD_AFTER=2), trace("many") as unit:  # fmt: skip
        contexts = [copy_context() for _ in range(8)]
        threads = [threading.Thread(target=context.run, args=[make, 500]) for context in contexts]
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


# One step of one of several pieces of work that share a unit: what is made, and how often.
STEPS = st.tuples(st.sampled_from(["author", "tag", "book", "page"]), st.integers(1, 6))
WORK = st.lists(st.lists(STEPS, max_size=8), min_size=1, max_size=5)


def step(kind: str, times: int) -> None:
    if kind == "page":
        render("page.html", times)
        return
    for _ in range(times):
        {"author": Author, "tag": Tag, "book": Book}[kind]()


def expected(work: list[list[tuple[str, int]]]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for kind, times in (each for steps in work for each in steps):
        signals = ["template_rendered"] if kind == "page" else ["pre_init", "post_init"]
        for signal in signals:
            found[signal, kind] += times
    return found


def told(rows: list[Row]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for row in rows:
        model = row.sender.rpartition(".")[2].lower()
        found[row.signal, "page" if row.signal == "template_rendered" else model] += row.count
    return found


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(work=WORK, interval=st.sampled_from([0.001, 600]), limit=st.sampled_from([0, 1, 3]))
def test_threads_that_share_a_unit_are_counted_exactly(
    work: list[list[tuple[str, int]]], interval: float, limit: int
) -> None:
    def run(steps: list[tuple[str, int]]) -> None:
        for each in steps:
            step(*each)

    with (
        recorded(SINKS=MEMORY, FLUSH_INTERVAL=interval, FOLD_AFTER=limit),
        trace("unit") as unit,
    ):
        threads = [
            threading.Thread(target=copy_context().run, args=[run, steps]) for steps in work
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        rows = kept(unit)
    assert told(rows) == expected(work)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(work=WORK, limit=st.sampled_from([0, 1, 3]))
def test_tasks_that_share_a_unit_are_counted_exactly(
    work: list[list[tuple[str, int]]], limit: int
) -> None:
    async def run(steps: list[tuple[str, int]]) -> None:
        for each in steps:
            step(*each)
            await asyncio.sleep(0)

    async def gather() -> None:
        await asyncio.gather(*map(run, work))

    with (
        recorded(SINKS=MEMORY, FLUSH_INTERVAL=600, FOLD_AFTER=limit),
        trace("unit") as unit,
    ):
        asyncio.run(gather())
        rows = kept(unit)
    assert told(rows) == expected(work)
    kinds = [(row.signal, row.sender) for row in rows]
    assert all(times <= limit + 1 for times in Counter(kinds).values())


# Templates that are rendered, connections that are opened, classes that are made.


def render(name: str, times: int) -> None:
    template = engines["django"].from_string("text").template
    template.name = name
    for _ in range(times):
        template_rendered.send(template, template=template, context={})


def test_many_of_one_template_are_one_row_that_counts_them_all() -> None:
    with recorded(SINKS=MEMORY, FLUSH_INTERVAL=600), trace("unit") as unit:
        for _ in range(20):
            render("row.html", 2)
            render("cell.html", 3)
        assert counts(unit, "template_rendered") == [40, 60]


@pytest.mark.django_db(transaction=True)
def test_every_firing_counts_also_while_the_worker_takes_them() -> None:
    with recorded(SINKS=MEMORY, FLUSH_INTERVAL=0.001), trace("unit") as unit:
        for _ in range(30):
            render("row.html", 50)
            Tag.objects.create(name=f"saved {_}")
        found = counts(unit, "template_rendered")
    assert sum(found) == 1500
    assert len(found) < 200


@pytest.mark.django_db(transaction=True)
def test_connections_are_folded_by_alias() -> None:
    both = connection, connection.copy(alias="other")
    assert all(each.display_name for each in both)  # MariaDB's connects to find it
    with recorded(SINKS=MEMORY, FLUSH_INTERVAL=600), trace("unit") as unit:
        for _ in range(10):
            for each in both:
                connection_created.send(type(each), connection=each)
        rows = [row for row in kept(unit) if row.signal == "connection_created"]
    found = {json.loads(row.arguments)["connection"]["alias"]: row.count for row in rows}
    assert found == {"default": 10, "other": 10}


def test_classes_of_one_name_are_folded() -> None:
    with recorded(SINKS=MEMORY, FLUSH_INTERVAL=600), trace("unit") as unit:
        for _ in range(4):
            for model in (Author, Tag):
                class_prepared.send(model)
        assert counts(unit, "class_prepared") == [4, 4]


# The rows of a loop take a short cut: they count as they would without it.


def read() -> None:
    for book in Book.objects.select_related("author").order_by("pk").iterator(chunk_size=7):
        assert book.author.name
        if book.pk % 3 == 0:
            list(book.author.books.all())
        with suppress():
            list(Tag.objects.all())
        with contextlib.suppress(IntegrityError):
            Tag.objects.create(name="one")
    list(Book.objects.defer("title"))
    Book.objects.get(title="book 1").refresh_from_db()


def per_line(unit: Trace) -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for row in kept(unit):
        if row.signal in ("pre_init", "post_init"):
            found[row.signal, row.sender, row.call_site] += row.count
    return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("interval", [600, 0.001])
def test_loops_count_the_same_folded_and_not(interval: float) -> None:
    Tag.objects.create(name="one")
    for number in range(20):
        author = Author.objects.create(name=f"author {number % 4} {number}")
        Book.objects.create(title=f"book {number}", author=author)
    told = []
    for limit in (None, 0, 3):
        keys = {"SINKS": MEMORY, "FLUSH_INTERVAL": interval, "FOLD_AFTER": limit}
        with recorded(**keys), trace("unit") as unit:
            read()
            told.append(per_line(unit))
    assert told[0] == told[1] == told[2]
    assert sum(told[0].values()) > 150


@pytest.mark.django_db(transaction=True)
def test_a_constructor_that_failed_leaves_nothing_behind_for_others() -> None:
    Tag.objects.bulk_create(Tag(name=f"{number}") for number in range(20))

    def fail(instance: object, **kwargs: object) -> None:
        if instance.pk is None:  # type: ignore[attr-defined]
            raise ZeroDivisionError

    with recorded(SINKS=MEMORY, FLUSH_INTERVAL=600), trace("unit") as unit:
        with connected(post_init, fail, Tag):
            for _ in range(5):
                list(Tag.objects.all())
                with pytest.raises(ZeroDivisionError):
                    Tag()
                with suppress():
                    list(Tag.objects.all())
        rows = kept(unit)
    counts_of = Counter[str]()
    for row in rows:
        counts_of[row.signal] += row.count
    assert counts_of["pre_init"] == 105
    assert counts_of["post_init"] in (100, 105)  # as ours comes before the one that fails, or not
