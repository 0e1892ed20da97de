"""Each event has the actor of its moment, and no request that of another."""

import asyncio
import gc
import uuid
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Barrier, Thread
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import alogin, alogout, authenticate, login, logout
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import path
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from project.playground.models import Tag
from signals_demo import flush, suppress, trace
from signals_demo.models import SignalEvent, SignalTrace
from signals_demo.tracing.scope import current_trace
from tests.recording import recorded
from tests.servers import serve_asgi

pytestmark = pytest.mark.django_db(transaction=True)

SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
AUTH = "django.contrib.auth.middleware.AuthenticationMiddleware"
OWN = "signals_demo.middleware.SignalTraceMiddleware"

Step = Callable[[HttpRequest], object]
steps: list[Step] = []


def view(request: HttpRequest, number: int = 0) -> HttpResponse:
    for step in steps:
        if step is not None:
            step(request)
        Tag.objects.create(name=uuid.uuid4().hex)
    return HttpResponse()


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        assert request.user.is_authenticated
        Tag.objects.create(name=uuid.uuid4().hex)
        yield b"x"

    return StreamingHttpResponse(parts())


urlpatterns = [path("view/", view), path("stream/", stream), path("view/<int:number>/", view)]


@pytest.fixture(autouse=True, params=[[], [OWN]], ids=["without middleware", "with"])
def site(request: pytest.FixtureRequest) -> Iterator[None]:
    middleware = [*request.param, SESSIONS, AUTH]
    with recorded(), override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=middleware):
        yield
    steps.clear()


def user(name: str, **fields: Any) -> User:
    with suppress():
        return User.objects.create_user(name, password="pw", **fields)


@pytest.fixture
def ada() -> User:
    return user("ada")


@pytest.fixture
def bob() -> User:
    return user("bob")


def client_of(who: User | None, **extra: Any) -> Client:
    client = Client(**extra)
    if who is not None:
        with suppress():
            client.force_login(who)
    return client


def get(who: User | None, *todo: Step | None, address: str = "/view/", **extra: Any) -> None:
    steps[:] = todo  # type: ignore[assignment]
    client_of(who).get(address, **extra)


def rows(address: str = "/view/") -> list[SignalEvent]:
    assert flush()
    found = SignalEvent.objects.filter(origin_name=f"GET {address}")
    return list(found.exclude(sender="sessions.Session").order_by("sequence"))


def actors(address: str = "/view/") -> list[str]:
    """Return who saved the tags, in order."""
    return [row.actor for row in rows(address) if row.signal == "post_save"
            and row.sender == "playground.Tag"]  # fmt: skip


def edges(address: str = "/view/") -> set[str]:
    return {row.actor for row in rows(address) if row.signal.startswith("request_")}


def look(request: HttpRequest) -> None:
    assert request.user.is_authenticated


def become(who: object) -> Step:
    return lambda request: setattr(request, "user", who)


# Within a request


def test_a_login_changes_the_actor_from_there_on(ada: User, bob: User) -> None:
    get(ada, look, lambda request: login(request, bob), None)
    assert actors() == ["ada", "bob", "bob"]
    (row,) = (row for row in rows() if row.signal == "user_logged_in")
    assert row.actor == "bob"
    assert edges() == {"ada"}


def test_a_login_leaves_the_rows_before_to_the_session_s_user(ada: User, bob: User) -> None:
    """Nobody has looked at the user, and the session was loaded."""
    get(ada, lambda request: request.session.get("x"), lambda request: login(request, bob))
    found = [row for row in rows() if row.signal == "post_save" and row.sender == "playground.Tag"]
    assert [(row.actor_pk, row.actor) for row in found] == [
        (str(ada.pk), ""), (str(bob.pk), "bob"),
    ]  # fmt: skip


def test_who_logs_in_has_done_what_came_before(ada: User) -> None:
    def enter(request: HttpRequest) -> None:
        assert not request.user.is_authenticated
        login(request, authenticate(request, username="ada", password="pw"))  # type: ignore[arg-type]

    get(None, None, enter)
    assert actors() == ["ada", "ada"]
    assert edges() == {"ada"}


def test_after_a_logout_there_is_no_user_and_the_request_is_still_theirs(ada: User) -> None:
    get(ada, look, logout, None)
    assert actors() == ["ada", "", ""]
    assert edges() == {"ada"}
    (row,) = (row for row in rows() if row.signal == "user_logged_out")
    assert row.actor == "ada"


@pytest.mark.parametrize("after", [[], [logout], [logout, None]], ids=["", "logout", "later"])
def test_who_deletes_their_own_account_is_named(ada: User, after: list[Step | None]) -> None:
    key = str(ada.pk)
    get(ada, None, lambda request: request.user.delete(), *after)
    assert actors() == ["ada", "ada", *[""] * len(after)]
    gone = [row for row in rows() if row.signal == "post_delete" and row.sender == "auth.User"]
    assert [(row.actor_pk, row.actor) for row in gone] == [(key, "ada")]
    assert edges() == {"ada"}


def test_a_deleted_account_is_known_though_users_are_not_recorded(ada: User) -> None:
    key = str(ada.pk)
    with recorded(INCLUDE_MODELS=["playground.*"]):
        get(ada, lambda request: (request.user.is_staff, request.user.delete()))
    (row,) = (row for row in rows() if row.signal == "post_save")
    assert (row.actor_pk, row.actor) == (key, "ada")


def test_the_staff_s_rows_are_the_staff_s_and_the_customer_s_the_customer_s(
    ada: User, bob: User
) -> None:
    get(ada, look, become(bob), become(ada))
    assert actors() == ["ada", "bob", "ada"]
    behind = [row.arguments.get("impersonator") for row in rows() if row.signal == "post_save"]
    assert behind == [None, {"pk": str(ada.pk), "name": "ada"}, None]
    assert edges() == {"ada"}


def test_who_stood_behind_is_found_though_no_event_came_between(ada: User, bob: User) -> None:
    def impersonate(request: HttpRequest) -> None:
        assert request.user.is_authenticated
        request.impersonator = request.user  # type: ignore[attr-defined]
        request.user = bob

    get(ada, impersonate)
    assert actors() == ["bob"]
    assert edges() == {"ada"}


def test_a_request_of_an_impersonator_by_login_has_both(ada: User, bob: User) -> None:
    client = client_of(bob)
    session = client.session
    session["hijack_history"] = [str(ada.pk)]
    session.save()
    steps[:] = [look]
    client.get("/view/")
    (row,) = (row for row in rows() if row.signal == "post_save")
    assert row.actor == "bob"
    assert row.arguments["impersonator"] == {"pk": str(ada.pk), "name": ""}


def take_over(whom: User) -> Step:
    """Do what django-hijack does: log in, and then note who it was."""

    def step(request: HttpRequest) -> None:
        before = str(request.user.pk)
        login(request, whom)
        request.session["hijack_history"] = [before]

    return step


@pytest.mark.parametrize("is_stored", [False, True])
def test_in_the_request_that_takes_over_both_are_named(
    ada: User, bob: User, is_stored: bool
) -> None:
    get(ada, look, take_over(bob), lambda request: is_stored and flush())
    assert actors() == ["ada", "bob", "bob"]
    assert behind() == {"ada": {None}, "bob": {str(ada.pk)}}


def behind() -> dict[str, set[str | None]]:
    """Return who stood behind the rows of each actor."""
    found: dict[str, set[str | None]] = {}
    for row in rows():
        found.setdefault(row.actor, set()).add(row.arguments.get("impersonator", {}).get("pk"))
    return found


@pytest.mark.parametrize("is_stored", [False, True])
def test_the_rows_before_the_user_was_known_name_both(
    ada: User, bob: User, is_stored: bool
) -> None:
    client = client_of(bob)
    session = client.session
    session["hijack_history"] = [str(ada.pk)]
    session.save()
    steps[:] = [None, lambda request: is_stored and flush(), look]  # type: ignore[list-item]
    client.get("/view/")
    assert actors() == ["bob"] * 3
    assert behind() == {"bob": {str(ada.pk)}}


def test_one_row_does_not_count_what_two_people_did(ada: User, bob: User) -> None:
    def make(request: HttpRequest) -> None:
        for number in range(80):
            if number == 40:
                request.user = bob
            Tag()

    get(ada, look, make)
    counts = {"ada": 0, "bob": 0}
    for row in rows():
        if row.signal == "post_init" and row.sender == "playground.Tag":
            counts[row.actor] += row.count
    assert counts == {"ada": 41, "bob": 41}  # those of the two saves among them


def test_a_user_that_is_set_without_a_session(ada: User) -> None:
    service = SimpleNamespace(pk=77, username="svc", is_authenticated=True)
    get(None, become(service), become(SimpleLazyObject(lambda: ada)), lambda r: r.user.pk)
    assert actors() == ["svc", "svc", "ada"]


def test_what_authenticated_a_request_counts_if_it_is_a_user(ada: User) -> None:
    get(None, lambda r: setattr(r, "auth", "a-token"), lambda r: setattr(r, "auth", ada))
    assert actors() == ["ada", "ada"]
    assert "a-token" not in str([row.arguments for row in rows()])


# Known late, or not at all


def test_what_is_stored_before_the_user_is_known_is_completed(ada: User) -> None:
    get(ada, None, lambda request: flush(), look)
    assert actors() == ["ada"] * 3
    (unit,) = SignalTrace.objects.filter(origin_name="GET /view/")
    assert (unit.actor_pk, unit.actor) == (str(ada.pk), "ada")


def test_what_is_stored_after_a_logout_is_not(ada: User) -> None:
    get(ada, lambda request: flush(), look, logout, lambda request: flush())
    assert actors() == ["ada", "ada", "", ""]


@pytest.mark.parametrize("is_stored", [False, True])
def test_the_session_says_who_it_is_where_nobody_asks(
    ada: User, is_stored: bool, django_assert_num_queries: Any
) -> None:
    def read(request: HttpRequest) -> None:
        request.session.get("basket")
        if is_stored:
            flush()

    get(ada, read)
    found = rows()
    assert {(row.actor_pk, row.actor) for row in found} == {(str(ada.pk), "")}


def test_a_session_that_django_refuses_says_nothing(ada: User) -> None:
    client = client_of(ada)
    with suppress():
        ada.set_password("another")
        ada.save()
    steps[:] = [lambda request: request.session.get("x"), lambda r: r.user.is_authenticated]
    client.get("/view/")
    assert {(row.actor_pk, row.actor) for row in rows()} == {("", "")}


def test_a_visitor_is_nobody() -> None:
    get(None, lambda request: request.user.is_authenticated)
    assert {(row.actor_pk, row.actor) for row in rows()} == {("", "")}


def test_what_streams_has_its_user(ada: User) -> None:
    response = client_of(ada).get("/stream/")
    assert b"".join(response) == b"x"  # type: ignore[call-overload]
    assert actors("/stream/") == ["ada"]


# One request and another


def test_requests_that_share_a_trace_do_not_share_their_actors() -> None:
    people = [user(f"user{number}") for number in range(8)]
    both = Barrier(2)
    steps[:] = [lambda request: both.wait(10), look, lambda request: both.wait(10)]
    header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    def ask(who: User) -> None:
        client = client_of(who, headers={"traceparent": header})
        client.get(f"/view/{who.pk}/")
        connection.close()

    with recorded(TRUST_TRACEPARENT=True), ThreadPoolExecutor(2) as pool:
        list(pool.map(ask, people))
        for who in people:
            assert set(actors(f"/view/{who.pk}/")) == {who.username}
        found = SignalTrace.objects.filter(trace_id="0af7651916cd43dd8448eb211c80319c")
        assert sorted(found.values_list("origin_name", "actor")) == sorted(
            (f"GET /view/{who.pk}/", who.username) for who in people
        )
        assert len(set(found.values_list("span_id", flat=True))) == len(people)


def test_a_request_in_a_request_is_somebody_else_s(ada: User, bob: User) -> None:
    def ask(request: HttpRequest) -> None:
        client_of(bob).get("/stream/").getvalue()  # type: ignore[attr-defined]

    get(ada, look, ask, None)
    assert actors() == ["ada"] * 3
    assert actors("/stream/") == ["bob"]


def test_a_response_that_nobody_closes_leaves_its_user_behind(ada: User) -> None:
    cookie = client_of(ada).cookies["sessionid"].value
    steps[:] = [look]
    environ = RequestFactory().get("/view/").environ | {"HTTP_COOKIE": f"sessionid={cookie}"}
    WSGIHandler()(environ, lambda status, headers: None)  # type: ignore[arg-type]
    get(None, None)
    assert actors() == ["ada", ""]


def test_another_request_in_the_place_of_the_own_one_is_not_taken_for_it(
    ada: User, bob: User
) -> None:
    from signals_demo.middleware import SignalTraceMiddleware

    def serve_by_hand(request: HttpRequest) -> None:
        foreign = RequestFactory().get("/other/")
        foreign.user = bob
        SignalTraceMiddleware(lambda request: HttpResponse())(foreign)

    get(ada, serve_by_hand, look)
    assert actors() == ["ada", "ada"]


# Outside of requests


@pytest.mark.parametrize("how", ["force_login", "login"])
def test_a_login_in_a_script_claims_nothing(ada: User, how: str) -> None:
    with trace("script") as unit:
        if how == "login":
            assert Client().login(username="ada", password="pw")
        else:
            Client().force_login(ada)
        Tag.objects.create(name=uuid.uuid4().hex)
    assert flush()
    found = SignalEvent.objects.filter(trace_id=unit.trace_id)
    assert found.filter(signal="user_logged_in").exists()
    assert set(found.values_list("actor_pk", "actor")) == {("", "")}


def test_a_login_in_a_view_s_thread_claims_nothing_of_the_view(ada: User, bob: User) -> None:
    def elsewhere(request: HttpRequest) -> None:
        def work() -> None:
            Client().force_login(bob)
            connection.close()

        run = copy_context().run
        for target in (work, partial(run, work)):
            thread = Thread(target=target)
            thread.start()
            thread.join()

    get(ada, look, elsewhere, None)
    assert actors() == ["ada"] * 3


def test_a_thread_of_a_view_is_its_own_unless_the_context_is_copied(ada: User) -> None:
    def work() -> None:
        Tag.objects.create(name=uuid.uuid4().hex)
        connection.close()

    def start(request: HttpRequest) -> None:
        for target in (work, partial(copy_context().run, work)):
            thread = Thread(target=target, name="helper")
            thread.start()
            thread.join()

    get(ada, look, start)
    assert actors() == ["ada", "ada", "ada"]
    alone = SignalEvent.objects.get(signal="post_save", origin_name="thread helper")
    assert (alone.origin, alone.actor) == ("process", "")


def test_a_block_has_the_actor_around_it_unless_it_names_one(ada: User) -> None:
    def blocks(request: HttpRequest) -> None:
        with trace("inherits"):
            Tag.objects.create(name=uuid.uuid4().hex)
            flush()
        with trace("names", actor="cron"), trace("inner"):
            Tag.objects.create(name=uuid.uuid4().hex)

    get(ada, blocks, look)
    assert flush()
    for name, actor in (("inherits", "ada"), ("inner", "cron")):
        (row,) = SignalEvent.objects.filter(origin_name=name, signal="post_save")
        assert row.actor == actor


# What is recorded is not what is known


@pytest.mark.parametrize(
    "keys",
    [
        {"SIGNALS": ["post_save"]},
        {"SIGNALS": ["post_save", "request_finished"]},
        {"INCLUDE_MODELS": ["playground.*"]},
        {"EXCLUDE_MODELS": ["auth.*", "sessions.*"]},
        {"SIGNALS": ["post_save"], "EXCLUDE_MODELS": ["auth.*"], "CHANGES": False},
    ],
)
def test_who_and_which_request_are_known_whatever_is_recorded(
    ada: User, bob: User, keys: dict[str, Any]
) -> None:
    with recorded(**keys):
        get(ada, look)
        get(bob, None, look, REMOTE_ADDR="203.0.113.7")
        get(None, None)
        found = [row for row in rows() if row.signal == "post_save"]
    assert [row.actor for row in found] == ["ada", "bob", "bob", ""]
    assert [row.remote_address for row in found][1] == "203.0.113.7"
    assert len({row.span_id for row in found}) == 3
    assert current_trace() is None or current_trace().origin != "request"  # type: ignore[union-attr]


def test_a_request_that_begins_in_suppress_ends_there(ada: User) -> None:
    with suppress():
        get(ada, look)
    Tag.objects.create(name=uuid.uuid4().hex)
    assert flush()
    assert not rows()
    row = SignalEvent.objects.filter(signal="post_save", sender="playground.Tag").latest("id")
    assert row.origin == "test"


def test_a_login_in_suppress_is_known_all_the_same(ada: User) -> None:
    def enter(request: HttpRequest) -> None:
        with suppress():
            login(request, ada)

    get(None, enter, None)
    assert actors() == ["ada", "ada"]
    assert "user_logged_in" not in {row.signal for row in rows()}


# Nothing is kept


@pytest.mark.parametrize("is_closed", [True, False])
def test_no_request_outlives_its_end(ada: User, is_closed: bool) -> None:
    kept: list[Any] = []
    steps[:] = [lambda request: kept.append(weakref.ref(request)), look]
    cookie = client_of(ada).cookies["sessionid"].value
    environ = RequestFactory().get("/view/").environ | {"HTTP_COOKIE": f"sessionid={cookie}"}
    response = WSGIHandler()(environ, lambda status, headers: None)  # type: ignore[arg-type]
    if is_closed:
        response.close()
    else:
        get(None, None)
    del response, environ
    assert flush()
    gc.collect()
    assert kept[0]() is None


def test_a_user_is_not_compared_or_asked(ada: User, django_assert_num_queries: Any) -> None:
    class Odd:
        is_authenticated = True
        username = "odd"

        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

        def __eq__(self, other: object) -> bool:
            raise AssertionError

        __hash__ = None  # type: ignore[assignment]

    get(None, become(Odd()), None)
    assert actors() == ["odd", "odd"]


def test_a_view_that_looks_at_nothing_has_the_user_of_its_session(ada: User) -> None:
    get(ada, None)
    assert {(row.actor_pk, row.actor) for row in rows()} == {(str(ada.pk), "")}


def test_a_session_that_has_ended_is_nobody_s(ada: User) -> None:
    client = client_of(ada)
    with suppress():
        Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    steps[:] = [None]  # type: ignore[list-item]
    client.get("/view/")
    assert {(row.actor_pk, row.actor) for row in rows()} == {("", "")}


@pytest.mark.parametrize("engine", ["cached_db", "signed_cookies", "cache", "file"])
def test_other_sessions_are_read_if_that_runs_no_code(
    ada: User, engine: str, tmp_path: Path
) -> None:
    engine = f"django.contrib.sessions.backends.{engine}"
    with override_settings(SESSION_ENGINE=engine, SESSION_FILE_PATH=tmp_path):
        get(ada, None)
        found = {row.actor_pk for row in rows()}
    assert found == {str(ada.pk) if engine.endswith("cached_db") else ""}


def test_rows_stored_before_the_end_get_the_user_of_the_session(ada: User) -> None:
    with recorded(FLUSH_INTERVAL=0.01):
        get(ada, None, lambda request: flush())
        assert {row.actor_pk for row in rows()} == {str(ada.pk)}


# Under ASGI


async def asynchronous(request: HttpRequest) -> HttpResponse:
    for step in steps:
        if step is not None:
            await step(request)  # type: ignore[misc]
        await Tag.objects.acreate(name=uuid.uuid4().hex)
    return HttpResponse()


urlpatterns += [path("async/", asynchronous)]


def ask(who: User | None, *todo: Any) -> None:
    steps[:] = todo
    asyncio.run(serve_asgi("/async/", headers=headers_of(who)))


def headers_of(who: User | None) -> list[tuple[bytes, bytes]]:
    """Return the headers of a client that is logged in: as its user agent, its name."""
    if who is None:
        return []
    cookie = client_of(who).cookies["sessionid"].value
    return [(b"cookie", f"sessionid={cookie}".encode()), (b"user-agent", who.username.encode())]


async def alook(request: HttpRequest) -> None:
    assert (await request.auser()).is_authenticated


async def astore(request: HttpRequest) -> None:
    assert await sync_to_async(flush)()


def test_in_an_async_view_the_user_is_known(ada: User) -> None:
    ask(ada, None, astore, alook, None)
    assert actors("/async/") == ["ada"] * 4
    assert edges("/async/") == {"ada"}


def test_an_async_login_and_logout_change_the_actor(ada: User, bob: User) -> None:
    ask(ada, alook, lambda request: alogin(request, bob), alogout, None)
    assert actors("/async/") == ["ada", "bob", "", ""]
    assert edges("/async/") == {"ada"}


def test_an_async_view_that_looks_at_nothing_has_the_user_of_its_session(ada: User) -> None:
    ask(ada, None)
    assert {row.actor_pk for row in rows("/async/")} == {str(ada.pk)}


def test_async_requests_at_the_same_time_do_not_mix() -> None:
    people = [user(f"user{number}") for number in range(6)]
    steps[:] = [None, alook, lambda request: asyncio.sleep(0.01)]  # type: ignore[list-item]

    headers = list(map(headers_of, people))

    async def main() -> None:
        await asyncio.gather(*(serve_asgi("/async/", headers=each) for each in headers))

    asyncio.run(main())
    assert flush()
    begun = SignalEvent.objects.filter(signal="request_started", origin_name="GET /async/")
    assert len(begun) == len(people)
    for row in begun:
        agent = row.arguments["scope"]["user_agent"]
        own = SignalEvent.objects.filter(span_id=row.span_id).exclude(sender="sessions.Session")
        assert set(own.values_list("actor", flat=True)) == {agent}
