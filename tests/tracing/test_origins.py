"""Where a unit of work came from: requests and their clients, and the process itself."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import login, logout
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path

from project.playground.models import Tag
from signals_demo import flush, suppress, trace
from signals_demo.models import SignalEvent
from signals_demo.tracing.origins import asgi_trace, client_address, process_trace, wsgi_trace
from signals_demo.tracing.scope import current_trace
from tests.recording import Project, recorded

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"
SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
AUTH = "django.contrib.auth.middleware.AuthenticationMiddleware"


# The client's address


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "address"),
    [
        # Nobody is trusted: what the header says counts for nothing.
        (0, "203.0.113.7", "", "203.0.113.7"),
        (0, "203.0.113.7", "10.0.0.1", "203.0.113.7"),
        (0, "2001:db8::1", "", "2001:db8::1"),
        (0, "2001:DB8:0:0::1", "", "2001:db8::1"),
        (0, "", "10.0.0.1", ""),
        (0, "unix:", "", ""),
        # One proxy: the last entry is what it saw; those before it anyone may have sent.
        (1, "10.0.0.1", "203.0.113.7", "203.0.113.7"),
        (1, "10.0.0.1", "1.1.1.1, 203.0.113.7", "203.0.113.7"),
        (1, "10.0.0.1", "1.1.1.1,2.2.2.2,203.0.113.7 ", "203.0.113.7"),
        (1, "10.0.0.1", "", "10.0.0.1"),
        (1, "", "203.0.113.7", "203.0.113.7"),
        # Two proxies: the last but one.
        (2, "10.0.0.1", "203.0.113.7, 10.0.0.2", "203.0.113.7"),
        (2, "10.0.0.1", "1.1.1.1, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
        (2, "10.0.0.1", "1.1.1.1", "10.0.0.1"),  # too few: it came by another way
        # Ports, brackets, and what is no address.
        (1, "10.0.0.1", "203.0.113.7:4711", "203.0.113.7"),
        (1, "10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        (1, "10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
        (1, "10.0.0.1", "2001:db8::1", "2001:db8::1"),
        (0, "::ffff:203.0.113.7", "", "203.0.113.7"),
        (0, "::ffff:cb00:7107", "", "203.0.113.7"),
        (1, "10.0.0.1", "::ffff:203.0.113.7", "203.0.113.7"),
        (1, "10.0.0.1", "[::ffff:203.0.113.7]:4711", "203.0.113.7"),
        (0, "::203.0.113.7", "", "::cb00:7107"),  # another form, which is IPv6
        (1, "10.0.0.1", "unknown", "10.0.0.1"),
        (1, "10.0.0.1", "_hidden", "10.0.0.1"),
        (1, "10.0.0.1", "203.0.113.7,", "10.0.0.1"),
        (1, "10.0.0.1", "999.1.1.1", "10.0.0.1"),
        (1, "10.0.0.1", "<script>", "10.0.0.1"),
        (1, "10.0.0.1", "1.1.1.1:2:3", "10.0.0.1"),
        (1, "10.0.0.1", "," * 10_000, "10.0.0.1"),
    ],
)
def test_the_address_is_the_entry_of_the_farthest_proxy_that_is_trusted(
    proxies: int, peer: str, forwarded: str, address: str
) -> None:
    with recorded(TRUSTED_PROXIES=proxies):
        assert client_address(peer, forwarded) == address


def test_addresses_can_be_left_out() -> None:
    with recorded(REMOTE_ADDRESS=False, TRUSTED_PROXIES=1):
        environ = {"REMOTE_ADDR": "203.0.113.7", "HTTP_X_FORWARDED_FOR": "203.0.113.7"}
        assert wsgi_trace(environ).remote_address == ""
        assert asgi_trace({"client": ("203.0.113.7", 4711), "headers": []}).remote_address == ""


def test_both_kinds_of_server_give_the_address() -> None:
    headers = [(b"x-forwarded-for", b"1.1.1.1"), (b"x-forwarded-for", b"203.0.113.7")]
    with recorded(TRUSTED_PROXIES=1):
        environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "1.1.1.1, 203.0.113.7"}
        assert wsgi_trace(environ).remote_address == "203.0.113.7"
        scope = {"client": ("10.0.0.1", 4711), "headers": headers}
        assert asgi_trace(scope).remote_address == "203.0.113.7"
    assert asgi_trace({"client": None, "headers": []}).remote_address == ""
    assert wsgi_trace({}).remote_address == ""


# The request


def test_a_request_is_named_by_its_method_and_path() -> None:
    environ = {"REQUEST_METHOD": "POST", "SCRIPT_NAME": "/shop", "PATH_INFO": "/caf\xc3\xa9/"}
    unit = wsgi_trace(environ | {"QUERY_STRING": "password=secret"})
    assert (unit.origin, unit.origin_name) == ("request", "POST /shop/café/")
    assert asgi_trace({"method": "GET", "path": "/café/"}).origin_name == "GET /café/"
    assert wsgi_trace({"REQUEST_METHOD": "GET"}).origin_name == "GET /"
    long = wsgi_trace({"REQUEST_METHOD": "GET", "PATH_INFO": "/x" * 5000}).origin_name
    assert len(long) <= 255


def test_a_traceparent_is_adopted_from_either_kind_of_server() -> None:
    headers = [(b"traceparent", TRACEPARENT.encode())]
    with recorded(TRUST_TRACEPARENT=True):
        assert wsgi_trace({"HTTP_TRACEPARENT": TRACEPARENT}).trace_id == TRACE_ID
        assert asgi_trace({"headers": headers}).trace_id == TRACE_ID
        made_up = asgi_trace({"headers": headers * 2}).trace_id  # two contradict each other
        assert made_up != TRACE_ID
        assert len(made_up) == 32


@pytest.mark.parametrize(
    ("trusted", "peer", "is_adopted"),
    [
        (False, "10.0.0.1", False),
        (True, "203.0.113.7", True),
        (["10.0.0.0/8"], "10.0.0.1", True),
        (["10.0.0.0/8"], "::ffff:10.0.0.1", True),
        (["10.0.0.0/8"], "203.0.113.7", False),
        (["203.0.113.7", "2001:db8::/32"], "2001:db8::1", True),
        (["10.0.0.0/8"], "", False),
        (["unix"], "", True),
        (["unix"], "10.0.0.1", False),
        ([], "10.0.0.1", False),
    ],
)
def test_a_traceparent_is_believed_from_whom_the_setting_says(
    trusted: object, peer: str, is_adopted: bool
) -> None:
    with recorded(TRUST_TRACEPARENT=trusted):
        environ = {"HTTP_TRACEPARENT": TRACEPARENT, "REMOTE_ADDR": peer}
        assert (wsgi_trace(environ).trace_id == TRACE_ID) is is_adopted
        scope = {"headers": [(b"traceparent", TRACEPARENT.encode())], "client": (peer, 1)}
        assert (asgi_trace(scope).trace_id == TRACE_ID) is is_adopted


@pytest.mark.parametrize("bad", ["", "junk", TRACEPARENT.upper(), "\udcff", "é" * 55])
def test_with_a_bad_traceparent_a_request_has_an_id_of_its_own(bad: str) -> None:
    with recorded(TRUST_TRACEPARENT=True):
        assert wsgi_trace({"HTTP_TRACEPARENT": bad}).trace_id not in ("", TRACE_ID)


# Through Django


def tagged(request: HttpRequest) -> HttpResponse:
    Tag()
    return HttpResponse()


def log_in(request: HttpRequest) -> HttpResponse:
    login(request, User.objects.get(username="ada"))
    Tag()
    return HttpResponse()


def log_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return HttpResponse()


def looks(request: HttpRequest) -> HttpResponse:
    str(request.user.pk)
    Tag()
    return HttpResponse()


def blocks(request: HttpRequest) -> HttpResponse:
    Tag(name="before")
    with trace("inside", actor="robot") as unit:
        Tag(name="inside")
    Tag(name="after")
    return HttpResponse(unit.trace_id)


def asks_itself(request: HttpRequest) -> HttpResponse:
    Tag(name="before")
    Client().get("/tagged/")
    Tag(name="after")
    return HttpResponse()


async def asks_itself_async(request: HttpRequest) -> HttpResponse:
    Tag(name="before")
    await AsyncClient().get("/tagged/")
    Tag(name="after")
    return HttpResponse()


def streams(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        for number in range(3):
            Tag(name=str(number))
            yield b"x"

    return StreamingHttpResponse(parts())


def fails(request: HttpRequest) -> HttpResponse:
    Tag()
    raise ZeroDivisionError("divided by nothing")


urlpatterns = [
    path("tagged/", tagged),
    path("login/", log_in),
    path("logout/", log_out),
    path("looks/", looks),
    path("blocks/", blocks),
    path("itself/", asks_itself),
    path("itself-async/", asks_itself_async),
    path("streams/", streams),
    path("fails/", fails),
]


def rows_of(path: str) -> list[SignalEvent]:
    assert flush()
    found = SignalEvent.objects.filter(origin_name=f"GET {path}").exclude(
        signal="connection_created"
    )
    return list(found.order_by("occurred_at", "sequence"))


def shape(rows: list[SignalEvent]) -> list[tuple[int, str]]:
    return [(row.depth, row.signal) for row in rows]


INIT = [(1, "pre_init"), (1, "post_init")]


@pytest.fixture
def ada() -> User:
    with suppress():
        return User.objects.create_user("ada", password="secret")


@pytest.mark.django_db(transaction=True)
class TestRequests:
    @pytest.fixture(autouse=True)
    def site(self) -> Iterator[None]:
        with override_settings(
            ROOT_URLCONF=__name__, MIDDLEWARE=[SESSIONS, AUTH], ALLOWED_HOSTS=["testserver"]
        ):
            yield

    def test_a_request_reaches_from_its_first_signal_to_its_last(self) -> None:
        with recorded(TRUST_TRACEPARENT=True):
            Client().get("/tagged/", headers={"traceparent": TRACEPARENT})
        rows = rows_of("/tagged/")
        assert shape(rows) == [(0, "request_started"), *INIT, (0, "request_finished")]
        assert {row.trace_id for row in rows} == {TRACE_ID}
        assert {row.remote_address for row in rows} == {"127.0.0.1"}
        assert [row.position for row in rows] == [1, 2, 3, 4]
        assert rows[-1].duration is not None

    def test_two_requests_are_two_traces_and_nothing_is_left_of_them(self) -> None:
        before = current_trace()
        for _ in range(2):
            Client().get("/tagged/")
        assert len({row.trace_id for row in rows_of("/tagged/")}) == 2
        assert current_trace() is before

    def test_an_exception_belongs_to_its_request(self) -> None:
        Client(raise_request_exception=False).get("/fails/")
        rows = rows_of("/fails/")
        signals = [row.signal for row in rows]
        assert signals[0] == "request_started"
        assert signals[-1] == "request_finished"
        (row,) = (row for row in rows if row.signal == "got_request_exception")
        assert row.depth == 1
        assert row.exception == "ZeroDivisionError: divided by nothing"
        assert rows[-1].depth == 0

    def test_what_streams_belongs_to_its_request(self) -> None:
        with recorded(FOLD_AFTER=None):
            response = Client().get("/streams/")
            assert response.getvalue() == b"xxx"
        assert shape(rows_of("/streams/")) == [
            (0, "request_started"),
            *INIT * 3,
            (0, "request_finished"),
        ]

    def test_a_block_in_a_request_and_back(self) -> None:
        response = Client().get("/blocks/")
        inside = SignalEvent.objects.in_trace(response.content.decode())
        names = [
            row.arguments["kwargs"]["name"]
            for row in rows_of("/blocks/")
            if row.signal == "pre_init"
        ]
        assert names == ["before", "after"]
        assert [(row.signal, row.actor, row.depth) for row in inside] == [
            ("pre_init", "robot", 0),
            ("post_init", "robot", 0),
        ]

    def test_a_test_client_in_a_view_makes_a_request_of_its_own(self) -> None:
        Client().get("/itself/")
        outer, inner = rows_of("/itself/"), rows_of("/tagged/")
        assert shape(outer) == [(0, "request_started"), *INIT * 2, (0, "request_finished")]
        assert shape(inner) == [(0, "request_started"), *INIT, (0, "request_finished")]
        assert len({row.trace_id for row in outer}) == 1
        assert outer[-1].duration > inner[-1].duration

    @override_settings(MIDDLEWARE=["signals_demo.middleware.SignalTraceMiddleware"])
    def test_an_async_client_in_an_async_view_as_well(self) -> None:
        async def main() -> None:
            await AsyncClient().get("/itself-async/")

        asyncio.run(main())
        outer, inner = rows_of("/itself-async/"), rows_of("/tagged/")
        assert shape(outer) == [(0, "request_started"), *INIT * 2, (0, "request_finished")]
        assert shape(inner) == [(0, "request_started"), *INIT, (0, "request_finished")]
        assert outer[-1].duration is not None
        assert inner[-1].duration is not None

    def test_a_response_that_nobody_closes_does_not_reach_into_the_next_request(self) -> None:
        environ = RequestFactory().get("/tagged/").environ
        WSGIHandler()(environ, lambda status, headers: None)  # type: ignore[arg-type]
        environ = RequestFactory().get("/looks/").environ
        with closing(WSGIHandler()(environ, lambda status, headers: None)):  # type: ignore[arg-type]
            pass
        Client().get("/blocks/")
        assert shape(rows_of("/tagged/")) == [(0, "request_started"), *INIT]
        for path_ in ("/looks/", "/blocks/"):
            rows = rows_of(path_)
            assert (rows[0].signal, rows[-1].signal) == ("request_started", "request_finished")
            assert {row.depth for row in rows} == {0, 1}
            assert len({row.trace_id for row in rows}) == 1
        assert current_trace() is None or current_trace().origin != "request"  # type: ignore[union-attr]

    # Actors, without the middleware

    def test_a_login_names_the_actor_from_there_on(self, ada: User) -> None:
        Client().get("/login/")
        rows = rows_of("/login/")
        (row,) = (row for row in rows if row.signal == "user_logged_in")
        assert (row.actor, row.actor_pk) == ("ada", str(ada.pk))
        assert rows[-1].actor == "ada"

    def test_a_logout_names_who_left(self, ada: User) -> None:
        client = Client()
        with suppress():
            client.force_login(ada)
        client.get("/logout/")
        rows = rows_of("/logout/")
        (row,) = (row for row in rows if row.signal == "user_logged_out")
        assert row.actor == "ada"

    def test_a_failed_login_names_nobody(self, ada: User) -> None:
        with trace("failing") as unit:
            assert not Client().login(username="ada", password="guessed")
        assert flush()
        (row,) = SignalEvent.objects.filter(signal="user_login_failed", trace_id=unit.trace_id)
        assert (row.actor, row.actor_pk) == ("", "")
        assert "guessed" not in str(row.arguments)

    def test_a_user_whom_the_view_loads_is_the_actor(self, ada: User) -> None:
        client = Client()
        with suppress():
            client.force_login(ada)
        client.get("/looks/")
        rows = [row for row in rows_of("/looks/") if row.sender == "playground.Tag"]
        assert {(row.actor, row.actor_pk) for row in rows} == {("ada", str(ada.pk))}

    def test_a_user_whom_nobody_asks_for_is_not_loaded(
        self, ada: User, django_assert_num_queries: Any
    ) -> None:
        client = Client()
        with suppress():
            client.force_login(ada)
        with django_assert_num_queries(0):
            client.get("/tagged/")
        assert {row.actor for row in rows_of("/tagged/")} == {""}


# The process


def test_outside_any_unit_the_process_is_named_once() -> None:
    first, second = process_trace(), process_trace()
    assert first.origin == second.origin == "test"
    assert first.origin_name == second.origin_name
    assert first.trace_id != second.trace_id


@pytest.mark.processes
def test_a_process_that_a_test_starts_is_no_test(tmp_path: Path) -> None:
    """Not even under pytest-xdist, whose variables it inherits."""
    code = "from signals_demo.tracing.origins import process_trace\nprint(process_trace().origin)"
    done = Project.make(tmp_path).run(code, PYTEST_XDIST_WORKER="gw0", PYTEST_VERSION="9")
    assert done.stdout == "process\n"
