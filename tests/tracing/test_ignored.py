"""The requests by which the live page asks for news leave nothing in the log, and only they."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.conf.urls.i18n import i18n_patterns
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path, re_path

from project.playground.models import Tag
from signals_demo import flush
from signals_demo.models import SignalEvent
from signals_demo.tracing.ignored import is_poll
from tests.factories import UserFactory
from tests.recording import recorded

pytestmark = pytest.mark.django_db(transaction=True)

LIVE = "/admin/signals_demo/signalevent/live/"
POLL = f"{LIVE}events/"
OWN = "signals_demo.middleware.SignalTraceMiddleware"


def anything(request: HttpRequest, **captures: Any) -> HttpResponse:
    Tag()
    return HttpResponse()


urlpatterns = [
    path("admin/", admin.site.urls),
    *i18n_patterns(path("control/", admin.site.urls)),
    re_path("^.*$", anything),
]


def watchful(get_response: Any) -> Any:
    """A middleware of the host's that loads the user before any view is found."""

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
    events = SignalEvent.objects.exclude(signal="setting_changed")  # by the tests themselves
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
        assert is_poll("GET", address)
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
        assert is_poll("GET", POLL)
    with override_settings(ROOT_URLCONF="project.urls"):
        assert is_poll("GET", POLL)
        assert is_poll("HEAD", POLL)
        assert not is_poll("POST", POLL)
        assert not is_poll("GET", LIVE)
        assert not is_poll("GET", f"/elsewhere{POLL}")
