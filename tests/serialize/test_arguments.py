"""What each signal was sent with: described in full, without secrets, without host code."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import django
import pytest
from asgiref.sync import async_to_sync
from django.contrib import auth
from django.contrib.auth.models import AnonymousUser, Group, User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection, connections, models
from django.db.models.signals import m2m_changed, post_delete, post_save
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.test.signals import template_rendered
from django.test.utils import isolate_apps
from django.urls import path
from django.utils.functional import SimpleLazyObject

from project.playground.models import Author, Book, Ebook, Tag
from signals_demo import catalog, flush, trace
from signals_demo.models import SignalEvent
from signals_demo.serialize.redaction import MASK
from signals_demo.sinks.memory import MemorySink
from signals_demo.testing import capture_signals
from tests.recording import MEMORY, kept, recorded
from tests.shapes import (
    Country,
    Door,
    Gate,
    Guard,
    Note,
    Ring,
    Seat,
    Telltale,
    Ticket,
    calls,
    tables,
)

SECRET = "open-sesame-52"

happened = Signal()


def works(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def fails(request: HttpRequest) -> HttpResponse:
    raise LookupError("no such thing", {"password": SECRET}, f"redis://:{SECRET}@cache")


def renders(request: HttpRequest) -> HttpResponse:
    return HttpResponse(Template("{{ a }}", name="a.html").render(Context({"a": 1})))


urlpatterns = [path("works/", works), path("fails/", fails), path("renders/", renders)]


@pytest.fixture(autouse=True)
def _in_memory() -> Iterator[None]:
    MemorySink.rows.clear()
    calls.clear()
    with (
        recorded(SINKS=MEMORY, EXTRA_SIGNALS=["tests.serialize.test_arguments.happened"]),
        override_settings(ROOT_URLCONF="tests.serialize.test_arguments", MIDDLEWARE=[]),
    ):
        yield


def sent(action: Callable[[], object], *signals: str) -> list[tuple[str, dict[str, Any]]]:
    """Return sender and arguments of what an action fires."""
    with capture_signals(*signals) as captured:
        action()
    return [(event.sender, event.arguments) for event in captured]


def seen(signal: str) -> list[Any]:
    """Return the rows of a signal, whatever their trace."""
    assert flush()
    return [row for row in list(MemorySink.rows) if row.signal == signal]


def arguments(signal: str) -> dict[str, Any]:
    """Return the arguments of the latest firing of a signal."""
    found: dict[str, Any] = json.loads(seen(signal)[-1].arguments)
    return found


# Model signals.


def test_positional_arguments_of_a_constructor_are_masked_by_the_fields_they_fill() -> None:
    def make() -> None:
        User(1, SECRET, None, False, "ada")
        User(1, None)

    assert [given["args"] for _, given in sent(make, "pre_init")] == [
        [1, MASK, None, False, "ada"], [1, None],
    ]  # fmt: skip


def test_named_arguments_of_a_constructor_are_masked_by_name() -> None:
    ring, gate = Ring(access_key=SECRET), Gate(api_token=SECRET)
    with trace("describe") as unit:
        User(username="ada", password=SECRET, is_active=True)
        Session(pk=SECRET, session_data=SECRET)
        Ring(pk=SECRET, parent=ring, handle="h")
        Ring(access_key=None, parent_id=SECRET)
        Door(ring=ring)
        Door(ring_id=SECRET, name="front")
        Guard(gate=gate)
        Guard(gate_id=SECRET)
        Author(name=SimpleLazyObject(lambda: SECRET))
    given = [json.loads(row.arguments)["kwargs"] for row in kept(unit) if row.signal == "pre_init"]
    assert given == [
        {"username": "ada", "password": MASK, "is_active": True},
        {"pk": MASK, "session_data": MASK},
        {"pk": MASK, "parent": MASK, "handle": "h"},
        {"access_key": None, "parent_id": MASK},
        {"ring": MASK},
        {"ring_id": MASK, "name": "front"},
        {"gate": MASK},
        {"gate_id": MASK},
        {"name": "<lazy value>"},
    ]
    assert not any(SECRET in "".join(map(str, row)) for row in kept(unit))


def test_more_arguments_than_fields_are_counted() -> None:
    with trace("describe") as unit:
        with pytest.raises(IndexError):
            Author(*range(1000))
        with pytest.raises(TypeError):
            Author(**{f"name{n}": n for n in range(1000)})
    args, kwargs = (json.loads(row.arguments) for row in kept(unit) if row.signal == "pre_init")
    assert args["args"] == [0, 1, "... (998 more)"]
    assert len(kwargs["kwargs"]) < 100
    assert kwargs["kwargs"]["..."].endswith(" more")


@pytest.mark.django_db(transaction=True)
def test_deferred_fields_of_a_row_are_named_so() -> None:
    Author.objects.create(name="Ada")
    found = sent(lambda: list(Author.objects.only("pk")), "pre_init")
    assert found == [("playground.Author", {"args": [Author.objects.get().pk, "<deferred>"]})]


@pytest.mark.django_db(transaction=True)
def test_a_save_has_the_arguments_that_no_column_says() -> None:
    author = Author(name="Ada")
    before, after = sent(author.save)
    assert before == ("playground.Author", {})
    assert after == ("playground.Author", {"created": True})
    before, after = sent(lambda: author.save(update_fields={"name"}))
    assert before[1] == {"update_fields": ["name"]}
    assert after[1] == {"created": False, "update_fields": ["name"]}
    before, after = sent(lambda: author.save_base(raw=True))
    assert before[1] == {"raw": True}
    assert after[1] == {"created": False, "raw": True}


@pytest.mark.django_db(transaction=True)
def test_a_delete_has_its_origin() -> None:
    author = Author.objects.create(name="Ada")
    Book.objects.create(title="Engines", author=author)
    who = {"model": "playground.Author", "pk": author.pk}
    assert sent(author.delete, "post_delete") == [
        ("playground.Book", {"origin": who}),
        ("playground.Author", {}),
    ]
    Author.objects.create(name="Grace")
    found = sent(Author.objects.filter(name="Grace").delete, "pre_delete")
    assert found[0][1]["origin"] == "<QuerySet of playground.Author>"


@pytest.mark.django_db(transaction=True)
def test_a_many_to_many_change_has_its_keys() -> None:
    book = Book.objects.create(title="Engines", author=Author.objects.create(name="Ada"))
    tags = [Tag.objects.create(name=name) for name in "ba"]
    (sender, pre), (_, post) = sent(lambda: book.tags.add(*tags), "m2m_changed")
    assert sender == "playground.Book_tags"
    expected = {
        "instance": {"model": "playground.Book", "pk": book.pk},
        "action": "pre_add",
        "reverse": False,
        "model": "project.playground.models.Tag",
        "pk_set": sorted(tag.pk for tag in tags),
    }
    assert pre == expected
    assert post == expected | {"action": "post_add"}
    group = Group.objects.create(name="editors")
    group.user_set.add(User.objects.create_user("ada"))
    found = sent(group.user_set.clear, "m2m_changed")
    assert [(given["reverse"], given["pk_set"]) for _, given in found] == [(True, None)] * 2


@pytest.mark.django_db(transaction=True)
def test_keys_of_secret_rows_are_masked_wherever_they_stand() -> None:
    with tables(Ring, Door):
        ring = Ring.objects.create(access_key=SECRET)
        door = Door.objects.create(ring=ring)
        with trace("describe") as unit:
            door.rings.add(ring)
            door.rings.add(SECRET)
            door.rings.remove(ring)
            door.rings.add(ring)
            door.rings.clear()
            happened.send(sender=ring, instance=ring, rings=[ring, {"ring": ring}])
            ring.handle = "h"
            ring.save()
            list(Ring.objects.all())
            list(Door.objects.select_related("ring"))
            Door.objects.all().delete()
            ring.delete()
        rows = kept(unit)
    assert len(rows) > 15
    assert not [row for row in rows if SECRET in "".join(map(str, row))]
    assert {row.object_pk for row in rows if row.sender == "shapes.Ring"} == {"", MASK}


@pytest.mark.django_db(transaction=True)
def test_a_key_is_stored_as_its_text() -> None:
    ticket, country = Ticket(id=uuid.UUID(int=5)), Country(code="'r")
    with tables(Ticket, Country, Seat), trace("describe") as unit:
        for instance in (ticket, country, Seat(row="A", number=3)):
            instance.save()
            Author(pk=7)
    keys = {row.sender: row.object_pk for row in kept(unit) if row.signal != "pre_init"}
    assert keys == {
        "shapes.Ticket": str(ticket.pk), "shapes.Country": "'r", "shapes.Seat": "('A', 3)",
        "playground.Author": "7",
    }  # fmt: skip


@pytest.mark.parametrize("key", ["x" * 1000, "", "a b", "'", "ä"])
def test_any_text_may_be_a_key(key: str) -> None:
    with trace("describe") as unit:
        Country(code=key)
    row = kept(unit)[-1]
    assert row.object_pk.startswith(key[:200])
    assert len(row.object_pk) < 255


@pytest.mark.django_db(transaction=True)
def test_a_child_model_and_its_parent_are_told_apart() -> None:
    ebook = Ebook.objects.create(title="E", author=Author.objects.create(name="Ada"))
    assert [sender for sender, _ in sent(ebook.delete, "post_delete")] == [
        "playground.Ebook", "playground.Book",
    ]  # fmt: skip


# No host code.


def everyday() -> None:
    one = Telltale(name="a")
    one.save()
    one.name = "b"
    one.data["n"] = one.data.get("n", 0) + 1
    one.save()
    one.refresh_from_db()
    (two,) = Telltale.objects.only("name")
    two.save()
    happened.send(sender="test", instance=one, several=[one, two], lazy=SimpleLazyObject(one.save))
    one.delete()
    Telltale.objects.create(name="c")
    Telltale.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_no_method_of_a_model_is_called_that_django_does_not_call_anyway() -> None:
    def listen(**kwargs: Any) -> None:
        """Have Django collect what it deletes, as it does for any receiver."""

    post_delete.connect(listen, sender=Telltale)
    with tables(Telltale):
        with override_settings(SIGNALS_DEMO={"ENABLED": False}):
            everyday()
        bare = list(calls)
        calls.clear()
        found = sent(everyday)
    assert calls == bare
    assert len(found) > 15


@pytest.mark.django_db(transaction=True)
def test_deferred_fields_are_not_touched() -> None:
    with tables(Note):
        Note.objects.create(text="a")
        with trace("describe") as unit:
            note = Note.objects.defer("text", "data", "blob", "attachment").get()
            (only,) = Note.objects.only("pk")
            note.save()
            note.delete()
        assert note.get_deferred_fields() == {"text", "data", "blob", "attachment"}
        assert len(only.get_deferred_fields()) == len(Note._meta.concrete_fields) - 1
    assert [row.signal for row in kept(unit)] == [
        "pre_init", "post_init", "pre_init", "post_init", "pre_save", "post_save",
        "pre_delete", "post_delete",
    ]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_querysets_are_not_evaluated() -> None:
    Author.objects.create(name="Ada")
    authors = Author.objects.all()

    def use() -> None:
        happened.send(sender="test", authors=authors, more=[authors], named={"a": authors})
        template_rendered.send(
            sender=Template, template=Template(""), context=Context({"authors": authors})
        )

    found = sent(use)
    assert found[0][1]["authors"] == "<QuerySet of playground.Author>"
    assert authors._result_cache is None


def test_a_mapping_of_the_hosts_in_a_context_is_not_asked_for_its_keys() -> None:
    class Keys(Mapping[str, Any]):
        def __getitem__(self, key: str) -> Any:
            raise AssertionError

        def __iter__(self) -> Iterator[str]:
            raise AssertionError

        def __len__(self) -> int:
            raise AssertionError

    context = Context({"a": 1})
    context.dicts.append(Keys())  # type: ignore[arg-type]
    found = sent(
        lambda: template_rendered.send(
            sender=Template, template=Template("", name="x.html"), context=context
        )
    )
    assert found == [("django.template.base.Template", {"template": "x.html", "context": ["a"]})]


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"instance": None},
        {"instance": "no instance"},
        {"instance": Author(pk=3), "signal_": object()},
        {"instance": Author(pk=3), "created": object(), "update_fields": "name"},
    ],
)
def test_model_signals_that_a_host_sends_by_hand_are_recorded(named: dict[str, Any]) -> None:
    with recorded(SINKS=MEMORY, STRICT=False), trace("describe") as unit:
        for sender in (Author, Client):
            post_save.send(sender=sender, **named)
            m2m_changed.send(sender=sender, **named)
    rows = kept(unit)
    assert [(row.signal, row.sender) for row in rows] == [
        ("post_save", "playground.Author"), ("m2m_changed", "playground.Author"),
        ("post_save", "django.test.client.Client"), ("m2m_changed", "django.test.client.Client"),
    ]  # fmt: skip


def test_names_of_fields_are_taken_as_they_are() -> None:
    class Name(str):
        __slots__ = ()

        def __lt__(self, other: str) -> bool:
            raise AssertionError

        __hash__ = str.__hash__

    with trace("describe") as unit:
        post_save.send(sender=Author, instance=Author(pk=3), update_fields={Name("b"), Name("a")})
    assert json.loads(kept(unit)[-1].arguments)["update_fields"] == ["a", "b"]


def test_broken_errors_of_the_host_do_not_stop_the_host() -> None:
    class Broken(Exception):
        @property
        def args(self) -> Any:  # type: ignore[override]
            raise AssertionError

        def __str__(self) -> str:
            raise AssertionError

    def raises(request: HttpRequest) -> HttpResponse:
        raise Broken("torn")

    urls = type("Urls", (), {"urlpatterns": [path("", raises)]})
    with override_settings(ROOT_URLCONF=urls):
        Client(raise_request_exception=False).get("/")
    assert seen("got_request_exception")[-1].exception.endswith("Broken: torn")


# Senders.


@pytest.mark.parametrize(
    ("sender", "label"),
    [
        (None, ""),
        ("a text", "a text"),
        ("x" * 5000, "x" * 200 + "... (5,000 characters)"),
        (Book, "playground.Book"),
        (Book(pk=3), "playground.Book"),
        (models.Model, "django.db.models.base.Model"),
        (Ebook, "playground.Ebook"),
        (Book.tags.through, "playground.Book_tags"),
        (object(), "builtins.object"),
        (Client, "django.test.client.Client"),
        (Template, "django.template.base.Template"),
        (5, "builtins.int"),
    ],
)
def test_a_sender_is_labelled(sender: Any, label: str) -> None:
    assert sent(lambda: happened.send(sender=sender))[0][0] == label


def test_nothing_about_the_record_itself_is_recorded() -> None:
    def touch() -> None:
        event = SignalEvent(pk=1, signal="post_save")
        happened.send(sender=SignalEvent)
        happened.send(sender=event)

    assert sent(touch) == []


# Requests.

HEADERS = {
    "User-Agent": "Lynx",
    "Referer": f"https://ada:{SECRET}@shop.example/?page=2&token={SECRET}",
    "Authorization": f"Bearer {SECRET}",
    "Cookie": f"sessionid={SECRET}",
    "X-CSRFToken": SECRET,
    "X-Api-Key": SECRET,
}
SHOWN = {
    "method": "POST",
    "path": "/works/",
    "query_string": f"page=2&p%61ssword={MASK}&token={MASK}",
    "scheme": "http",
    "host": "testserver",
    "user_agent": "Lynx",
    "referer": f"https://ada:{MASK}@shop.example/?page=2&token={MASK}",
    "content_type": "application/json",
    "content_length": "2",
}
QUERY = f"page=2&p%61ssword={SECRET}&token={SECRET}"


@pytest.mark.django_db(transaction=True)
def test_a_wsgi_request_is_its_harmless_part() -> None:
    Client().post(f"/works/?{QUERY}", {}, content_type="application/json", headers=HEADERS)
    shown = arguments("request_started")["environ"]
    assert {name: str(value) for name, value in shown.items()} == SHOWN
    assert not [row for row in list(MemorySink.rows) if SECRET in "".join(map(str, row))]


@pytest.mark.django_db(transaction=True)
def test_an_asgi_request_is_its_harmless_part() -> None:
    client = AsyncClient()
    async_to_sync(client.post)(
        f"/works/?{QUERY}", "{}", content_type="application/json", headers=HEADERS
    )
    shown = arguments("request_started")["scope"]
    assert {name: str(value) for name, value in shown.items()} == SHOWN
    assert not [row for row in list(MemorySink.rows) if SECRET in "".join(map(str, row))]


@pytest.mark.django_db(transaction=True)
def test_an_error_is_told_by_type_and_message_without_secrets() -> None:
    Client(raise_request_exception=False).get("/fails/")
    row = seen("got_request_exception")[-1]
    assert row.exception.startswith("LookupError: no such thing, ")
    assert SECRET not in row.exception
    assert MASK in row.exception
    assert json.loads(row.arguments) == {"request": {"method": "GET", "path": "/fails/"}}


def test_a_template_is_told_by_name_and_its_context_by_keys() -> None:
    context = Context({"b": SECRET, "a": SimpleLazyObject(lambda: 1)})
    context.push(c=1)
    found = sent(
        lambda: template_rendered.send(
            sender=Template, template=Template("", name="x.html"), context=context
        )
    )
    assert found[0][1] == {"template": "x.html", "context": ["a", "b", "c"]}


# Auth.


@pytest.mark.django_db(transaction=True)
def test_a_login_and_a_logout_have_user_and_request() -> None:
    user = User.objects.create_user("ada", password=SECRET)
    request = RequestFactory().post("/login/")
    request.session = SessionStore()
    with trace("describe") as unit:
        auth.login(request, user, backend="django.contrib.auth.backends.ModelBackend")
        session_key = request.session.session_key or ""
        request.user = SimpleLazyObject(lambda: user)  # type: ignore[assignment]
        auth.logout(request)
        request.user = AnonymousUser()
        auth.logout(request)
    rows = kept(unit)
    about = {"model": "auth.User", "pk": user.pk}
    expected = {"request": {"method": "POST", "path": "/login/"}, "user": about}
    auth_rows = [row for row in rows if row.signal.startswith("user_")]
    assert [json.loads(row.arguments) for row in auth_rows] == [
        expected, expected, expected | {"user": None},
    ]  # fmt: skip
    assert [row.object_pk for row in auth_rows] == [str(user.pk), str(user.pk), ""]
    assert [row.sender for row in auth_rows] == ["auth.User", "auth.User", ""]
    assert len(session_key) > 20
    assert not [row for row in rows if session_key in "".join(map(str, row))]


@pytest.mark.django_db(transaction=True)
def test_a_failed_login_has_its_credentials_without_the_secret_ones() -> None:
    request = RequestFactory().post("/login/")
    found = sent(
        lambda: auth.authenticate(
            request, username="ada", password=SECRET, api_token=SECRET, otp={"secret": SECRET}
        ),
        "user_login_failed",
    )
    sender, given = found[0]
    assert sender == "django.contrib.auth"
    assert given["credentials"]["username"] == "ada"
    assert given["request"] == {"method": "POST", "path": "/login/"}
    assert SECRET not in json.dumps(given)


# Settings.


@pytest.mark.parametrize(
    ("setting", "value", "shown"),
    [
        ("SHOP_PASSWORD", SECRET, MASK),
        ("SECRET_KEY_FALLBACKS", [SECRET], MASK),
        ("CACHE_URL", f"redis://:{SECRET}@cache/0", f"redis://:{MASK}@cache/0"),
        ("BROKERS", [f"amqp://ada:{SECRET}@mq"], [f"amqp://ada:{MASK}@mq"]),
        ("STORES", {"a": {"PASSWORD": SECRET, "HOST": "db", "OPTIONS": {"sslkey": SECRET}}},
         {"a": {"PASSWORD": MASK, "HOST": "db", "OPTIONS": {"sslkey": MASK}}}),
        ("HOOK", f"https://x.example/?signature={SECRET}",
         f"https://x.example/?signature={MASK}"),
        ("PAGE_SIZE", 20, 20),
        ("API_TOKEN", None, None),
        ("WIDGET", User, "django.contrib.auth.models.User"),
    ],
)  # fmt: skip
def test_a_setting_is_shown_without_secrets(setting: str, value: Any, shown: Any) -> None:
    def change() -> None:
        with override_settings(**{setting: value}):
            pass

    entered, left = (given for _, given in sent(change, "setting_changed"))
    assert entered == {"setting": setting, "value": shown, "enter": True}
    assert left["value"] in (None, MASK)
    assert left["enter"] is False


# Connections and migrations.


@pytest.mark.django_db(transaction=True)
def test_a_connection_is_told_by_alias_and_vendor() -> None:
    def connect() -> None:
        connection.close()
        connection.ensure_connection()

    sender, given = sent(connect, "connection_created")[0]
    assert given == {"connection": {"alias": "default", "vendor": connection.vendor}}
    assert sender == f"{type(connections['default']).__module__}.DatabaseWrapper"


@pytest.mark.django_db(transaction=True)
def test_a_migration_has_its_plan() -> None:
    def migrate() -> None:
        call_command("migrate", "playground", "zero", verbosity=0)
        call_command("migrate", verbosity=0)

    found = [
        given for sender, given in sent(migrate, "pre_migrate", "post_migrate")
        if sender == "project.playground"
    ]  # fmt: skip
    assert [given["plan"] for given in found] == [
        [["playground.0001_initial", True]], [["playground.0001_initial", True]],
        [["playground.0001_initial", False]], [["playground.0001_initial", False]],
    ]  # fmt: skip
    assert found[0]["app_config"] == "project.playground"
    assert (found[0]["verbosity"], found[0]["using"]) == (0, "default")
    assert found[0]["apps"] == "<django.db.migrations.state.StateApps>"


# Tasks.

if django.VERSION >= (6, 0):
    from functools import wraps

    from django.tasks import TaskContext, task

    def checked(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def inner(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return inner

    @task
    def send_mail(to: str, password: str, *api_keys: str, page: int = 0, **more: Any) -> None:
        """Send nothing."""

    @task(takes_context=True)
    def with_context(context: TaskContext, token: str, to: str) -> None:
        """Do nothing."""

    @task
    @checked
    def decorated(to: str, password: str) -> None:
        """Do nothing."""

    @task
    def broken(password: str) -> None:
        raise ValueError(f"wrong: {password}")


@pytest.mark.applies(django.VERSION >= (6, 0))
def test_arguments_of_tasks_are_masked_by_the_names_of_the_parameters() -> None:
    def enqueue() -> None:
        send_mail.enqueue("ada", SECRET, SECRET, SECRET, page=2, csrf=SECRET, n={"token": SECRET})
        with_context.enqueue(SECRET, "ada")
        decorated.enqueue("ada", SECRET)
        broken.enqueue(password=SECRET)

    enqueue()
    assert flush(60)
    all_rows = list(MemorySink.rows)  # each task is a trace of its own
    rows = [row for row in all_rows if row.signal == "task_finished"]
    given = [json.loads(row.arguments)["task_result"] for row in rows]
    assert [each["args"] for each in given] == [
        ["ada", MASK, MASK, MASK], [MASK, "ada"], ["ada", MASK], [],
    ]  # fmt: skip
    assert given[0]["kwargs"] == {"page": 2, "csrf": MASK, "n": {"token": MASK}}
    assert given[0]["task"] == "tests.serialize.test_arguments.send_mail"
    assert given[0]["status"] == "SUCCESSFUL"
    assert given[3]["status"] == "FAILED"
    assert given[3]["errors"] == ["builtins.ValueError"]
    assert rows[3].exception.startswith("builtins.ValueError (tests/serialize/test_arguments.py:")
    assert not [row for row in all_rows if SECRET in "".join(map(str, row))]


# Other signals.


def test_any_argument_of_an_extra_signal_is_described_and_masked_by_name() -> None:
    book, author = Book(pk=3), Author(pk=4)
    found = sent(
        lambda: happened.send(
            sender="shop", order=book, api_key=SECRET, card={"size": 1, "secret": SECRET},
            instance=author, using="default", amount=2, token=None,
        )
    )  # fmt: skip
    assert found == [
        ("shop", {
            "order": {"model": "playground.Book", "pk": 3}, "api_key": MASK,
            "card": {"size": 1, "secret": MASK}, "amount": 2, "token": None,
            "instance": {"model": "playground.Author", "pk": 4}, "using": "default",
        })
    ]  # fmt: skip
    assert seen("tests.serialize.test_arguments.happened")[-1].object_pk == "4"


def test_patterns_of_the_setting_hold_everywhere() -> None:
    extra = {"SINKS": MEMORY, "EXTRA_SIGNALS": ["tests.serialize.test_arguments.happened"]}
    with recorded(REDACT=["iban", "^name$"], **extra):
        found = sent(lambda: happened.send(sender="a", iban=1, order={"Customer_IBAN": 2}))
        assert found[0][1] == {"iban": MASK, "order": {"Customer_IBAN": MASK}}
        found = sent(lambda: Author(name="Ada"), "pre_init")
        assert found[0][1]["kwargs"] == {"name": MASK}
    found = sent(lambda: Author(name="Ada"), "pre_init")
    assert found[0][1]["kwargs"] == {"name": "Ada"}


def test_every_documented_argument_is_described() -> None:
    with isolate_apps("tests"):
        found = sent(lambda: type("Late", (models.Model,), {
            "__module__": "tests", "Meta": type("Meta", (), {"app_label": "shapes"}),
        }), "class_prepared")  # fmt: skip
    assert found == [("shapes.Late", {})]
    assert catalog.get("class_prepared").argument_names == ()


# All of it, in the database.


@pytest.mark.django_db(transaction=True)
@override_settings(
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "signals_demo.middleware.SignalTraceMiddleware",
    ]
)
def test_no_stored_row_holds_a_secret_that_was_used() -> None:
    with recorded(EXTRA_SIGNALS=["tests.serialize.test_arguments.happened"]):
        user = User.objects.create_user("ada", password=SECRET)
        client = Client(raise_request_exception=False, headers=HEADERS)
        assert not client.login(username="ada", password=f"{SECRET}!")
        assert client.login(username="ada", password=SECRET)
        session_key = client.session.session_key
        client.get(f"/works/?{QUERY}")
        client.get("/fails/")
        client.logout()
        user.set_password(f"{SECRET}?")
        user.save()
        Session.objects.create(pk=f"{SECRET}-s", session_data=SECRET, expire_date=user.date_joined)
        Session.objects.all().delete()
        assert flush()
        rows = list(SignalEvent.objects.values_list())
    assert len(rows) > 40
    text = "\n".join(map(str, rows))
    assert SECRET not in text
    assert session_key not in text
    assert user.password not in text
    assert "ada" in text
