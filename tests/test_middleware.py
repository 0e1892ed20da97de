"""The optional middleware: who did it, and under ASGI in which request."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from project.playground.models import Tag
from signals_demo import flush, suppress
from signals_demo.middleware import SignalTraceMiddleware
from signals_demo.models import SignalEvent
from tests.recording import recorded

pytestmark = pytest.mark.django_db(transaction=True)

AUTH = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
OWN = "signals_demo.middleware.SignalTraceMiddleware"


def anonymous(request: HttpRequest) -> HttpResponse:
    Tag()
    return HttpResponse()


def known(request: HttpRequest) -> HttpResponse:
    assert request.user.username == "ada"  # type: ignore[union-attr]
    Tag()
    return HttpResponse()


async def known_async(request: HttpRequest) -> HttpResponse:
    user = await request.auser()
    assert user.username == "ada"  # type: ignore[union-attr]
    Tag()
    return HttpResponse()


def late(request: HttpRequest) -> HttpResponse:
    assert flush()  # what has fired so far is stored, and nobody knows the user yet
    return known(request)


urlpatterns = [
    path("late/", late),
    path("anonymous/", anonymous),
    path("known/", known),
    path("async/", known_async),
]


@pytest.fixture(autouse=True)
def urls() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[*AUTH, OWN]):
        yield


@pytest.fixture
def ada() -> User:
    with suppress():
        return User.objects.create_user("ada", password="secret")


def actors(url: str) -> dict[str, str]:
    """Return who did what: the actor of each signal."""
    assert flush()
    rows = SignalEvent.objects.filter(origin="request", origin_name=f"GET {url}")
    return {row.signal: row.actor for row in rows.order_by("position")}


def test_the_actor_is_the_user_whom_the_host_has_loaded(ada: User) -> None:
    client = Client()
    with suppress():
        client.force_login(ada)
    client.get("/known/")
    assert actors("/known/")["request_finished"] == "ada"
    row = SignalEvent.objects.get(signal="request_finished")
    assert row.actor_pk == str(ada.pk)


@pytest.mark.parametrize("mode", ["background", "inline"])
def test_rows_that_were_stored_before_the_user_was_known_are_completed(
    ada: User, mode: str
) -> None:
    client = Client()
    with suppress():
        client.force_login(ada)
    with recorded(MODE=mode):
        client.get("/late/")
        told = actors("/late/")
    assert set(told) >= {"request_started", "pre_init", "request_finished"}
    assert set(told.values()) == {"ada"}


def test_a_user_whom_nobody_asks_for_is_not_loaded(
    ada: User, django_assert_num_queries: Any
) -> None:
    client = Client()
    with suppress():
        client.force_login(ada)
    with django_assert_num_queries(0):
        client.get("/anonymous/")
    assert set(actors("/anonymous/").values()) == {""}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_it_may_stand_anywhere(ada: User, place: int) -> None:
    middleware = AUTH.copy()
    middleware.insert(place, OWN)
    client = Client()
    with override_settings(MIDDLEWARE=middleware):
        with suppress():
            client.force_login(ada)
        client.get("/known/")
    assert actors("/known/")["request_finished"] == "ada"


@pytest.mark.parametrize("url", ["/known/", "/async/"])
def test_under_asgi_all_of_a_request_is_in_one_trace(ada: User, url: str) -> None:
    async def main() -> HttpResponse:
        client = AsyncClient()
        with suppress():
            await client.aforce_login(ada)
        return await client.get(url)

    assert asyncio.run(main()).status_code == 200
    told = actors(url)
    assert next(iter(told)) == "request_started"
    assert list(told)[-1] == "request_finished"
    assert "pre_init" in told
    assert told["request_finished"] == "ada"
    rows = SignalEvent.objects.filter(origin_name=f"GET {url}")
    assert rows.values("trace_id").distinct().count() == 1
    depths = {(row.signal, row.depth) for row in rows if row.sender == "playground.Tag"}
    assert depths == {("pre_init", 1), ("post_init", 1)}


def test_it_serves_sync_and_async_sites() -> None:
    async def respond(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    assert iscoroutinefunction(SignalTraceMiddleware(respond))
    assert not iscoroutinefunction(SignalTraceMiddleware(lambda request: HttpResponse()))


def test_without_a_trace_it_passes_the_request_on() -> None:
    """Such as where request_started is not recorded, or a test calls it by itself."""
    response = HttpResponse()
    with suppress():
        assert SignalTraceMiddleware(lambda request: response)(HttpRequest()) is response
