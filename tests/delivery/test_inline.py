"""Inline, an event is stored at once, in the transaction of the change."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.handlers.wsgi import WSGIHandler
from django.db import IntegrityError, connection, connections, transaction
from django.db.models.signals import pre_save
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path

from project.playground.models import Author, Ebook, Tag
from signals_demo import flush, trace
from signals_demo.delivery.writer import writer
from signals_demo.models import SignalEvent, SignalTrace
from signals_demo.tracing.trace import Trace
from tests.delivery.controlled import CONTROLLED, Controlled, together
from tests.recording import MEMORY, Boom, Project, kept, left_open, recorded, rolled_back, saves


@pytest.fixture
def inline(transactional_db: None) -> Iterator[None]:
    with recorded(MODE="inline", FLUSH_INTERVAL=600):
        yield


def found(unit: Trace) -> list[SignalEvent]:
    """Return what is in the table now, without waiting for anything."""
    return list(SignalEvent.objects.in_trace(unit.trace_id))


COMMITTED = [("pre_save", "committed"), ("post_save", "committed")]


def test_a_row_is_there_at_once(inline: None) -> None:
    with trace("unit") as unit:
        Author.objects.create(name="Ada")
        assert saves(found(unit)) == COMMITTED


def test_a_row_is_in_the_transaction_of_the_change(inline: None) -> None:
    with trace("unit") as unit:
        with rolled_back():
            Author.objects.create(name="Ada")
            assert saves(found(unit)) == COMMITTED
        assert saves(found(unit)) == []
        with transaction.atomic():
            Author.objects.create(name="Grace")
            with rolled_back():
                Author.objects.create(name="Joan")
        assert saves(found(unit)) == COMMITTED
        assert found(unit)[-1].changes["name"] == [None, "Grace"]


def test_a_failed_save_leaves_no_row(inline: None) -> None:
    Author.objects.create(name="Ada")

    def refuse(instance: Author, **kwargs: Any) -> None:
        if instance.name == "refused":
            raise Boom

    pre_save.connect(refuse, sender=Author)
    try:
        with trace("unit") as unit:
            with pytest.raises(IntegrityError):
                Author.objects.create(name="Ada")
            with transaction.atomic(), pytest.raises(Boom):
                Author.objects.create(name="refused")
            Author.objects.create(name="Grace")
    finally:
        pre_save.disconnect(refuse, sender=Author)
    assert saves(found(unit)) == COMMITTED


def test_nested_saves_are_all_there(inline: None) -> None:
    def note(**kwargs: Any) -> None:
        Tag.objects.create(name="noted")

    pre_save.connect(note, sender=Author)
    try:
        with trace("unit") as unit:
            Ebook.objects.create(title="Notes", author=Author.objects.create(name="Ada"))
    finally:
        pre_save.disconnect(note, sender=Author)
    assert saves(found(unit)) == [COMMITTED[0], *COMMITTED, COMMITTED[1], *COMMITTED]


def test_uses_the_connection_of_the_caller(inline: None) -> None:
    """In a transaction that writes, SQLite would lock any other connection out."""
    with trace("unit") as unit, transaction.atomic():
        Author.objects.create(name="Ada")
        rows = found(unit)
    assert saves(rows) == COMMITTED


@pytest.mark.parametrize("block", [False, True])
def test_does_not_show_in_the_query_log(transactional_db: None, *, block: bool) -> None:
    queries = {}
    for mode in ("background", "inline"):
        with recorded(MODE=mode), CaptureQueriesContext(connection) as captured:
            if block:
                with transaction.atomic():
                    Author.objects.create(name=mode).save()
            else:
                Author.objects.create(name=mode).save()
            flush()
        queries[mode] = [query["sql"].split()[0] for query in captured]
    assert queries["inline"] == queries["background"]


def test_in_a_broken_transaction_leaves_no_row_and_raises_nothing(
    inline: None, caplog: pytest.LogCaptureFixture
) -> None:
    Author.objects.create(name="Ada")
    with trace("unit") as unit:
        with transaction.atomic():
            with pytest.raises(IntegrityError):
                Author.objects.create(name="Ada")
            Tag()
        assert flush()
    # The worker stores what is folded.
    assert {row.signal for row in found(unit)} == {"pre_init", "post_init"}
    assert caplog.text == ""


def test_with_transactions_by_hand(inline: None) -> None:
    transaction.set_autocommit(False)
    try:
        with trace("unit") as unit:
            Author.objects.create(name="1")
            transaction.rollback()
            Author.objects.create(name="2")
            transaction.commit()
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)
    assert saves(found(unit)) == COMMITTED


def test_open_rows_are_not_remembered(inline: None) -> None:
    with trace("unit") as unit, transaction.atomic():
        for number in range(20):
            Author.objects.create(name=str(number))
    assert not left_open(unit)
    assert not writer.inline.held


def test_the_first_events_of_many_threads_are_all_stored(transactional_db: None) -> None:
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait(10)
        Author.objects.create(name=str(number))
        connections.close_all()

    with recorded(MODE="inline", SINKS=MEMORY), trace("all") as unit:
        contexts = [copy_context() for _ in range(8)]
        together(lambda number: contexts[number].run(work, number))
        assert saves(kept(unit)).count(("post_save", "committed")) == 8


def test_what_a_sink_refuses_is_stored_by_the_thread(
    sink: type[Controlled], transactional_db: None
) -> None:
    with recorded(MODE="inline", SINKS=CONTROLLED), trace("unit") as unit:
        sink.error = OSError("no route")
        with transaction.atomic():
            Author.objects.create(name="Ada")
        with rolled_back():
            Author.objects.create(name="Grace")
        sink.error = None
        assert flush()
    rows = sorted(sink.rows(unit), key=lambda row: row.position)
    assert saves(rows) == [*COMMITTED, ("pre_save", "rolled_back"), ("post_save", "rolled_back")]


def works(request: HttpRequest) -> HttpResponse:
    Author.objects.create(name="Ada")
    return HttpResponse()


async def works_async(request: HttpRequest) -> HttpResponse:
    Tag()
    await Author.objects.acreate(name="Grace")
    return HttpResponse()


urlpatterns = [path("works/", works), path("async/", works_async)]

own_urls = override_settings(
    ROOT_URLCONF="tests.delivery.test_inline",
    MIDDLEWARE=["signals_demo.middleware.SignalTraceMiddleware"],
    ALLOWED_HOSTS=["testserver"],
)


@own_urls
def test_in_an_async_view(inline: None) -> None:
    async def main() -> HttpResponse:
        return await AsyncClient().get("/async/")

    assert asyncio.run(main()).status_code == 200
    assert flush()
    rows = SignalEvent.objects.filter(origin_name="GET /async/")
    signals = set(rows.values_list("signal", flat=True))
    assert signals >= {"request_started", "pre_init", "pre_save", "post_save", "request_finished"}


@own_urls
def test_a_finished_request_leaves_no_connection_open(inline: None) -> None:
    """By way of the real handler: the test client keeps Django from closing connections."""
    started: list[str] = []
    environ = RequestFactory().get("/works/").environ
    with closing(WSGIHandler()(environ, lambda status, headers: started.append(status))):  # type: ignore[arg-type]
        pass
    assert started == ["200 OK"]
    assert connection.connection is None
    signals = SignalEvent.objects.filter(origin_name="GET /works/")
    assert list(signals.order_by("position").values_list("signal", flat=True))[-1] == (
        "request_finished"
    )


def test_events_of_models_that_are_loaded_are_not_left_behind(inline: None) -> None:
    connection.close()
    with trace("unit") as unit:
        Author()  # no reason to open a database
        assert connection.connection is None
        Group.objects.create(name="a reason")
        assert flush()
    assert {row.sender for row in found(unit)} >= {"playground.Author", "auth.Group"}


# The sums of traces, which the worker counts once their transactions have ended.


def outside_and_inside() -> None:
    Author.objects.create(name="outside")
    with transaction.atomic():
        for number in range(5):
            Author.objects.create(name=str(number))


def only_inside() -> None:
    with transaction.atomic():
        Author.objects.create(name="inside")


def nested() -> None:
    with transaction.atomic():
        Author.objects.create(name="kept")
        with rolled_back():
            Author.objects.create(name="undone")
        with transaction.atomic():
            Author.objects.create(name="kept too")


def undone() -> None:
    Author.objects.create(name="kept")
    with rolled_back():
        Author.objects.create(name="undone")


def one_after_the_other() -> None:
    for number in range(5):
        Author.objects.create(name=str(number))


def summed_up_in_between() -> None:
    Author.objects.create(name="before")
    with transaction.atomic():
        Author.objects.create(name="inside")
        flush(0.2)
        Author.objects.create(name="inside too")
    Author.objects.create(name="after")


def by_the_thread() -> None:
    async def create() -> None:
        await Author.objects.acreate(name="in an event loop")
        Tag()

    asyncio.run(create())
    Author.objects.create(name="outside")


@pytest.mark.parametrize(
    "work",
    [
        outside_and_inside, only_inside, nested, undone, one_after_the_other,
        summed_up_in_between, by_the_thread,
    ],
    ids=lambda work: work.__name__,
)  # fmt: skip
def test_a_trace_s_sums_add_up_to_its_events(
    transactional_db: None, work: Callable[[], None]
) -> None:
    with recorded(MODE="inline"):
        with trace("unit") as unit:
            work()
        assert flush(30)
    (summed,) = SignalTrace.objects.filter(trace_id=unit.trace_id)
    rows = SignalEvent.objects.in_trace(unit.trace_id)
    assert summed.firings == rows.firings() > 0
    assert summed.changes == rows.filter(signal="post_save").count()


PLAIN = """
del DATABASES["default"]["OPTIONS"]
"""

# Its backend imports models, as that of django-tenants does.
BACKEND = """
DATABASES["default"]["ENGINE"] = "tenants"
"""
ENGINE = """
from django.contrib.contenttypes.models import ContentType
from django.db.backends.sqlite3.base import DatabaseWrapper as SQLite

class DatabaseWrapper(SQLite):
    def get_new_connection(self, params):
        assert ContentType
        return super().get_new_connection(params)
"""


@pytest.mark.processes
@pytest.mark.parametrize("mode", ["inline", "background"])
def test_a_backend_that_imports_models(tmp_path: Path, mode: str) -> None:
    project = Project.migrated(tmp_path / "project")
    with (project.folder / "settings.py").open("a") as settings:
        settings.write(BACKEND)
    (project.folder / "tenants").mkdir()
    (project.folder / "tenants" / "__init__.py").touch()
    (project.folder / "tenants" / "base.py").write_text(ENGINE)
    project.forget()
    setting = {"MODE": mode, "STRICT": True}
    assert project.run('Group.objects.create(name="a")', setting=setting).stderr == ""
    assert project.manage("check", setting=setting).stderr == ""
    assert len(project.events("signal = 'post_save'")) == 1
    assert project.has_no_gaps()


@pytest.mark.processes
def test_no_transaction_is_refused_because_of_the_thread(tmp_path: Path) -> None:
    """On SQLite as a new project has it, while the worker stores what comes from an event loop."""
    project = Project.migrated(tmp_path / "project")
    with (project.folder / "settings.py").open("a") as settings:
        settings.write(PLAIN)
    project.execute("PRAGMA journal_mode=DELETE")
    process = project.run(
        """
        import asyncio, threading

        over = threading.Event()

        async def make_instances():
            while not over.is_set():
                Group(name="passive")
                await asyncio.sleep(0.001)

        thread = threading.Thread(target=lambda: asyncio.run(make_instances()))
        thread.start()
        try:
            for number in range(100):
                with transaction.atomic():
                    count = Group.objects.count()
                    Group.objects.create(name=f"group {number} of {count}")
        finally:
            over.set()
            thread.join()
        assert flush(30)
        """,
        setting={"MODE": "inline", "FLUSH_INTERVAL": 0.001, "FOLD_AFTER": None},
    )
    assert process.stderr == ""
    saved = project.events("signal = 'post_save' AND sender = 'auth.Group'")
    assert [row["outcome"] for row in saved] == ["committed"] * 100
