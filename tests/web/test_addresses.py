"""Any address of the log gets a page or a clear refusal; who may see the pages."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_from_bytes

import hypothesis
import pytest
from django.contrib import admin
from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR
from django.contrib.admin.views import main
from django.contrib.auth.models import Permission
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.test import Client
from django.test.utils import modify_settings
from hypothesis import example, given
from hypothesis import strategies as st

from project.playground.models import Author, Book
from signals_demo.factories import SignalEventFactory, checkout_trace
from signals_demo.models import SignalEvent
from signals_demo.query.filters import FILTERS
from signals_demo.query.selection import LAYOUT
from signals_demo.tracing.ignored import NAME as POLL
from signals_demo.web.base_page import full_name
from signals_demo.web.pages import PAGES
from tests.factories import UserFactory
from tests.web.test_change_list import LIST

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_made_events")]

KEY = 1_000_000
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CAPTURED = {"actor_pk": str(KEY), "trace_id": TRACE, "object_id": str(KEY)}
"""What there is in the log of these tests of all that the routes capture."""

ROUTES = {
    (each.name or "event").removeprefix(full_name("")): f"{LIST}{each.pattern}"
    for each in admin.site.get_model_admin(SignalEvent).get_urls()
} | {"history_of_an_object": "/admin/playground/book/<path:object_id>/history/"}
"""Every address: those of the table of pages, the admin's own, and that of the mixin."""

OF_NOBODY = ("add", "delete")
SHOWN = [name for name in ROUTES if name not in OF_NOBODY]
CAPTURE = re.compile(r"<\w+:(\w+)>")

# What goes into an address.

NAMES = sorted(
    {
        *FILTERS, *LAYOUT,
        *(getattr(main, name) for name in dir(main) if name.endswith(("_VAR", "_FLAG"))),
        IS_POPUP_VAR, TO_FIELD_VAR,
        "id", "pk__in", "signal__regex", "signal__isnull", "sender__gt", "recorder",
        "arguments__a__b", "occurred_at__year", "__", "a[]", "\0", "\u202e",
    }
)  # fmt: skip
"""What the list and its filters know, and what nothing knows."""

TEXTS = [
    # numbers and places
    "", " ", "0", "1", "-1", "+1", "1.5", "1e9", "1e999", "NaN", "inf", "0x10", "1_000", "٣", "²",
    "2147483648", "9223372036854775808", "9" * 30, "9" * 4000, "1.2.3", "-1.-2", "1,2-3", "1,3-2",
    "1-2-3", "0-0-0", f"{'9' * 17}-0", "1-9", "1-2", f"{'9' * 18}-{'9' * 18}", "٣-٣",
    # times
    "0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01", "2026-02-30", "2026-W01", "24:00",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-14:00", "2026-01-01T00:00:00Z",
    "2026-01-01T00:00+99:99", "2026-01-01/2026-02-01", "2026-01-01T00:00Z/2026-02-01T00:00Z",
    "0001-01-01T00:00+14:00/9999-12-31T23:59-14:00", "/", "24h", "999999999w", "1h/2h", "5m",
    # what means something elsewhere
    "../../etc/passwd", "..", "//evil.example/", "a\r\nSet-Cookie: a=b", "\t", "\n", "\0", "a\0b",
    "'", '"', "`", "\\", "' OR 1=1--", "'; DROP TABLE x", "%s", "%(x)s", "%", "%%", "{0}", "{x}",
    "{{ x }}", "{% x %}", "<script>alert(1)</script>", '"><img src=x onerror=a>', "javascript:a",
    "None", "True", "null", "[]", "{}", "(", "[", "*", "?", "#", "&", "=", "_", "_zz", "_00", "__",
    # characters
    "\u202ex", "\u200b", "\ufeff", "\u2028", "\x1b[31m", "\x9b31m", "💩", "e\u0301", "\ufffe",
    "x" * 4000,
    # what the log knows, and nearly
    "auth.User", "auth.User 5", "auth.User \0", "auth.user 5", "auth.", ".User", "a.b", "a.b.c",
    "post_save", "post_sav", "csv", "jsonl", "id", "all", "admin", "changes", "model", "request",
    "…", "…" * 40, "GET /…/", "/…" * 2000, "/…a…a…/", "/…/[", "…\n/…/\\", "committed",
    TRACE, TRACE.upper(), f"00-{TRACE}-00f067aa0ba902b7-01", "0" * 32,
]  # fmt: skip
NOT_UTF8 = [b"\xff", b"\xed\xa0\x80", b"\xed\xb0\x80x", b"\xc0\x80", b"\xf4\x90\x80\x80"]
NASTY = [text.encode() for text in TEXTS] + NOT_UTF8


def encoded(value: bytes) -> str:
    return quote_from_bytes(value, safe="")


def address(name: str, **captured: bytes) -> str:
    """Return the path of a page; for captures that are not given, of what there is in the log."""

    def capture(found: re.Match[str]) -> str:
        return encoded(captured.get(found[1], CAPTURED.get(found[1], "1").encode()))

    return CAPTURE.sub(capture, ROUTES[name])


def queries(names: list[str]) -> st.SearchStrategy[str]:
    """Return what makes queries, half of them of the names that a page itself looks for."""
    text = st.text().map(str.encode)
    known = [st.sampled_from([name.encode() for name in some]) for some in (names, NAMES) if some]
    nasty = st.sampled_from(NASTY)
    pair = st.tuples(st.one_of(*known, text), st.one_of(nasty, nasty, text, st.binary()))
    pairs = st.lists(pair.map(lambda each: "=".join(map(encoded, each))), min_size=1, max_size=4)
    return pairs.map("&".join) | st.text(st.characters(min_codepoint=32, max_codepoint=126))


def tries(number: int) -> Any:
    """Return how hard to try; always the same, so that a test fails for everybody or nobody."""
    return hypothesis.settings(max_examples=number, derandomize=True, database=None, deadline=None)


# Which names a page knows, only the page can say.

asked_for: set[str] = set()


class Noting(QueryDict):
    """A query that notes which names somebody looks for in it."""

    def __getitem__(self, name: str) -> Any:
        asked_for.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        asked_for.add(str(name))
        return super().__contains__(name)

    def getlist(self, name: str, default: Any = None) -> Any:
        asked_for.add(name)
        return super().getlist(name, default)


def note_names(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Any:
    def middleware(request: HttpRequest) -> HttpResponseBase:
        request.GET = Noting(request.META["QUERY_STRING"])
        return get_response(request)

    return middleware


def names_of(client: Client, name: str, **captured: bytes) -> list[str]:
    """Return the names that a page itself looks for in its address."""
    asked_for.clear()
    noting = Client()  # for a client loads its middleware once
    noting.cookies = client.cookies
    with modify_settings(MIDDLEWARE={"append": f"{__name__}.note_names"}):
        noting.get(address(name, **captured))
    return sorted(asked_for)


@pytest.fixture
def log(client: Client) -> Client:
    """Log in as somebody who may read the log and look at books, with something to be found."""
    fill()
    client.force_login(somebody("view_signalevent", "view_book"))
    return client


def fill() -> None:
    book = Book.objects.create(pk=KEY, title="Salt", author=Author.objects.create(name="Ada"))
    SignalEventFactory.create(pk=KEY, sender="playground.Book", object_pk=str(book.pk))
    checkout_trace(UserFactory.create(pk=KEY), trace_id=TRACE)


def somebody(*permissions: str, **fields: Any) -> Any:
    user = UserFactory.create(is_staff=True, **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


# Any address


def check(name: str, response: Any) -> None:
    """Fail unless an answer is a page, a text, a refusal, or the admin's way to another page."""
    text = (b"".join(response) if response.streaming else response.content).decode()
    if response.status_code in (301, 302):
        if name == "changelist":
            assert response.url in ("?e=1", f"{LIST}?e=1")
        else:
            assert response.url.startswith("/admin/")
        return
    assert response.status_code in (200, 400, 404)
    assert text
    assert "Traceback" not in text
    assert "Database error" not in text


@pytest.mark.parametrize("name", SHOWN)
def test_any_query_gets_a_page_or_a_refusal(log: Client, name: str) -> None:
    names = names_of(log, name)

    @tries(12 if names else 3)
    @given(queries(names))
    @example("after=0&sender=%00")
    @example("p=-1&e=1")
    @example("x&" * 1001)
    def ask(query: str) -> None:
        check(name, log.get(address(name), QUERY_STRING=query))

    ask()


@pytest.mark.parametrize("name", [name for name in SHOWN if CAPTURE.search(ROUTES[name])])
def test_any_path_gets_a_page_or_a_refusal(log: Client, name: str) -> None:
    captures = CAPTURE.findall(ROUTES[name])

    @tries(15)
    @given(st.one_of(st.sampled_from(NASTY), st.text().map(str.encode), st.binary()))
    def ask(value: bytes) -> None:
        check(name, log.get(address(name, **dict.fromkeys(captures, value))))

    ask()


def test_what_a_page_knows_is_tried(log: Client) -> None:
    assert {"kind", "order", "time", "actor_pk", "after"} <= set(names_of(log, "requests"))
    assert {"show", "before"} <= set(names_of(log, "person"))
    assert "after" in names_of(log, POLL)


# Who may see them

METHODS = ("get", "head", "post", "put", "delete")
READ_ONLY = {page.name: [200, 200, 405, 405, 405] for page in PAGES}
OF_THE_ADMIN = {
    "change": [200, 200, 403, 403, 403],
    "event": [302] * 5,  # leads to the page "change", whoever asks
    "add": [403] * 5,
    "delete": [403] * 5,
    # These make no difference between methods, and change nothing.
    "changelist": [200] * 5,
    "history": [200] * 5,
    "history_of_an_object": [200] * 5,
}


def answers(client: Client) -> dict[str, list[int]]:
    """Return the status of each page for each method."""
    queries = {POLL: "after=0"}
    return {
        name: [
            getattr(client, method)(address(name), QUERY_STRING=queries.get(name, "")).status_code
            for method in METHODS
        ]
        for name in ROUTES
    }


def test_a_visitor_is_sent_to_the_login_by_every_page(client: Client) -> None:
    fill()
    assert answers(client) == {name: [302] * 5 for name in ROUTES}
    for name in ROUTES:
        assert client.get(address(name)).url.startswith("/admin/login/"), name


def test_staff_without_the_permission_are_refused_by_every_page(client: Client) -> None:
    fill()
    client.force_login(somebody("view_book"))
    refused = {name: [403] * 5 for name in ROUTES}
    refused |= {page.name: [403, 403, 405, 405, 405] for page in PAGES}
    # Where a page leads says nothing; of a book's page they see what Django has for it.
    refused |= {name: OF_THE_ADMIN[name] for name in ("event", "history_of_an_object")}
    assert answers(client) == refused


@pytest.mark.parametrize("who", ["a reader", "a superuser"])
def test_every_page_is_for_reading_alone(client: Client, who: str) -> None:
    fill()
    events = list(SignalEvent.objects.order_by("pk").values())
    client.force_login(
        somebody(is_superuser=True)
        if who == "a superuser"
        else somebody("view_signalevent", "view_book")
    )
    assert answers(client) == READ_ONLY | OF_THE_ADMIN
    assert list(SignalEvent.objects.order_by("pk").values()) == events
