"""The list of requests and other work: what it shows, in which order, and what it costs."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from signals_demo.models import SignalTrace
from signals_demo.query import traces
from signals_demo.rollups.traces import general_name
from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.stored]

PAGE = "/admin/signals_demo/signalevent/requests/"
START = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def reader(client: Client, settings: Any) -> Client:
    """Log in as somebody who may read the log and nothing else."""
    settings.SIGNALS_DEMO = {"ENABLED": False}
    user = UserFactory.create(username="reader", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_signalevent"))
    client.force_login(user)
    return client


def make(name: str = "GET /", **fields: Any) -> SignalTrace:
    start = fields.pop("started_at", START)
    duration = fields.pop("duration", timedelta(milliseconds=12))
    values: dict[str, Any] = {
        "recorder": uuid.uuid4(), "trace_id": uuid.uuid4().hex, "origin": "request",
        "origin_name": name, "started_at": start, "ended_at": start + duration,
        "duration": duration, "firings": 2, "changes": 0, "errors": 0, "rolled_back": 0,
        "general_name": general_name(name),
    }  # fmt: skip
    return SignalTrace.objects.create(**values | fields)


def names(client: Client, address: str = "") -> list[str]:
    response = client.get(PAGE + address)
    assert response.status_code == 200
    return [line.trace.origin_name for line in response.context["lines"]]


def test_the_newest_come_first_and_each_order_does_what_it_says(reader: Client) -> None:
    make("old", firings=9)
    make("slow", started_at=START + timedelta(1), duration=timedelta(seconds=3), changes=1)
    make("new", started_at=START + timedelta(2), firings=5, changes=4)
    assert names(reader) == ["new", "slow", "old"]
    assert names(reader, "?order=slowest")[0] == "slow"
    assert names(reader, "?order=firings") == ["old", "new", "slow"]
    assert names(reader, "?order=changes") == ["new", "slow", "old"]


def test_filters(reader: Client) -> None:
    now = timezone.now()
    make("GET /", started_at=now - timedelta(minutes=30), actor_pk="7", actor="zoe")
    make("migrate", origin="command", started_at=now - timedelta(hours=3))
    make("send", origin="task", started_at=now - timedelta(days=3), errors=1)
    make("POST /", started_at=now - timedelta(days=40), rolled_back=2)
    assert names(reader, "?kind=requests") == ["GET /", "POST /"]
    assert names(reader, "?kind=commands") == ["migrate"]
    assert names(reader, "?kind=tasks") == ["send"]
    assert names(reader, "?kind=errors") == ["send"]
    assert names(reader, "?kind=undone") == ["POST /"]
    assert names(reader, "?time=1h") == ["GET /"]
    assert names(reader, "?time=30d&order=slowest&kind=errors") == ["send"]
    assert names(reader, "?actor_pk=7") == ["GET /"]
    assert names(reader, "?actor_pk=8") == []


@pytest.mark.parametrize("order", ["", "slowest", "firings", "changes"])
def test_paging_leads_past_each_one_once(reader: Client, order: str) -> None:
    for number in range(120):  # many have the same value, so that the key decides
        make(
            str(number), started_at=START + timedelta(seconds=number // 9), changes=number // 50,
            duration=timedelta(milliseconds=number // 40), firings=number // 70,
        )  # fmt: skip
    seen, address = [], f"?order={order}"
    for _ in range(3):
        response = reader.get(PAGE + address)
        seen += [line.trace.pk for line in response.context["lines"]]
        address = response.context["next_url"]
    assert address == ""
    assert len(seen) == len(set(seen)) == 120
    field = {"": "started_at", "slowest": "duration"}.get(order, order)
    assert seen == list(
        SignalTrace.objects.order_by(f"-{field}", "-pk").values_list("pk", flat=True)
    )


def test_a_line_leads_to_its_trace_and_its_actor(reader: Client) -> None:
    trace = make("GET /<b>", actor_pk="7", actor="<script>", errors=1, rolled_back=3)
    text = reader.get(PAGE).content.decode()
    assert trace.trace_id in text
    assert "/people/7/" in text
    assert "GET /&lt;b&gt;" in text
    assert "&lt;script&gt;" in text
    assert "1 exception" in text
    assert "3 rolled back" in text


def test_who_has_a_name_somewhere_in_the_list_has_it_everywhere(reader: Client) -> None:
    make("GET /a", actor_pk="7")
    make("GET /b", actor_pk="7", actor="ada", started_at=START - timedelta(1))
    make("GET /c", actor_pk="7", actor="ada l", started_at=START - timedelta(2))
    make("GET /d", actor_pk="8", started_at=START - timedelta(3))
    make("GET /e", actor="ada", started_at=START - timedelta(4))
    lines = reader.get(PAGE).context["lines"]
    shown = [(line.trace.actor_pk, line.trace.actor) for line in lines]
    assert shown == [("7", "ada"), ("7", "ada"), ("7", "ada l"), ("8", ""), ("", "ada")]
    assert not SignalTrace.objects.get(origin_name="GET /a").actor  # it is not written down


@pytest.mark.parametrize(
    ("address", "number"),
    [("", 1), ("?kind=requests", 1), ("?order=slowest", 1), ("?order=slowest&kind=requests", 2)],
)
def test_it_costs_the_same_queries_however_many_there_are(
    reader: Client, address: str, number: int
) -> None:
    counts = []
    for _ in range(2):
        for each in range(60):
            make(str(each), actor_pk="7", actor="zoe")
        with CaptureQueriesContext(connection) as queries:
            names(reader, address)
        counts.append([each for each in queries if "signaltrace" in each["sql"]])
    assert [len(each) for each in counts] == [number, number]
    assert not any("COUNT(" in query["sql"] for query in counts[1])


@pytest.mark.parametrize("few", [10, 200])
def test_the_order_and_the_pages_are_the_same_for_few_and_for_many(
    reader: Client, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(traces, "FEW", few)
    for number in range(70):
        make(str(number), origin="task", firings=number // 3)
        make("other", origin="request", firings=number)
    first = reader.get(f"{PAGE}?kind=tasks&order=firings")
    after = first.context["next_url"]
    assert [line.trace.origin_name for line in first.context["lines"]] == list(
        map(str, range(69, 19, -1))
    )
    assert names(reader, after) == list(map(str, range(19, -1, -1)))


@pytest.mark.parametrize(
    "address",
    [
        "?kind=x", "?order=x", "?time=x", "?after=x", "?after=", "?after=1-x", "?after=-1",
        "?after=2030-01-01", "?after=1", "?after=1-2-3", "?order=slowest&after=-1-1",
        f"?after={'9' * 18}-1", f"?order=firings&after={'9' * 30}-1",
        "?order=changes&after=1.5-1", "?order=changes&after=%D9%A1-1", "?actor_pk=%00",
    ],
)  # fmt: skip
def test_an_address_that_asks_for_nothing_there_is(reader: Client, address: str) -> None:
    make()
    assert reader.get(PAGE + address).status_code == 404


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("GET /a/*/", ["GET /a/1/", "GET /a/2/"]),
        ("GET /a/2/", ["GET /a/2/"]),
        ("GET /a/3/", []),
        ("GET /a/x.y/", ["GET /a/x.y/"]),
        ("GET /a/x*/", []),
        ("GET /a/x*y/*/", []),
        ("GET /*" * 200, []),
    ],
)
def test_a_name_may_leave_the_keys_open(reader: Client, name: str, found: list[str]) -> None:
    for each in ("GET /a/1/", "GET /a/2/", "GET /a/x.y/", "GET /a/x.y/1/"):
        make(each)
    for others in ({}, {"origin": "request"}, {"kind": "requests", "order": "slowest"}):
        assert sorted(names(reader, f"?{urlencode({'name': name} | others)}")) == found
    for others in ({"origin": "task"}, {"kind": "errors"}, {"actor_pk": "7"}):
        assert names(reader, f"?{urlencode({'name': name} | others)}") == []


@pytest.mark.parametrize("few", [0, 1000], ids=["by the index", "sorted"])
@pytest.mark.parametrize("order", list(traces.ORDERS))
@pytest.mark.parametrize("kind", list(traces.KINDS))
def test_a_name_goes_with_every_kind_in_every_order(
    reader: Client, monkeypatch: pytest.MonkeyPatch, kind: str, order: str, few: int
) -> None:
    monkeypatch.setattr(traces, "FEW", few)
    origins = {"commands": "command", "tasks": "task"}
    fields = {"origin": origins.get(kind, "request"), "errors": 1, "rolled_back": 1}
    make("GET /a/1/", **fields)
    make("GET /b/1/", **fields)
    make("GET /a/2/", origin="test")
    for name in ("GET /a/*/", "GET /a/1/"):
        address = f"?{urlencode({'name': name, 'kind': kind, 'order': order})}"
        found = names(reader, address)
        assert set(found) - {"GET /a/2/"} == {"GET /a/1/"}
        assert ("GET /a/2/" in found) == (not kind and "*" in name)


def test_only_for_those_who_may_read_the_log(client: Client) -> None:
    assert client.get(PAGE).status_code == 302
    client.force_login(UserFactory.create(is_staff=True))
    assert client.get(PAGE).status_code == 403


def test_an_empty_list_says_so(reader: Client) -> None:
    assert "Nothing is recorded yet" in reader.get(PAGE).content.decode()
    assert "No traces match" in reader.get(f"{PAGE}?kind=errors").content.decode()


@pytest.mark.parametrize("order", ["", "slowest", "firings"])
@pytest.mark.parametrize("few", [0, 1000], ids=["by the index", "sorted"])
@pytest.mark.parametrize("name", ["rare", "GET /rare/*/"])
@pytest.mark.parametrize("others", [{"origin": "request"}, {"actor_pk": "7"}], ids=["", "of one"])
def test_a_name_that_hardly_occurs_is_found_in_its_index_or_page_by_page(
    reader: Client,
    monkeypatch: pytest.MonkeyPatch,
    order: str,
    few: int,
    name: str,
    others: dict[str, str],
) -> None:
    monkeypatch.setattr(traces, "SCAN_LIMIT", 20)
    monkeypatch.setattr(traces, "FEW", few)
    wanted = []
    for number in range(70):
        is_rare = number in (3, 40, 41)
        trace = make(
            name.replace("*", str(number)) if is_rare else "common",
            started_at=START + timedelta(seconds=number), firings=number // 30,
            duration=timedelta(milliseconds=number // 9), actor_pk="7",
        )  # fmt: skip
        wanted += [trace.pk] if is_rare else []
    seen, pages, address = [], 0, "?" + urlencode({"order": order, "name": name} | others)
    while address:
        with CaptureQueriesContext(connection) as queries:
            response = reader.get(PAGE + address)
        own = [query for query in queries if "signals_demo_signaltrace" in query["sql"]]
        assert len(own) == (3 if order else 2)
        seen += [line.trace.pk for line in response.context["lines"]]
        address = response.context["next_url"]
        assert ("The search stopped after many events" in response.content.decode()) == bool(
            address
        )
        assert b"No traces match." not in response.content or not address
        pages += 1
    assert seen == wanted[::-1]
    assert pages == (1 if "origin" in others and (few or not order) else 4)
