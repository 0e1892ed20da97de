"""The helpers for the tests of others: what fired, how a test names it, what a failure says."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import django
import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, connection, transaction
from django.db.models.signals import post_delete
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.test import (
    AsyncClient,
    Client,
    LiveServerTestCase,
    SimpleTestCase,
    TestCase,
    TransactionTestCase,
    override_settings,
)
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils.functional import SimpleLazyObject

from project.playground.models import Author, Book, Order, RareBook, Tag
from signals_demo import flush, suppress, trace
from signals_demo.models import SignalEvent
from signals_demo.testing import Capture, SignalTestMixin, capture_signals, fired
from signals_demo.testing.events import Firings
from signals_demo.tracing.test_runs import observers
from tests.recording import MEMORY, Boom, kept, recorded, rolled_back

PATH = "tests.testing.test_testing"
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
        assert last.call_site.startswith("tests/testing/test_testing.py:")
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


# Filters


@pytest.fixture
def library(db: None) -> SimpleNamespace:
    with capture_signals() as signals:
        ada = saved()
        book = Book.objects.create(title="Notes", author=ada)
        tag = Tag.objects.create(name="old")
        book.tags.add(tag)
        with rolled_back():
            ada.save()
        ada.save()
        User.objects.create_user("ada")
        Client().login(username="ada", password="wrong")
    return SimpleNamespace(signals=signals, ada=ada, book=book, tag=tag)


class TestFilters:
    def test_signals(self, library: SimpleNamespace) -> None:
        assert set(library.signals.filter("pre_save", "post_save").names) == set(SAVE)
        assert len(library.signals.filter("user_login_failed")) == 1

    def test_a_signal_itself(self, library: SimpleNamespace) -> None:
        from django.contrib.auth.signals import user_login_failed

        assert len(library.signals.filter(user_login_failed)) == 1

    def test_family(self, library: SimpleNamespace) -> None:
        assert library.signals.filter(family="auth").names == ["user_login_failed"]

    @pytest.mark.parametrize("sender", [Author, "playground.Author", "playground.author"])
    def test_sender(self, library: SimpleNamespace, sender: Any) -> None:
        found = library.signals.filter("post_save", sender=sender)
        assert {event.sender for event in found} == {"playground.Author"}
        assert len(found) == 3

    @pytest.mark.parametrize(
        ("sender", "number"),
        [
            (Book.tags.through, 4),
            ("playground.Book_tags", 4),
            ("django.contrib.auth.models.Group", 0),
            ("django.core.handlers.wsgi.WSGIHandler", 0),
            ("django.contrib.auth", 1),
            (apps.get_app_config("auth"), 1),
            (dict, 0),
        ],
        ids=str,
    )
    def test_senders_of_all_kinds(
        self, library: SimpleNamespace, sender: Any, number: int
    ) -> None:
        assert len(library.signals.filter(sender=sender)) == number

    def test_object(self, library: SimpleNamespace) -> None:
        saves = library.signals.filter("post_save")
        assert len(saves.filter(object=library.ada)) == 3
        assert len(saves.filter(object=SimpleLazyObject(lambda: library.ada))) == 3
        assert len(saves.filter(object=library.book)) == 1
        assert len(saves.filter(object=RareBook(pk=library.book.pk))) == 1
        assert len(saves.filter(object=library.ada.pk, sender=Author)) == 3
        assert len(saves.filter(object=str(library.ada.pk), sender=Author)) == 3
        assert len(library.signals.filter("m2m_changed", object=library.book)) == 2
        assert len(library.signals.filter("m2m_changed", object=library.tag)) == 0

    def test_database_and_outcome(self, library: SimpleNamespace) -> None:
        saves = library.signals.filter("post_save", database="default", sender=Author)
        assert [event.outcome for event in saves] == ["committed", "rolled_back", "committed"]
        assert len(saves.filter(outcome="rolled_back")) == 1
        assert len(saves.filter(outcome="open")) == 0

    def test_exclude(self, library: SimpleNamespace) -> None:
        rest = library.signals.exclude(family="model").exclude("connection_created")
        assert rest.names == ["user_login_failed"]

    def test_filters_follow_what_fires_later(self) -> None:
        with capture_signals() as signals:
            made = signals.filter("post_init")
            Author()
            assert len(made) == 1
            with signals.capturing("post_init", sender=Book) as inner:
                Book()
        assert (len(made), len(inner)) == (2, 1)


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


# tree


class TestTree(TestCase):
    def test_a_stable_text(self) -> None:
        with capture_signals() as signals:
            book = Book.objects.create(title="Notes", author=saved())
            book.tags.add(Tag.objects.create(name="old"))
            book.title = "Sketches"
            with rolled_back():
                book.save()
            Client().get(f"/{book.pk}/")
            book.delete()
        assert signals.exclude(*MADE).exclude("template_rendered").tree() == (
            "pre_save playground.Author\n"
            "post_save playground.Author (created)\n"
            "pre_save playground.Book\n"
            "post_save playground.Book (created)\n"
            "pre_save playground.Tag\n"
            "post_save playground.Tag (created)\n"
            "m2m_changed playground.Book_tags (pre_add)\n"
            "m2m_changed playground.Book_tags (post_add)\n"
            "pre_save playground.Book [rolled back]\n"
            "post_save playground.Book (title) [rolled back]\n"
            "request_started ClientHandler (GET /…/)\n"
            "request_finished\n"
            "pre_delete playground.Book\n"
            "post_delete playground.Book"
        )

    def test_more_when_asked(self) -> None:
        with capture_signals("post_save", "request_started") as signals:
            author = saved()
            Client().get("/7/")
        text = signals.tree(ids=True, times=True, addresses=True, changes=True, sites=True)
        assert re.fullmatch(
            rf"post_save playground.Author {author.pk} \(created, id: None → {author.pk}, "
            r"name: None → 'Ada'\) \d+\.\d ms  at tests/testing/test_testing.py:\d+ in saved\n"
            r"request_started ClientHandler \(GET /7/\) 127\.0\.0\.1",
            text,
        )

    def test_pairs_are_indented(self) -> None:
        with capture_signals(family="model") as signals:
            RareBook.objects.create(title="Folio", author=saved()).tags.create(name="old")
        assert "m2m_changed playground.Book_tags (pre_add)\n  pre_init" in signals.tree()

    def test_another_trace_is_one_piece(self) -> None:
        with capture_signals("post_init") as signals:
            with trace("first"):
                Author()
            with trace("second"):
                Tag()
            Book()
        assert signals.tree() == (
            "post_init playground.Author\npost_init playground.Tag\npost_init playground.Book"
        )

    def test_the_other_notes(self) -> None:
        with (
            capture_signals("setting_changed", "template_rendered") as signals,
            override_settings(LANGUAGE_CODE="nl"),
        ):
            Client().get("/admin/login/")
        found = signals.tree().splitlines()
        assert found[0] == found[-1] == "setting_changed (LANGUAGE_CODE)"
        assert "template_rendered (admin/base.html)" in found

    @override_settings(ROOT_URLCONF=PATH, MIDDLEWARE=[])
    def test_a_failing_request(self) -> None:
        with capture_signals(family="request") as signals:
            Client(raise_request_exception=False).get("/fail/")
        assert signals.tree() == (
            "request_started ClientHandler (GET /fail/)\n"
            f"  got_request_exception ({Boom.__module__}.Boom)\n"
            "request_finished"
        )


# Outcomes


class TestOutcomesInATestCase(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        with capture_signals("post_save") as cls.at_first:
            saved("first")

    def outcomes(self, signals: Capture) -> list[str]:
        return [event.outcome for event in signals]

    def test_without_a_block(self) -> None:
        with capture_signals(*SAVE) as signals:
            saved()
        assert self.outcomes(signals) == ["committed", "committed"]
        assert self.outcomes(self.at_first) == ["committed"]

    def test_blocks(self) -> None:
        with capture_signals("post_save") as signals:
            with transaction.atomic():
                saved("kept")
                assert self.outcomes(signals) == ["open"]
                with transaction.atomic():
                    saved("also kept")
                with rolled_back():
                    saved("gone")
                assert self.outcomes(signals) == ["open", "open", "rolled_back"]
            assert self.outcomes(signals) == ["committed", "committed", "rolled_back"]
            with rolled_back(), transaction.atomic():
                saved("gone as well")
        assert self.outcomes(signals)[3:] == ["rolled_back"]

    def test_durable_and_without_a_savepoint(self) -> None:
        with capture_signals("post_save") as signals:
            with transaction.atomic(durable=True):
                saved("durable")
            with transaction.atomic(savepoint=False):
                saved("without a savepoint")
            with rolled_back(), transaction.atomic(savepoint=False):
                saved("gone")
        assert self.outcomes(signals) == ["committed", "committed", "rolled_back"]

    def test_a_failing_block_without_a_savepoint(self) -> None:
        with capture_signals("post_save") as signals:
            with transaction.atomic(savepoint=False):
                saved("kept")
                assert self.outcomes(signals) == ["open"]
            with rolled_back(savepoint=False):
                saved("gone")
                with transaction.atomic():
                    saved("gone as well")
                with rolled_back():
                    saved("gone before")
        assert self.outcomes(signals) == ["committed", *["rolled_back"] * 3]

    def test_a_delete_that_fails_halfway(self) -> None:
        book = Book.objects.create(title="Notes", author=saved())
        with (
            capture_signals("pre_delete") as signals,
            pytest.raises(Boom),
            failing_receiver(post_delete),
        ):
            book.delete()
        assert self.outcomes(signals) == ["rolled_back"]

    def test_a_savepoint_by_hand(self) -> None:
        with capture_signals("post_save") as signals, transaction.atomic():
            point = connection.savepoint()
            saved("gone")
            connection.savepoint_rollback(point)
            saved("kept")
        assert self.outcomes(signals) == ["rolled_back", "committed"]

    def test_a_save_that_fails(self) -> None:
        saved()
        with (
            capture_signals("pre_save") as signals,
            pytest.raises(IntegrityError),
            transaction.atomic(),
        ):
            saved()
        assert self.outcomes(signals) == ["rolled_back"]

    def test_on_commit(self) -> None:
        for execute in (False, True):
            with self.subTest(execute=execute), capture_signals("post_save") as signals:
                with self.captureOnCommitCallbacks(execute=execute):
                    with transaction.atomic():
                        author = saved(f"kept {execute}")
                        transaction.on_commit(author.save)
                    with rolled_back():
                        saved("gone")
                expected = ["committed", "rolled_back", *["committed"] * execute]
                assert self.outcomes(signals) == expected

    def test_switched_on_in_the_middle(self) -> None:
        with override_settings(SIGNALS_DEMO={"ENABLED": False}):
            saved("unseen")
        with capture_signals("post_save") as signals:
            saved("kept")
            with rolled_back():
                saved("gone")
        assert self.outcomes(signals) == ["committed", "rolled_back"]


class TestOutcomesForReal(TransactionTestCase):
    def test_blocks(self) -> None:
        with capture_signals("post_save") as signals:
            saved("at once")
            with transaction.atomic():
                saved("kept")
                assert [event.outcome for event in signals] == ["committed", "open"]
            with rolled_back():
                saved("gone")
        assert [event.outcome for event in signals] == ["committed", "committed", "rolled_back"]


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


# The assertions


class TestAssertions(SignalTestMixin, TestCase):
    def failing(self, message: str, make: Callable[[], Any], action: Any = saved) -> str:
        with pytest.raises(AssertionError) as caught, make():
            action()
        text = str(caught.value)
        assert message in text
        return text

    def test_in_order(self) -> None:
        with self.assertSignals(SAVE) as signals:
            saved()
        assert signals.names == [*MADE, *SAVE]
        with self.assertSignals([*MADE, *SAVE], sender=Author):
            saved("Grace")
        with self.assertSignals([]):
            Author()
        with self.assertSignals(
            [fired("pre_save", sender=Tag), fired("post_save")], family="model"
        ):
            Tag.objects.create(name="old")
        self.assertSignals(SAVE, within=signals)

    def test_not_in_order(self) -> None:
        text = self.failing(
            "Number 2 is post_save playground.Author committed, not post_delete.",
            lambda: self.assertSignals(["pre_save", "post_delete"]),
        )
        assert "Expected exactly, in this order:\n  1. pre_save\n  2. post_delete\n" in text
        assert re.search(
            r"Fired:\n  pre_init playground.Author  at tests/testing/\w+.py:\d+ in saved\n"
            r"(.*\n)+  post_save playground.Author \d+ \(created\)  at tests/testing/",
            text,
        )

    def test_missing_and_more(self) -> None:
        self.failing("Number 3, post_save, is missing.",
                     lambda: self.assertSignals([*SAVE, "post_save"]))  # fmt: skip
        self.failing("After them, this fired: post_save playground.Author committed.",
                     lambda: self.assertSignals(["pre_save"]), lambda: saved("Grace"))  # fmt: skip
        self.failing("Expected no signal.", lambda: self.assertSignals([]), lambda: saved("Eve"))
        self.failing("Fired:\n  nothing", lambda: self.assertSignals(SAVE), lambda: None)

    def test_an_outcome_is_judged_at_the_end(self) -> None:
        gone = [fired(name, outcome="rolled_back") for name in SAVE]
        with self.assertSignals(gone), rolled_back():
            saved()
        text = self.failing("not pre_save outcome=rolled_back", lambda: self.assertSignals(gone))
        assert "1. pre_save outcome=rolled_back" in text

    def test_sent(self) -> None:
        with self.assertSignalSent("post_save", sender=Author, outcome="committed") as signals:
            author = saved()
        self.assertSignalSent("post_save", object=author, within=signals)
        self.failing(
            f"Expected, and did not fire: post_save object=playground.Author {author.pk}",
            lambda: self.assertSignalSent("post_save", object=author),
            lambda: saved("Grace"),
        )

    def test_not_sent(self) -> None:
        with self.assertSignalNotSent("post_delete"):
            saved()
        self.failing(
            "Not expected, and fired once: post_save sender=playground.Author",
            lambda: self.assertSignalNotSent("post_save", sender=Author),
            lambda: saved("Grace"),
        )

    def test_number(self) -> None:
        with self.assertNumSignals(4):
            saved()
        with self.assertNumSignals(1, "post_save", sender=Author):
            saved("Grace")
        text = self.failing(
            "Expected 3 signals, and 2 fired.",
            lambda: self.assertNumSignals(3, *SAVE),
            lambda: saved("Eve"),
        )
        assert "Fired (of which count: pre_save or post_save):" in text

    def test_a_message_of_ones_own_and_a_long_tree(self) -> None:
        text = self.failing(
            "and 300 more",
            lambda: self.assertNumSignals(1, msg="Too chatty"),
            lambda: [Author() for _ in range(200)],
        )
        assert text.endswith("Too chatty")

    def test_an_error_in_the_block_is_not_hidden(self) -> None:
        with pytest.raises(Boom), self.assertSignals(SAVE):
            raise Boom
        assert observers == []

    def test_slips(self) -> None:
        for wrong in ("post_save", 3, None):
            with self.assertRaisesMessage(TypeError, "expected takes a list of signals"):
                self.assertSignals(wrong)  # type: ignore[arg-type]
        with self.assertRaisesMessage(ValueError, "Did you mean 'post_save'"):
            self.assertSignals(["pots_save"])
        with self.assertRaisesMessage(TypeError, "number takes a whole number, not str ('2')"):
            self.assertNumSignals("2")  # type: ignore[arg-type]
        with self.assertRaisesMessage(TypeError, "within= takes what capture_signals() gives"):
            self.assertSignalSent("post_save", within=[])  # type: ignore[arg-type]
        with self.assertRaisesMessage(TypeError, "no filter 'sendr'"):
            self.assertSignalNotSent("post_save", sendr=Group)  # type: ignore[call-arg]


def test_orders_are_thanked_for(db: None) -> None:
    book = Book.objects.create(title="Notes", author=saved())
    with capture_signals(sender=Order) as signals:
        Order.objects.create(book=book, reader="Mina")
    assert signals.names == [*MADE, *SAVE]
