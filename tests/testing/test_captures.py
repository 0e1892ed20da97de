"""The helpers for the tests of others: what fired, how a test names it, what a failure says."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import django
import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.test import (
    AsyncClient,
    Client,
    LiveServerTestCase,
    SimpleTestCase,
    TestCase,
    override_settings,
)
from django.test.utils import CaptureQueriesContext
from django.urls import path

from project.playground.models import Author, Book
from signals_demo import flush, suppress, trace
from signals_demo.models import SignalEvent
from signals_demo.testing import Capture, capture_signals
from signals_demo.testing.events import Firings
from signals_demo.tracing.test_runs import observers
from tests.recording import MEMORY, Boom, kept, recorded

PATH = "tests.testing.test_captures"
SAVE = ["pre_save", "post_save"]
MADE = ["pre_init", "post_init"]


def fail(request: HttpRequest) -> HttpResponse:
    raise Boom("no luck")


urlpatterns = [path("fail/", fail)]
paid = Signal()
unknown = Signal()
with_paid = {"EXTRA_SIGNALS": [f"{PATH}.paid"]}


@contextmanager
def failing_receiver(signal: Signal) -> Iterator[None]:
    def fail(**kwargs: Any) -> None:
        raise Boom

    signal.connect(fail)
    try:
        yield
    finally:
        signal.disconnect(fail)


def saved(name: str = "Ada") -> Author:
    return Author.objects.create(name=name)


# capture_signals


@pytest.mark.django_db
class TestCapturing:
    def test_a_block(self) -> None:
        saved("before")
        with capture_signals() as signals:
            author = saved()
        saved("after")
        assert signals.names == [*MADE, *SAVE]
        last = signals.events[-1]
        assert (last.signal, last.sender, last.object_pk) == (
            "post_save", "playground.Author", str(author.pk),
        )  # fmt: skip
        assert last.family == "model"
        assert last.database == "default"
        assert last.changes["name"] == [None, "Ada"]
        assert last.arguments["created"] is True
        assert last.call_site.startswith("tests/testing/test_captures.py:")
        assert repr(last) == f"<post_save playground.Author {author.pk} committed>"

    def test_nothing_is_stored_and_nothing_is_asked(self) -> None:
        with CaptureQueriesContext(connection) as queries, capture_signals() as signals:
            Author(pk=1)
            assert len(signals) == 2
            assert [event.outcome for event in signals] == ["", ""]
            assert signals.tree()
        assert len(queries) == 0
        flush()
        assert not SignalEvent.objects.exists()

    def test_blocks_in_blocks(self) -> None:
        with capture_signals() as outer, capture_signals("post_init") as inner:
            Author(pk=1)
        assert outer.names == MADE
        assert inner.names == ["post_init"]
        assert observers == []

    def test_a_block_that_raises_ends(self) -> None:
        with pytest.raises(Boom), capture_signals():
            raise Boom
        assert observers == []

    def test_a_decorator(self) -> None:
        @capture_signals("post_init")
        def made(number: int, *, signals: Capture) -> list[str]:
            Author(pk=number)
            return signals.names

        assert made(1) == ["post_init"]
        assert made(number=2) == ["post_init"]

    def test_a_decorator_of_an_async_function(self) -> None:
        @capture_signals("post_init")
        async def made(signals: Capture) -> list[str]:
            await asyncio.sleep(0)
            Author(pk=1)
            return signals.names

        assert asyncio.run(made()) == ["post_init"]

    @pytest.mark.parametrize("function", [lambda: None, pytest.fixture], ids=["plain", "other"])
    def test_a_decorated_function_needs_the_argument(self, function: Callable[..., Any]) -> None:
        with pytest.raises(TypeError, match="needs an argument named 'signals'"):
            capture_signals()(function)

    def test_a_decorator_without_brackets(self) -> None:
        with pytest.raises(TypeError, match=re.escape("write @capture_signals()")):
            capture_signals(lambda signals: None)  # type: ignore[arg-type]

    def test_other_threads(self) -> None:
        with capture_signals() as signals:
            thread = threading.Thread(target=Author)
            thread.start()
            thread.join()
        assert signals.names == MADE

    def test_each_firing_is_an_event_of_its_own(self) -> None:
        Author.objects.bulk_create([Author(name=str(number)) for number in range(60)])
        with capture_signals("post_init") as signals:
            list(Author.objects.all())
        assert len(signals) == 60
        assert {event.count for event in signals} == {1}

    def test_what_is_suppressed_is_not_captured(self) -> None:
        with capture_signals() as signals, suppress():
            saved()
        assert signals.names == []

    def test_clear(self) -> None:
        with capture_signals() as signals:
            Author()
            signals.clear()
            Book()
        assert {event.sender for event in signals} == {"playground.Book"}
        assert (len(signals), signals[0].signal) == (2, "pre_init")
        assert repr(signals) == "<Capture: pre_init, post_init>"

    def test_an_event_that_is_not_there(self) -> None:
        with capture_signals() as signals:
            Author()
        with pytest.raises(IndexError, match=r"no \[2\] .* Fired: pre_init, post_init\."):
            signals[2]
        with pytest.raises(IndexError, match=r"no \[0\] .* Fired: none of them\."):
            signals.filter("post_save")[0]

    def test_an_event_has_the_fields_of_the_model(self) -> None:
        with capture_signals() as signals:
            saved()
        own = {"id", "recorder", "digest"}
        for field in SignalEvent._meta.fields:
            if field.name not in own:
                assert hasattr(signals[0], field.name), field.name
        with pytest.raises(AttributeError, match="no 'sendr'"):
            _ = signals[0].sendr

    def test_the_actor_of_a_request(self, client: Client) -> None:
        user = User.objects.create_user("ada")
        client.force_login(user)
        with capture_signals("request_started", "template_rendered") as signals:
            client.get("/admin/password_change/")
        assert {event.actor for event in signals} >= {"ada"}
        assert signals[0].actor_pk == str(user.pk)


# Old values, of instances from before the capture


class TestOldValues(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        cls.book = Book.objects.create(title="Notes", author=saved())

    def changes_of_save(self, **options: Any) -> dict[str, list[Any]]:
        with capture_signals("post_save") as signals:
            self.book.save(**options)
        changes: dict[str, list[Any]] = signals[0].changes
        return changes

    def test_made_before(self) -> None:
        self.book.title = "Sketch"
        assert self.changes_of_save() == {"title": ["Notes", "Sketch"]}

    def test_loaded_before(self) -> None:
        self.book = Book.objects.get()
        self.book.details["pages"] = 7
        assert self.changes_of_save() == {"details": [{}, {"pages": 7}]}

    def test_saved_before(self) -> None:
        self.book.title = "Sketch"
        self.book.save()
        self.book.title = "Letter"
        assert self.changes_of_save() == {"title": ["Sketch", "Letter"]}

    def test_one_field_saved_before(self) -> None:
        self.book.title, self.book.copies = "Sketch", 5
        self.book.save(update_fields=["title"])
        self.book.title = "Letter"
        assert self.changes_of_save() == {"title": ["Sketch", "Letter"], "copies": [1, 5]}

    def test_refreshed_before(self) -> None:
        Book.objects.update(title="Sketch")
        self.book.refresh_from_db()
        self.book.title = "Letter"
        assert self.changes_of_save() == {"title": ["Sketch", "Letter"]}

    def test_a_deferred_field_before(self) -> None:
        self.book = Book.objects.defer("title").get()
        self.book.copies = 5
        self.book.save()
        assert self.book.title == "Notes"
        self.book.title = "Letter"
        assert self.changes_of_save() == {"title": ["Notes", "Letter"]}

    def test_nothing_has_changed(self) -> None:
        assert self.changes_of_save() == {}

    @override_settings(SIGNALS_DEMO={"EXCLUDE_MODELS": ["playground.Author"]})
    def test_saved_before_where_another_model_is_left_out(self) -> None:
        self.test_saved_before()


# Slips


class Sender:
    """What a signal of somebody's own may be sent by."""


@pytest.mark.parametrize(
    ("signals", "filters", "error", "said"),
    [
        (["post_svae"], {}, ValueError, "no signal 'post_svae'. Did you mean 'post_save'"),
        (["Post_Save"], {}, ValueError, "Did you mean 'post_save'"),
        (["frobnicate"], {}, ValueError, "There are: autoreload_started"),
        ([3], {}, TypeError, "signal takes a name such as 'post_save', or a Signal, not int (3)"),
        ([Author], {}, TypeError, "signal takes a name"),
        ([unknown], {}, ValueError, "is not recorded: add its dotted path"),
        ([f"{PATH}.unknown"], {}, ValueError, "EXTRA_SIGNALS"),
        ([], {"sendr": Author}, TypeError, "no filter 'sendr'. Did you mean 'sender'"),
        ([], {"model": Author}, TypeError, "Did you mean 'sender'"),
        ([], {"instance": 1}, TypeError, "Did you mean 'object'"),
        ([], {"using": 1}, TypeError, "Did you mean 'database'"),
        ([], {"signal": "post_save"}, TypeError, "The signals come first"),
        ([], {"qwertz": 1}, TypeError, "There are: database, family, object, outcome, sender"),
        ([], {"sender": "playground.Auhtor"}, ValueError, "Did you mean 'playground.Author'"),
        ([], {"sender": "Author"}, ValueError, "Did you mean 'playground.Author'"),
        ([], {"sender": "autho"}, ValueError, "Did you mean 'playground.Author'"),
        ([], {"sender": Author(pk=1)}, TypeError, "an instance goes to object="),
        ([], {"sender": 7}, TypeError, "sender= takes a model, another class, or a name of it"),
        ([], {"object": Author()}, ValueError, "object= is Author without a key"),
        ([], {"object": True}, TypeError, "object= takes a model instance or its key, not bool"),
        ([], {"object": None}, TypeError, "not NoneType (None)"),
        ([], {"family": "modle"}, ValueError, "family= has no 'modle'. Did you mean 'model'"),
        ([], {"family": ["model"]}, TypeError, "family= takes one of 'auth', 'model'"),
        ([], {"database": "defualt"}, ValueError, "Did you mean 'default'"),
        ([], {"outcome": "rolledback"}, ValueError, "Did you mean 'rolled_back'"),
        ([], {"outcome": False}, TypeError, "outcome= takes one of 'committed'"),
        ([], {"sender": SignalEvent}, ValueError, "is part of the log"),
    ],
)
def test_a_slip_fails_at_once(
    signals: list[Any], filters: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=re.escape(said)):
        capture_signals(*signals, **filters)


@pytest.mark.applies(django.VERSION < (6, 0))
def test_a_signal_of_a_later_django() -> None:
    with pytest.raises(ValueError, match=r"'task_started' needs Django 6\.0"):
        capture_signals("task_started")


@pytest.mark.parametrize(
    ("setting", "signals", "filters", "said"),
    [
        ({"SIGNALS": ["pre_save"]}, ["post_save"], {}, "SIGNALS'] does not name it"),
        ({"EXCLUDE_MODELS": ["playground.*"]}, [], {"sender": Book}, "leaves it out"),
        ({"INCLUDE_MODELS": ["auth.*"]}, ["pre_save"], {"sender": Book}, "leaves it out"),
        (with_paid, [], {"sender": "playground.Auhtor"}, "Did you mean 'playground.Author'"),
        (with_paid, ["post_save"], {"sender": "till"}, "There is no sender 'till'"),
    ],
)
def test_what_is_not_recorded_cannot_be_waited_for(
    setting: dict[str, Any], signals: list[str], filters: Any, said: str
) -> None:
    with override_settings(SIGNALS_DEMO=setting), pytest.raises(ValueError, match=said):
        capture_signals(*signals, **filters)


# With any setting


@pytest.mark.django_db
class TestSettings:
    def test_switched_off(self) -> None:
        firings = Firings()
        signals = Capture(firings)
        firings.begin()
        with override_settings(SIGNALS_DEMO={"ENABLED": False}):
            saved()
            with pytest.raises(ImproperlyConfigured, match="ENABLED'] is False"):
                signals.names  # noqa: B018
            with pytest.raises(ImproperlyConfigured, match="ENABLED'] is False"):
                capture_signals().__enter__()
        firings.end()
        assert signals.filter(family="model").names == []

    @pytest.mark.parametrize(
        ("setting", "names"),
        [
            ({"SIGNALS": ["post_save"]}, ["post_save"]),
            ({"EXCLUDE_MODELS": ["auth.*"]}, [*MADE, *SAVE]),
            ({"EXCLUDE_MODELS": ["playground.*"]}, []),
            ({"INCLUDE_MODELS": ["playground.Author"]}, [*MADE, *SAVE]),
            ({"FOLD_AFTER": 1}, [*MADE, *SAVE]),
            ({"CALL_SITES": False, "CHANGES": False}, [*MADE, *SAVE]),
            ({"MODE": "inline"}, [*MADE, *SAVE]),
            ({"SINKS": MEMORY, "STRICT": True}, [*MADE, *SAVE]),
            ({"FOLD_AFTER": "never"}, [*MADE, *SAVE]),
        ],
    )
    def test_any_other(self, setting: dict[str, Any], names: list[str]) -> None:
        with override_settings(SIGNALS_DEMO=setting), capture_signals() as signals:
            saved()
            assert signals.names == names
        assert not SignalEvent.objects.exists()

    def test_changed_inside_the_block(self) -> None:
        with capture_signals(family="model") as signals:
            saved("one")
            with override_settings(SIGNALS_DEMO={"SIGNALS": ["post_save"]}):
                saved("two")
        assert signals.names == [*MADE, *SAVE, "post_save"]

    def test_signals_of_others(self) -> None:
        with override_settings(SIGNALS_DEMO=with_paid):
            with capture_signals(paid, sender="till") as signals:
                paid.send("till")
                paid.send(Sender)
            assert signals.names == [f"{PATH}.paid"]
            assert [event.sender for event in signals.filter(f"{PATH}.paid", sender="till")]
            with capture_signals(paid, sender=Sender) as signals:
                paid.send(Sender)
            assert (signals[0].sender, signals[0].family) == (f"{PATH}.Sender", "")


@pytest.mark.django_db(transaction=True)
def test_a_test_that_records_is_stored_and_captured() -> None:
    with recorded(SINKS=MEMORY, FOLD_AFTER=1), trace("both") as unit:
        make = [lambda: Author(pk=1)] * 5
        for each in make:
            each()
        with capture_signals() as signals:
            for each in make:
                each()
        for each in make:
            each()
        assert sum(row.count for row in kept(unit)) == 30
        assert signals.names == MADE * 5


# In every kind of test case


class TestWithoutADatabase(SimpleTestCase):
    def test_a_block(self) -> None:
        with capture_signals() as signals:
            Author(pk=1)
        assert signals.names == MADE


class TestWithALiveServer(LiveServerTestCase):
    def test_a_request_from_outside(self) -> None:
        from urllib.request import urlopen

        with capture_signals(family="request") as signals:
            with urlopen(f"{self.live_server_url}/admin/login/", timeout=30) as response:
                response.read()
            # The server closes the response after the client has read it.
            deadline = threading.Event()
            for _ in range(100):
                if len(signals) == 2:
                    break
                deadline.wait(0.1)
        assert signals.names == ["request_started", "request_finished"]
        assert signals[0].origin_name == "GET /admin/login/"


class TestAsync(TestCase):
    async def test_a_request_and_a_save(self) -> None:
        with capture_signals("request_started", "post_save") as signals:
            await AsyncClient().get("/")
            await Author.objects.acreate(name="Ada")
        assert signals.names == ["request_started", "post_save"]
        assert signals[1].outcome == "committed"

    @capture_signals("post_save")
    async def test_a_decorated_method(self, signals: Capture) -> None:
        await Author.objects.acreate(name="Ada")
        assert signals.names == ["post_save"]
