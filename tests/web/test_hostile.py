"""What a visitor sends stays text: no markup, no formula, no order for a terminal."""

import csv
import io
import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from django.contrib.admin.utils import quote as quoted_key
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from project.playground.models import Author, Book
from project.urls import urlpatterns as urls_of_the_project
from signals_demo import flush
from signals_demo.factories import SignalEventFactory
from signals_demo.models import SignalEvent, SignalTrace
from tests.factories import UserFactory
from tests.web.test_addresses import CAPTURE, NAMES, POLL, ROUTES, SHOWN, address, names_of
from tests.web.test_change_list import Markup

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]

MARKUP = "\"'><script>probe()</script><probe-tag onclick=probe()>{{ 7|add:7 }}"
ORDERS = "\x1b[31m\x1b]8;;//x\x07\x9b2J\u202e\u2066\r\t|"
SENT = f"=HYPERLINK(1){ORDERS}{MARKUP}"
LINK = f"javascript:{SENT}"
PROBE = "probe()</script>"
"""Is in a page as it stands only if somebody forgot to escape it."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
OF_A_BOOK = "history_of_an_object"
NOT_IN_A_FILE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def fail(request: HttpRequest, text: str) -> HttpResponse:
    # The admin's own login declares its fields sensitive, so that they are masked.
    authenticate(request, username=text, password=text)
    raise ValueError(text)


urlpatterns = [*urls_of_the_project, path("fail/<path:text>", fail)]


@pytest.fixture
def reader(client: Client, settings: Any) -> Client:
    """Visit the site with evil intent; then log in as somebody who reads of it."""
    settings.ROOT_URLCONF = __name__
    settings.SIGNALS_DEMO |= {"TRUSTED_PROXIES": 1}
    villain = UserFactory.create(username=SENT, is_staff=True, is_superuser=True)
    header = LINK.encode().decode("latin-1")
    client.raise_request_exception = False
    client.get(
        f"/fail/{quote(SENT)}",
        QUERY_STRING=SENT.encode().decode("latin-1"),
        HTTP_USER_AGENT=header,
        HTTP_REFERER=header,
        HTTP_X_FORWARDED_FOR=header,
        HTTP_TRACEPARENT=header,
        HTTP_HOST="localhost",
        CONTENT_TYPE=header,
    )
    client.force_login(villain)
    author = Author.objects.create(name="Ada")
    fields = {"title": SENT, "author": author.pk, "copies": 1, "details": json.dumps({SENT: LINK})}
    assert client.post("/admin/playground/book/add/", fields).status_code == 302
    assert flush()
    assert {
        "actor of post_save", "arguments of request_started", "arguments of user_login_failed",
        "changes of post_save", "exception of got_request_exception",
        "origin_name of request_started",
    } <= set(places_of_it())  # fmt: skip
    settings.SIGNALS_DEMO = {"ENABLED": False}
    make_what_no_visitor_can(Book.objects.get())
    client.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    client.raise_request_exception = True
    return client


def places_of_it() -> Iterator[str]:
    for row in SignalEvent.objects.values():
        for name, value in row.items():
            if "probe()" in str(value):
                yield f"{name} of {row['signal']}"


def make_what_no_visitor_can(book: Book) -> None:
    """Store an event and a trace with hostile text in every field that can hold it."""
    shared = {
        "trace_id": uuid.uuid4().hex, "origin_name": SENT, "actor_pk": SENT, "actor": SENT,
        "remote_address": SENT[:64],
    }  # fmt: skip
    SignalEventFactory.create(
        **shared, signal=f"shop.{SENT}", sender=SENT, object_pk=SENT, database=SENT, count=2,
        call_site=SENT, exception=SENT, digest=SENT[:64],
        arguments={SENT: {SENT: [LINK, SENT * 9]}, "instance": {"model": SENT, "pk": LINK}},
    )  # fmt: skip
    SignalEventFactory.create(
        **shared, sender="playground.Book", object_pk=str(book.pk),
        changes={SENT: [LINK, {SENT: SENT}]}, arguments={"created": False, SENT: SENT},
    )  # fmt: skip
    now = datetime.now(UTC)
    SignalTrace.objects.create(
        **shared, recorder=uuid.uuid4(), started_at=now, ended_at=now, duration=timedelta(0),
        firings=2, changes=1, errors=1, rolled_back=0,
    )  # fmt: skip


def about(event: SignalEvent) -> dict[str, bytes]:
    """Return what routes capture, of an event."""
    return {
        "object_id": str(event.pk).encode(),
        "trace_id": event.trace_id.encode(),
        "actor_pk": quoted_key(event.actor_pk).encode(),
    }


def visited(client: Client) -> Iterator[tuple[str, Any]]:
    """Get every page; those with captures for one event of each kind."""
    kinds = {(event.signal, event.sender): event for event in SignalEvent.objects.all()}
    addresses = {
        address(name, **about(event)): name
        for event in kinds.values()
        for name in SHOWN
        if name != OF_A_BOOK
    }
    addresses[address(OF_A_BOOK, object_id=str(Book.objects.get().pk).encode())] = OF_A_BOOK
    for url, name in addresses.items():
        yield name, client.get(url, {"after": "0"} if name == POLL else {})


def html_of(response: Any) -> str:
    """Return the markup in an answer; nothing where its type says that it is none."""
    kind = response.headers["Content-Type"].partition(";")[0]
    if kind == "application/json" and not response.streaming:
        return str(response.json()["html"])
    return response.content.decode() if kind == "text/html" else ""


def assert_nothing_came_of_it(response: Any) -> None:
    for value in response.headers.values():
        assert value.isprintable()
    assert not re.search("probe|HYPERLINK", response.headers.get("Content-Disposition", ""))
    html = html_of(response)
    assert PROBE not in html
    for tag, attrs in Markup(html).found:
        assert tag != "probe-tag"
        assert tag != "script" or attrs.get("src")
        assert not [name for name in attrs if name.startswith("on")]
        for name in ("href", "src", "action", "formaction", "data-url"):
            link = urlsplit(attrs.get(name) or "")
            assert link.scheme in ("http", "https") or (not link.scheme and not link.netloc)


def test_no_page_has_it_as_markup(reader: Client) -> None:
    shown = set()
    for name, response in visited(reader):
        assert_nothing_came_of_it(response)
        if "probe()&lt;/script&gt;" in html_of(response):
            shown.add(name)
    assert shown >= {
        "changelist", "change", "history", OF_A_BOOK, "person", "trace", "requests", "live", POLL,
    }  # fmt: skip


def test_no_page_has_its_own_address_as_markup(reader: Client) -> None:
    captured = about(SignalEvent.objects.exclude(actor_pk="").earliest("pk"))
    for name in SHOWN:
        names = {*names_of(reader, name, **captured), *(NAMES if name == "changelist" else [])}
        for each in names:
            query = ({"after": "0"} if name == POLL else {}) | {each: LINK}
            assert_nothing_came_of_it(reader.get(address(name, **captured), query))
        if CAPTURE.search(ROUTES[name]):
            evil = dict.fromkeys(CAPTURE.findall(ROUTES[name]), SENT.encode())
            assert_nothing_came_of_it(reader.get(address(name, **evil)))


def said(*command: str, **options: Any) -> str:
    output = io.StringIO()
    call_command(*command, stdout=output, **options)
    return output.getvalue()


def test_no_cell_of_a_file_is_a_formula(reader: Client) -> None:
    downloaded = b"".join(reader.get(address("export")).streaming_content).decode()
    assert downloaded == said("signals_export")
    rows = list(csv.DictReader(io.StringIO(downloaded, newline="")))
    assert "HYPERLINK" in downloaded
    assert len(rows) == SignalEvent.objects.count()
    assert not [cell for row in rows for cell in row.values() if cell.startswith(FORMULA)]


def test_no_command_prints_an_order(reader: Client) -> None:
    for command in (
        ["signals_tail", "--no-follow", "-n", "999"],
        ["signals_tail", "--no-follow", "-n", "999", "--json"],
        ["signals_export"],
        ["signals_export", "--format", "jsonl"],
        ["signals_list", "--all"],
    ):
        text = said(*command)
        assert not NOT_IN_A_FILE.search(text), command
        assert "probe" in text or command[0] == "signals_list"
