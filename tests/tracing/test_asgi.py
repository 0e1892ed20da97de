"""Under an ASGI server each signal is found in its request, with and without the middleware."""

import asyncio
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from project.playground.models import Tag
from signals_demo import flush, suppress, trace
from signals_demo.models import SignalEvent
from signals_demo.tracing.scope import current_trace
from tests.recording import recorded
from tests.servers import serve_asgi

pytestmark = pytest.mark.django_db(transaction=True)

SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
AUTH = "django.contrib.auth.middleware.AuthenticationMiddleware"
OWN = "signals_demo.middleware.SignalTraceMiddleware"
INIT = [(1, "pre_init"), (1, "post_init")]
BEGIN, END = [(0, "request_started")], [(0, "request_finished")]


def sync_view(request: HttpRequest) -> HttpResponse:
    Tag()
    return HttpResponse()


async def async_view(request: HttpRequest) -> HttpResponse:
    Tag()
    await asyncio.sleep(0.01)
    await sync_to_async(Tag)()
    return HttpResponse()


async def tasks(request: HttpRequest) -> HttpResponse:
    await asyncio.gather(sync_to_async(Tag)(), asyncio.create_task(async_view(request)))
    return HttpResponse()


async def asks(request: HttpRequest) -> HttpResponse:
    Tag()
    await AsyncClient().get("/async/")
    await sync_to_async(Client().get)("/sync/")
    Tag()
    return HttpResponse()


async def blocks(request: HttpRequest) -> HttpResponse:
    with trace("inside"):
        await async_view(request)
    Tag()
    return HttpResponse()


def reads_user(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.user.pk)


async def reads_user_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse((await request.auser()).pk)


def fails(request: HttpRequest) -> HttpResponse:
    Tag()
    raise ZeroDivisionError


urlpatterns = [
    path("sync/", sync_view),
    path("async/", async_view),
    path("tasks/", tasks),
    path("asks/", asks),
    path("blocks/", blocks),
    path("fails/", fails),
    path("user/", reads_user),
    path("auser/", reads_user_async),
]


@pytest.fixture(autouse=True, params=[[], [OWN]], ids=["without middleware", "with"])
def site(request: pytest.FixtureRequest) -> Iterator[None]:
    with (
        recorded(FOLD_AFTER=None),
        override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=request.param),
    ):
        yield


def shapes_of(name: str) -> list[list[tuple[int, str]]]:
    """Return depth and signal of the events of each trace of this name."""
    assert flush()
    rows = SignalEvent.objects.filter(origin_name=name).exclude(signal="connection_created")
    traces: dict[str, list[tuple[int, str]]] = {}
    for row in rows.order_by("position"):
        traces.setdefault(row.trace_id, []).append((row.depth, row.signal))
    return list(traces.values())


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("/sync/", INIT),
        ("/async/", INIT * 2),
        ("/tasks/", INIT * 3),
        ("/blocks/", INIT),
    ],
)
def test_what_a_view_fires_belongs_to_its_request(
    address: str, inside: list[tuple[int, str]]
) -> None:
    before = current_trace()
    asyncio.run(serve_asgi(address, address))
    shape = BEGIN + inside + END
    assert [sorted(found) for found in shapes_of(f"GET {address}")] == [sorted(shape)] * 2
    assert current_trace() is before


@override_settings(MIDDLEWARE=[OWN])  # before Django 6.1 this needs it
def test_requests_in_a_request_are_traces_of_their_own() -> None:
    asyncio.run(serve_asgi("/asks/"))
    assert shapes_of("GET /asks/") == [BEGIN + INIT * 2 + END]
    assert shapes_of("GET /sync/") == [BEGIN + INIT + END]
    assert shapes_of("GET /async/") == [BEGIN + INIT * 2 + END]


def test_requests_at_the_same_time_do_not_mix() -> None:
    async def main() -> None:
        await asyncio.gather(*(serve_asgi("/async/") for _ in range(5)), serve_asgi("/sync/"))

    asyncio.run(main())
    assert shapes_of("GET /async/") == [BEGIN + INIT * 2 + END] * 5
    assert shapes_of("GET /sync/") == [BEGIN + INIT + END]


def test_an_exception_belongs_to_its_request() -> None:
    asyncio.run(serve_asgi("/fails/", status=500))
    [found] = shapes_of("GET /fails/")
    assert (1, "got_request_exception") in found
    assert found[:3] == BEGIN + INIT
    assert found[-1:] == END


def test_what_comes_after_a_request_is_not_its_own() -> None:
    async def main() -> None:
        await serve_asgi("/sync/")
        Tag()

    asyncio.run(main())
    assert shapes_of("GET /sync/") == [BEGIN + INIT + END]


def test_a_client_that_goes_away_ends_its_request() -> None:
    asyncio.run(serve_asgi("/async/", stays=False))
    [found] = shapes_of("GET /async/")
    assert found[:1] == BEGIN
    assert found[-1:] == END
    assert found.count(END[0]) == 1


@pytest.mark.parametrize(
    ("address", "middleware"), [("/user/", []), ("/user/", [OWN]), ("/auser/", [OWN])]
)
def test_the_user_whom_a_view_loads_is_the_actor(address: str, middleware: list[str]) -> None:
    with suppress():
        user = User.objects.create_user("ada")
        client = Client()
        client.force_login(user)
    cookie = client.cookies.output(header="", sep=";").encode()
    with override_settings(MIDDLEWARE=[*middleware, SESSIONS, AUTH]):
        asyncio.run(serve_asgi(address, headers=[(b"cookie", cookie)]))
    assert flush()
    actors = SignalEvent.objects.filter(origin_name=f"GET {address}").values_list("actor")
    assert set(actors) == {("ada",)}
