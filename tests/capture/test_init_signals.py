"""Instances under construction."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models.signals import post_init, pre_init

from project.playground.models import Author, Book, Tag
from signals_demo import trace
from signals_demo.testing import capture_signals
from tests.capture.firings import connected
from tests.recording import stored


@pytest.mark.django_db(transaction=True)
def test_a_failing_receiver_between_the_signals_of_an_init_leaves_nothing_open() -> None:
    def fail(**kwargs: Any) -> None:
        raise ZeroDivisionError

    with trace("failing") as unit:
        with connected(pre_init, fail, Tag):
            for _ in range(5):
                with pytest.raises(ZeroDivisionError):
                    Tag()
        Author.objects.create(name="Ada")
    assert {row.depth for row in stored(unit)} == {0}


# The line of the rows of a loop is found for the first of them.


def sites_of_authors(action: Callable[[], object]) -> list[str]:
    with capture_signals("post_init", sender=Author) as captured:
        action()
    return [event.call_site.partition(" ")[0].rpartition(":")[2] for event in captured]


@pytest.fixture
def authors(transactional_db: None) -> None:
    Author.objects.bulk_create(Author(name=str(number)) for number in range(3))


def line(function: Callable[[], object], offset: int) -> str:
    return str(function.__code__.co_firstlineno + offset)


@pytest.mark.usefixtures("authors")
def test_all_rows_of_a_loop_have_its_line() -> None:
    def read() -> None:
        list(Author.objects.all())
        for _author in Author.objects.all():
            pass

    assert sites_of_authors(read) == [line(read, 1)] * 3 + [line(read, 2)] * 3


@pytest.mark.usefixtures("authors")
def test_rows_of_two_models_that_take_turns_have_their_line() -> None:
    Book.objects.bulk_create(
        Book(title=str(number), author=author)
        for number in range(20)
        for author in Author.objects.all()
        if str(number % 3) == author.name
    )

    def read() -> None:
        list(Book.objects.select_related("author"))
        list(Book.objects.select_related("author"))

    with trace("unit") as unit:
        read()
    firings: Counter[tuple[str, str]] = Counter()
    for row in stored(unit):
        if row.signal == "post_init":
            number = row.call_site.partition(" ")[0].rpartition(":")[2]
            firings[row.sender, number] += row.count
    lines = line(read, 1), line(read, 2)
    models = ("playground.Book", "playground.Author")
    assert firings == {(model, number): 20 for model in models for number in lines}


@pytest.mark.usefixtures("authors")
def test_a_loop_inside_a_loop_has_its_own_line() -> None:
    def read() -> None:
        for _author in Author.objects.all().iterator(chunk_size=1):
            Author.objects.first()

    assert sites_of_authors(read) == [line(read, 1), line(read, 2)] * 3


@pytest.mark.usefixtures("authors")
def test_what_a_receiver_constructs_has_the_receiver_s_line() -> None:
    def construct(instance: Author, **kwargs: Any) -> None:
        if instance.name != "another":
            Author(name="another")

    def read() -> None:
        list(Author.objects.all())

    with connected(post_init, construct, Author):
        found = sites_of_authors(read)
    assert sorted(found) == sorted([line(read, 1), line(construct, 2)] * 3)


@pytest.mark.usefixtures("authors")
def test_the_same_line_at_another_depth_is_found_anew() -> None:
    def read(depth: int) -> None:
        if depth:
            read(depth - 1)
        list(Author.objects.all())

    assert sites_of_authors(lambda: read(2)) == [line(read, 3)] * 9  # type: ignore[arg-type]
