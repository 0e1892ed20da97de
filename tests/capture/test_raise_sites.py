"""Where an exception came up that became an answer 500: the project's line nearest to it."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.template import Context, Engine
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from project.playground.models import Author
from signals_demo import flush
from signals_demo.sinks.memory import MemorySink
from tests.recording import MEMORY, recorded

pytestmark = pytest.mark.django_db(transaction=True)
HERE = "tests/capture/test_raise_sites.py"


@pytest.fixture(autouse=True)
def _in_memory() -> Iterator[None]:
    with recorded(SINKS=MEMORY):
        yield


def divide() -> float:
    return 1 / 0


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse(divide())


async def in_async_code(request: HttpRequest) -> HttpResponse:
    return HttpResponse(divide())


async def in_a_thread(request: HttpRequest) -> HttpResponse:
    return HttpResponse(await sync_to_async(divide)())


def chained(request: HttpRequest) -> HttpResponse:
    try:
        divide()
    except ZeroDivisionError as error:
        raise LookupError("no") from error
    return HttpResponse()


def raised_again(request: HttpRequest) -> HttpResponse:
    try:
        return HttpResponse(divide())
    except ZeroDivisionError:
        raise


def in_the_library(request: HttpRequest) -> HttpResponse:
    os.listdir("/nowhere/at/all")
    return HttpResponse()


def in_the_database(request: HttpRequest) -> HttpResponse:
    return HttpResponse(Author.objects.get(pk=-1))


class Torn:
    def read(self) -> str:
        return str(divide())


def in_a_template(request: HttpRequest) -> HttpResponse:
    template = Engine().from_string("{{ torn.read }}")
    return HttpResponse(template.render(Context({"torn": Torn()})))


def fine(request: HttpRequest) -> HttpResponse:
    return HttpResponse("fine")


def failing(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> HttpResponse:
        if "fine" in request.path:
            divide()
        return get_response(request)

    return middleware


VIEWS = (
    *(plain, in_async_code, in_a_thread, chained, raised_again, in_the_library, in_the_database),
    *(in_a_template, fine),
)
urlpatterns = [path(f"{view.__name__}/", view) for view in VIEWS]
DIVIDE = f"{HERE}:{divide.__code__.co_firstlineno + 1} in divide"
EXPECTED = {
    "plain": DIVIDE,
    "in_async_code": DIVIDE,
    "in_a_thread": DIVIDE,
    "chained": f"{HERE}:{chained.__code__.co_firstlineno + 4} in chained",
    "raised_again": DIVIDE,
    "in_the_library": f"{HERE}:{in_the_library.__code__.co_firstlineno + 1} in in_the_library",
    "in_the_database": f"{HERE}:{in_the_database.__code__.co_firstlineno + 1} in in_the_database",
    "in_a_template": DIVIDE,
    "fine": DIVIDE,
}


def raised_at() -> str:
    flush()
    rows = [row for row in MemorySink.rows if row.signal == "got_request_exception"]
    return rows[-1].call_site


@pytest.mark.parametrize("name", EXPECTED)
def test_the_line_is_the_projects_nearest_one(name: str) -> None:
    from django.conf import settings

    middleware = [*settings.MIDDLEWARE, f"{__name__}.failing"]
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=middleware):
        Client(raise_request_exception=False).get(f"/{name}/")
    assert raised_at() == EXPECTED[name]


@pytest.mark.parametrize("name", ["plain", "in_async_code", "in_a_thread", "chained"])
def test_the_line_is_known_under_asgi(name: str) -> None:
    with override_settings(ROOT_URLCONF=__name__):
        async_to_sync(AsyncClient(raise_request_exception=False).get)(f"/{name}/")
    assert raised_at() == EXPECTED[name]


def test_without_call_sites_there_is_none() -> None:
    with recorded(SINKS=MEMORY, CALL_SITES=False), override_settings(ROOT_URLCONF=__name__):
        Client(raise_request_exception=False).get("/plain/")
        assert raised_at() == ""
