"""Requests in which nothing is recorded: those of the setting, and the live page's own."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.conf.urls.i18n import i18n_patterns
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path, re_path

import signals_demo
from project.playground.models import Tag
from signals_demo import flush
from signals_demo.models import SignalEvent
from signals_demo.tracing.ignored import is_ignored
from tests.factories import UserFactory
from tests.recording import recorded
from tests.servers import serve_asgi

pytestmark = pytest.mark.django_db(transaction=True)

LIVE = "/admin/signals_demo/signalevent/live/"
POLL = f"{LIVE}events/"
HOME = str(Path(signals_demo.__file__).parent)
OWN = "signals_demo.middleware.SignalTraceMiddleware"


def anything(request: HttpRequest, **captures: Any) -> HttpResponse:
    for _ in range(int(request.GET.get("tags", 1))):
        Tag()
    return HttpResponse()


async def anything_async(request: HttpRequest) -> HttpResponse:
    Tag()
    await sync_to_async(Tag)()
    return HttpResponse()


def fails(request: HttpRequest, **captures: Any) -> HttpResponse:
    raise ZeroDivisionError


def asks_itself(request: HttpRequest, path: str) -> HttpResponse:
    Tag(name="before")
    Client().get(f"/{path}")
    Tag(name="after")
    return HttpResponse()


def streams(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        for _ in range(3):
            Tag()
            yield b"x"

    return StreamingHttpResponse(parts())


urlpatterns = [
    re_path("^fails/", fails),
    path("async/", anything_async),
    path("async/healthz", anything_async),
    path("asks/<path:path>", asks_itself),
    path("streams/", streams),
    path("admin/", admin.site.urls),
    *i18n_patterns(path("control/", admin.site.urls)),
    re_path("^.*$", anything),
]


def watchful(get_response: Any) -> Any:
    """A middleware of the project that loads the user before any view is found."""

    def middleware(request: Any) -> Any:
        str(request.user.username)
        return get_response(request)

    return middleware


MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "tests.tracing.test_ignored.watchful",
]


@pytest.fixture(autouse=True)
def _site() -> Iterator[None]:
    with (
        recorded(),
        override_settings(
            ROOT_URLCONF="tests.tracing.test_ignored",
            MIDDLEWARE=MIDDLEWARE,
            SESSION_SAVE_EVERY_REQUEST=True,
        ),
    ):
        yield


@pytest.fixture
def person() -> User:
    return UserFactory.create(is_staff=True, is_superuser=True)  # type: ignore[return-value]


@pytest.fixture
def reader(person: User, client: Client) -> Client:
    client.force_login(person)
    assert flush()
    SignalEvent.objects.all().delete()
    return client


def origins() -> list[str]:
    """Return what the log knows of: a request each, or else the process."""
    assert flush()
    # By the tests themselves: they change settings, and open the connection.
    events = SignalEvent.objects.exclude(signal__in=["setting_changed", "connection_created"])
    return sorted(set(events.values_list("origin_name", flat=True)))


def test_asking_for_news_is_no_news(reader: Client) -> None:
    for _ in range(3):
        assert reader.get(f"{POLL}?after=0").status_code == 200
    assert origins() == []


def test_what_comes_after_it_in_the_same_thread_is_recorded(reader: Client) -> None:
    reader.get(f"{POLL}?after=0")
    reader.get("/shop/")
    assert origins() == ["GET /shop/"]
    signals = set(SignalEvent.objects.values_list("signal", flat=True))
    assert {"request_started", "post_init", "request_finished"} <= signals


def test_a_poll_that_its_server_never_closes_silences_nothing_else(reader: Client) -> None:
    environ = RequestFactory().get(f"{POLL}?after=0").environ
    environ["HTTP_COOKIE"] = reader.cookies.output(header="", sep=";")
    WSGIHandler()(environ, lambda *args: None)  # its response is not closed
    reader.get("/shop/")
    assert origins() == ["GET /shop/"]
    assert SignalEvent.objects.filter(signal="request_finished").exists()
    reader.get(f"{POLL}?after=0")
    assert origins() == ["GET /shop/"]


def test_the_page_itself_and_what_is_not_asked_by_it_are_recorded(reader: Client) -> None:
    reader.get(LIVE)
    reader.post(POLL)
    reader.get("/shop" + POLL.removeprefix("/admin"))
    assert origins() == sorted(
        [f"GET {LIVE}", f"POST {POLL}", "GET /shop/signals_demo/signalevent/live/events/"]
    )


@pytest.mark.parametrize("language", ["en", "de"])
def test_an_admin_whose_address_begins_with_a_language(reader: Client, language: str) -> None:
    address = POLL.replace("/admin/", f"/{language}/control/")
    with override_settings(USE_I18N=True):
        reader.get(f"{address}?after=0", headers={"accept-language": language})
        assert is_ignored("GET", address, address)
    assert origins() == []


def test_a_site_below_a_prefix(reader: Client) -> None:
    reader.get(f"{POLL}?after=0", SCRIPT_NAME="/shop")
    assert origins() == []


def test_without_the_signals_of_requests_it_leaves_nothing_either(reader: Client) -> None:
    settings = override_settings(MIDDLEWARE=MIDDLEWARE[:3], SESSION_SAVE_EVERY_REQUEST=False)
    with recorded(SIGNALS=["pre_init", "post_init"]), settings:
        reader.get(f"{POLL}?after=0")
        assert origins() == []
        reader.get(LIVE)
        assert origins() != []


@pytest.mark.parametrize("script_name", ["", "/shop"])
def test_under_asgi(person: User, script_name: str) -> None:
    async def ask() -> None:
        client = AsyncClient(root_path=script_name)
        await client.aforce_login(person)
        assert await asyncio.to_thread(flush)
        await SignalEvent.objects.all().adelete()
        for _ in range(2):
            response = await client.get(f"{script_name}{POLL}?after=0")
            assert response["Content-Type"] == "application/json"
        await client.get(f"{script_name}/cart/")

    with override_settings(MIDDLEWARE=[OWN, *MIDDLEWARE]):
        asyncio.run(ask())
    assert origins() == [f"GET {script_name}/cart/"]
    assert "request_finished" in SignalEvent.objects.values_list("signal", flat=True)


def test_the_demo_project_asks_at_this_address() -> None:
    with override_settings(ROOT_URLCONF=django_settings.ROOT_URLCONF):
        assert is_ignored("GET", POLL, POLL)
    with override_settings(ROOT_URLCONF="project.urls"):
        assert is_ignored("GET", POLL, POLL)
        assert is_ignored("HEAD", POLL, POLL)
        assert is_ignored("HEAD", f"/shop{POLL}", POLL)
        assert not is_ignored("POST", POLL, POLL)
        assert not is_ignored("GET", LIVE, LIVE)
        assert not is_ignored("GET", f"/elsewhere{POLL}", f"/elsewhere{POLL}")


# EXCLUDE_PATHS


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/healthz", "/healthz", True),
        ("/healthz", "/healthz/", False),
        ("/healthz", "/shop/healthz", False),
        ("/healthz", "/HEALTHZ", False),
        ("/", "", True),
        ("/", "/", True),
        ("/", "/shop/", False),
        ("/static/*", "/static/", True),
        ("/static/*", "/static/css/site.css", True),
        ("/static/*", "/static", False),
        ("*.css", "/static/css/site.css", True),
        ("*.css", "/site.css/", False),
        ("*", "/anything", True),
        ("/*/healthz", "/shop/healthz", True),
        ("/*/healthz", "/healthz", False),
        ("/*/*.css", "/a/b/c.css", True),
        ("/a*b*c", "/abc", True),
        ("/a*b*c", "/acb", False),
        ("/ab*ba", "/aba", False),
        ("/a**b", "/ab", True),
        ("/[a-z]+", "/shop", False),
        ("/[a-z]+", "/[a-z]+", True),
        ("/café/*", "/café/crème", True),
    ],
)
def test_a_path_matches_a_pattern_or_not(pattern: str, path: str, expected: bool) -> None:
    with recorded(EXCLUDE_PATHS=["/other", "/others/*", pattern]):
        assert is_ignored("GET", path, path) is expected


def test_a_long_path_and_many_stars_take_no_time() -> None:
    path = "/" + "a" * 100_000
    with recorded(EXCLUDE_PATHS=["/" + "*a" * 50 + "*b"]):
        began = time.process_time()
        assert not is_ignored("GET", path, path)
        assert time.process_time() - began < 0.5


EXCLUDED = {"EXCLUDE_PATHS": ["/healthz", "/static/*"]}


@pytest.mark.parametrize("middleware", [[], [OWN]], ids=["without middleware", "with"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_nothing_of_an_excluded_request_is_recorded(
    client: Client, middleware: list[str], method: str
) -> None:
    with recorded(**EXCLUDED), override_settings(MIDDLEWARE=middleware):
        assert client.generic(method, "/healthz?full=1").status_code == 200
        client.generic(method, "/static/site.css")
        assert origins() == []
        client.generic(method, "/shop/")
        assert origins() == [f"{method} /shop/"]
        signals = SignalEvent.objects.values_list("signal", flat=True)
        assert {"request_started", "post_init", "request_finished"} <= set(signals)


def test_an_excluded_request_that_fails_is_not_recorded_and_the_next_one_is(
    client: Client,
) -> None:
    client.raise_request_exception = False
    with recorded(EXCLUDE_PATHS=["/fails/quietly/"]):
        assert client.get("/fails/quietly/").status_code == 500
        assert origins() == []
        assert client.get("/fails/").status_code == 500
    assert origins() == ["GET /fails/"]
    assert SignalEvent.objects.filter(signal="got_request_exception").count() == 1


def test_the_path_is_compared_with_its_prefix(client: Client) -> None:
    with recorded(**EXCLUDED):
        client.get("/healthz", SCRIPT_NAME="/shop")
        assert origins() == ["GET /shop/healthz"]
    with recorded(EXCLUDE_PATHS=["/shop/healthz"]):
        client.get("/healthz", SCRIPT_NAME="/shop")
        assert origins() == ["GET /shop/healthz"]
        assert SignalEvent.objects.filter(signal="request_started").count() == 1


def test_an_excluded_request_inside_another_leaves_that_one_as_it_is(client: Client) -> None:
    with recorded(**EXCLUDED):
        client.get("/asks/healthz")
    assert origins() == ["GET /asks/healthz"]
    names = SignalEvent.objects.filter(signal="pre_init").values_list("arguments", flat=True)
    assert [each["kwargs"]["name"] for each in names] == ["before", "after"]


def test_what_streams_is_not_recorded_either(client: Client) -> None:
    with recorded(EXCLUDE_PATHS=["/streams/"]):
        response = client.get("/streams/")
        assert response.getvalue() == b"xxx"  # type: ignore[attr-defined]
        client.get("/shop/")
    assert origins() == ["GET /shop/"]


def test_an_excluded_request_costs_one_call_a_firing(client: Client) -> None:
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, arg: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(HOME):
            calls[frame.f_code.co_name] += 1

    with recorded(**EXCLUDED), override_settings(MIDDLEWARE=[]):
        client.get("/healthz")
        sys.setprofile(count)
        try:
            client.get("/healthz?tags=500")
        finally:
            sys.setprofile(None)
    assert calls.pop("receive") == pytest.approx(1002, abs=10)  # two init signals a tag
    assert calls.total() < 50


def test_nothing_of_an_excluded_request_is_recorded_under_asgi() -> None:
    async def ask() -> None:
        client = AsyncClient(root_path="/shop")
        for address in ("/shop/healthz", "/shop/cart/", "/shop/healthz"):
            response = await client.get(f"{address}?full=1")
            assert response.status_code == 200

    with recorded(EXCLUDE_PATHS=["/shop/healthz"]), override_settings(MIDDLEWARE=[OWN]):
        asyncio.run(ask())
        assert origins() == ["GET /shop/cart/"]
    signals = set(SignalEvent.objects.values_list("signal", flat=True))
    assert {"request_started", "post_init", "request_finished"} <= signals


@pytest.mark.parametrize("middleware", [[], [OWN]], ids=["without middleware", "with"])
@pytest.mark.parametrize("prefix", ["", "/async"])
def test_nothing_of_an_excluded_request_is_recorded_under_an_asgi_server(
    middleware: list[str], prefix: str
) -> None:
    excluded, other = f"{prefix}/healthz", f"{prefix}/"
    with recorded(EXCLUDE_PATHS=[excluded]), override_settings(MIDDLEWARE=middleware):
        asyncio.run(serve_asgi(excluded, excluded))
        assert origins() == []
        asyncio.run(serve_asgi(excluded, other, excluded))
        assert origins() == [f"GET {other}"]
    signals = set(SignalEvent.objects.values_list("signal", flat=True))
    assert {"request_started", "post_init", "request_finished"} <= signals


def test_without_the_signals_of_requests_nothing_is_recorded_either(client: Client) -> None:
    with recorded(SIGNALS=["pre_init", "post_init"], EXCLUDE_PATHS=["/healthz"]):
        client.get("/healthz")
        asyncio.run(serve_asgi("/healthz"))
        assert origins() == []
        client.get("/shop/")
        assert origins() != []
    names = set(SignalEvent.objects.values_list("signal", flat=True))
    assert names - {"setting_changed", "connection_created"} == {"pre_init", "post_init"}
