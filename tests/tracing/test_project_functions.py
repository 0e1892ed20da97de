"""`ACTOR` and `CLIENT_ADDRESS`: functions of the project that say who it was, and from where."""

import asyncio
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from project.playground.models import Tag
from signals_demo import flush, suppress
from signals_demo.models import SignalEvent
from signals_demo.tracing import project_functions
from tests.recording import recorded
from tests.servers import serve_asgi

pytestmark = pytest.mark.django_db(transaction=True)

OWN = "signals_demo.middleware.SignalTraceMiddleware"
calls: list[tuple[Any, int]] = []
answer: Any = None
read_body: list[bytes] = []


def give(request: HttpRequest) -> Any:
    calls.append((request, threading.get_ident()))
    if isinstance(answer, Exception):
        raise answer
    return answer(request) if callable(answer) else answer


def view(request: HttpRequest) -> HttpResponse:
    if request.GET.get("early"):
        assert flush()
    Tag.objects.create(name=uuid.uuid4().hex)
    request.client_name = "set by the view"  # type: ignore[attr-defined]
    Tag.objects.create(name=uuid.uuid4().hex)
    read_body.append(request.body)
    return HttpResponse()


urlpatterns = [path("view/", view)]


@pytest.fixture(autouse=True, params=[[], [OWN]], ids=["without middleware", "with"])
def site(request: pytest.FixtureRequest) -> Iterator[None]:
    global answer
    middleware = [
        *request.param,
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
    calls.clear()
    read_body.clear()
    answer = None
    project_functions._reported.clear()
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=middleware):
        yield


def actors() -> set[tuple[str, str]]:
    assert flush()
    rows = SignalEvent.objects.filter(origin_name__endswith=" /view/")
    return set(rows.values_list("actor_pk", "actor"))


def addresses() -> set[str]:
    assert flush()
    rows = SignalEvent.objects.filter(origin_name__endswith=" /view/")
    return set(rows.values_list("remote_address", flat=True))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("cron", ("", "cron")),
        (("7", "ada"), ("7", "ada")),
        ((7, "ada"), ("7", "ada")),
        ((uuid.UUID(int=7), None), (str(uuid.UUID(int=7)), "")),
        (User(pk=7, username="ada"), ("7", "ada")),
        (lambda request: request.headers["x-client"], ("", "importer")),
        (lambda request: request.client_name, ("", "set by the view")),
    ],
)
@pytest.mark.parametrize("address", ["/view/", "/view/?early=1"])
def test_all_of_a_request_has_the_actor_that_the_project_names(
    given: Any, expected: tuple[str, str], address: str
) -> None:
    global answer
    answer = given
    with recorded(ACTOR=f"{__name__}.give"):
        Client().get(address, headers={"x-client": "importer"})
        assert actors() == {expected}
    assert [thread for _request, thread in calls] == [threading.get_ident()]


@pytest.mark.parametrize("given", [None, "", ("", ""), (None, None)])
def test_without_an_answer_it_is_the_user_of_the_request(given: Any) -> None:
    global answer
    answer = given
    with suppress():
        ada = User.objects.create_user("ada")
    client = Client()
    with suppress():
        client.force_login(ada)
    with recorded(ACTOR=f"{__name__}.give"):
        client.get("/view/")
        assert {pk for pk, _name in actors()} == {str(ada.pk)}
    assert len(calls) == 1


@pytest.mark.parametrize(
    "given", [ValueError("no"), 7, ["a", "b"], ("a",), ("a", "b", "c"), ([], "x"), True], ids=str
)
def test_a_function_that_fails_is_logged_once_and_changes_nothing(
    given: Any, caplog: pytest.LogCaptureFixture
) -> None:
    global answer
    answer = given
    with recorded(ACTOR=f"{__name__}.give"):
        for _ in range(3):
            assert Client().get("/view/").status_code == 200
        assert actors() == {("", "")}
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "SIGNALS_DEMO['ACTOR']" in caplog.text
    assert len(calls) == 3


def test_a_function_that_is_not_there_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with recorded(ACTOR="nowhere.who", CLIENT_ADDRESS="nowhere.where"):
        assert Client().get("/view/").status_code == 200
        assert actors() == {("", "")}
        assert addresses() == {""}
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        (lambda request: request.META["HTTP_CF_CONNECTING_IP"], "198.51.100.9"),
        (None, ""),
        ("not an address", ""),
        (7, ""),
        (ValueError("no"), ""),
    ],
)
def test_the_address_that_the_project_gives(given: Any, expected: str) -> None:
    global answer
    answer = given
    with recorded(CLIENT_ADDRESS=f"{__name__}.give"):
        Client().get("/view/", headers={"cf-connecting-ip": "198.51.100.9"})
        assert addresses() == {expected}
    assert len(calls) == 1


def test_the_body_is_left_to_the_view() -> None:
    global answer
    answer = lambda request: request.body.decode() or "203.0.113.7"  # noqa: E731
    with recorded(CLIENT_ADDRESS=f"{__name__}.give"):
        Client().post("/view/", data=b"body", content_type="text/plain")
        assert addresses() == {"203.0.113.7"}
    assert read_body == [b"body"]


def test_no_address_is_asked_for_if_none_is_recorded() -> None:
    with recorded(CLIENT_ADDRESS=f"{__name__}.give", REMOTE_ADDRESS=False):
        Client().get("/view/")
    assert calls == []


def test_under_asgi_as_well() -> None:
    global answer
    answer = "203.0.113.7"
    with recorded(ACTOR=f"{__name__}.give", CLIENT_ADDRESS=f"{__name__}.give"):
        asyncio.run(serve_asgi("/view/"))
        assert actors() == {("", "203.0.113.7")}
        assert addresses() == {"203.0.113.7"}
    assert len(calls) == 2
