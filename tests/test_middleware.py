"""The optional middleware: who did it, and under ASGI in which request."""

import asyncio
from collections.abc import Iterator

import pytest
from asgiref.sync import iscoroutinefunction
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from pytest_django import DjangoAssertNumQueries

from project.playground.models import Tag
from signals_demo import flush, suppress
from signals_demo.middleware import SignalTraceMiddleware
from signals_demo.models import SignalEvent
from signals_demo.testing import Capture, capture_signals
from tests.recording import recorded

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
    return User.objects.create_user("ada")


@pytest.fixture
def client(client: Client, ada: User) -> Client:
    client.force_login(ada)
    return client


@pytest.mark.django_db
def test_the_actor_is_the_user_whom_the_host_has_loaded(
    client: Client, ada: User, capsignals: Capture
) -> None:
    client.get("/known/")
    (finished,) = capsignals.filter("request_finished")
    assert (finished.actor, finished.actor_pk) == ("ada", str(ada.pk))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("mode", ["background", "inline"])
def test_rows_that_were_stored_before_the_user_was_known_are_completed(
    client: Client, mode: str
) -> None:
    with recorded(MODE=mode):
        client.get("/late/")
        assert flush()
    rows = SignalEvent.objects.filter(origin="request", origin_name="GET /late/")
    assert {row.signal for row in rows} >= {"request_started", "pre_init", "request_finished"}
    assert {row.actor for row in rows} == {"ada"}


@pytest.mark.django_db
def test_a_user_whom_nobody_asks_for_is_not_loaded(
    client: Client, capsignals: Capture, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        client.get("/anonymous/")
    assert capsignals.names == ["request_started", "pre_init", "post_init", "request_finished"]
    assert {event.actor for event in capsignals} == {""}


@pytest.mark.django_db
@pytest.mark.parametrize("place", [0, 1, 2])
def test_it_may_stand_anywhere(client: Client, capsignals: Capture, place: int) -> None:
    middleware = AUTH.copy()
    middleware.insert(place, OWN)
    with override_settings(MIDDLEWARE=middleware):
        client.get("/known/")
    assert capsignals.filter("request_finished")[0].actor == "ada"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("url", ["/known/", "/async/"])
def test_under_asgi_all_of_a_request_is_in_one_trace(ada: User, url: str) -> None:
    async def main() -> Capture:
        client = AsyncClient()
        await client.aforce_login(ada)
        with capture_signals() as signals:
            assert (await client.get(url)).status_code == 200
        return signals

    signals = asyncio.run(main())
    assert (signals.names[0], signals.names[-1]) == ("request_started", "request_finished")
    assert {event.origin_name for event in signals} == {f"GET {url}"}
    assert len({event.trace_id for event in signals}) == 1
    assert signals[-1].actor == "ada"
    made = signals.filter("pre_init", "post_init", sender=Tag)
    assert [(event.signal, event.depth) for event in made] == [("pre_init", 1), ("post_init", 1)]


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
