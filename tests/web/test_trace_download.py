"""A trace as a file in the Trace Event Format: its shape, its units, its marks."""

import json
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext

from signals_demo.factories import (
    SignalEventFactory,
    checkout_trace,
    failed_trace,
    migrate_trace,
    trace_of,
)
from signals_demo.models import SignalEvent
from signals_demo.web.names import TIMES
from signals_demo.web.trace_event_format import (
    AT_A_TIME,
    MOST_LANES,
    MOST_OPEN,
    TraceEvent,
    trace_events,
)
from tests.web.test_change_list import LIST

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_made_events")]

MS = timedelta(milliseconds=1)
START = datetime(2026, 11, 21, 14, 3, 22, tzinfo=UTC)
START_US = 1_795_269_802_000_000


def url_of(events: list[SignalEvent]) -> str:
    return f"{LIST}traces/{events[0].trace_id}/trace.json"


def file_of(client: Client, events: list[SignalEvent]) -> dict[str, Any]:
    response = client.get(url_of(events))
    assert response.status_code == 200
    content: dict[str, Any] = json.loads(b"".join(response.streaming_content))
    return content


def of_kind(found: list[TraceEvent], phase: str) -> list[TraceEvent]:
    return [entry for entry in found if entry["ph"] == phase]


def check_nesting(found: list[TraceEvent]) -> None:
    """Fail if two complete events of one thread cross."""
    threads = defaultdict(list)
    for entry in of_kind(found, "X"):
        threads[entry["pid"], entry["tid"]].append((entry["ts"], -entry["dur"]))
    for spans in threads.values():
        ends: list[int] = []
        for start, negative in sorted(spans):
            while ends and ends[-1] <= start:
                ends.pop()
            assert not ends or start - negative <= ends[-1]
            ends.append(start - negative)


def test_the_file(admin_client: Client, admin_user: AbstractUser) -> None:
    events = checkout_trace(admin_user, occurred_at=START)
    response = admin_client.get(url_of(events))
    assert response.headers["Content-Type"] == "application/json"
    name = f"trace-{events[0].trace_id}.json"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    content = json.loads(b"".join(response.streaming_content))
    assert content["displayTimeUnit"] == "ms"
    assert content["otherData"]["trace_id"] == events[0].trace_id
    assert content["otherData"]["origin_name"] == "POST /checkout/"
    found = content["traceEvents"]
    assert {entry["ph"] for entry in found} == {"X", "M"}
    for entry in found:
        assert isinstance(entry["name"], str)
        assert isinstance(entry["pid"], int)
        assert isinstance(entry["tid"], int)
        if entry["ph"] != "M":
            assert type(entry["ts"]) is int
        if entry["ph"] == "X":
            assert type(entry["dur"]) is int
    names = {(entry["name"], entry["args"]["name"]) for entry in of_kind(found, "M")}
    assert ("process_name", "request POST /checkout/") in names
    check_nesting(found)


def test_times_are_in_microseconds(admin_client: Client) -> None:
    found = file_of(admin_client, checkout_trace(occurred_at=START))["traceEvents"]
    times = {entry["name"]: (entry["ts"], entry["dur"]) for entry in of_kind(found, "X")}
    assert times["request WSGIHandler"] == (START_US + 1000, 48_310)
    assert times["save shop.Order"] == (START_US + 4000, 740)
    failed = file_of(admin_client, failed_trace(occurred_at=START))["traceEvents"]
    [raised] = of_kind(failed, "i")
    assert (raised["name"], raised["ts"], raised["s"]) == (
        "got_request_exception WSGIHandler",
        START_US + 4000,
        "t",
    )


def test_what_an_entry_tells(admin_client: Client) -> None:
    events = checkout_trace()
    found = file_of(admin_client, events)["traceEvents"]
    [save] = [entry for entry in found if entry["name"] == "save shop.Product"]
    assert save["cat"] == "model"
    assert save["args"] == {
        "signals": ["pre_save", "post_save"],
        "sender": "shop.Product",
        "object": "shop.Product 8",
        "call_site": "shop/views.py:42 in checkout",
        "outcome": "committed",
        "database": "default",
        "changes": {"stock": [4, 3], "badge": ["last ones", None]},
        "firings": 2,
        "events": [events[4].pk, events[5].pk],
    }


def test_every_event_is_in_it_once(admin_client: Client) -> None:
    for events in (checkout_trace(), failed_trace(), migrate_trace()):
        found = file_of(admin_client, events)["traceEvents"]
        keys = [key for entry in found for key in entry["args"].get("events", [])]
        assert sorted(keys) == [event.pk for event in events]


def test_a_folded_row_says_how_often(admin_client: Client) -> None:
    found = file_of(admin_client, checkout_trace())["traceEvents"]
    [entry] = [entry for entry in found if entry["name"].startswith("init ")]
    assert entry["name"] == f"init shop.Product {TIMES} 312"
    assert entry["args"]["firings"] == 624


def test_what_was_rolled_back_is_marked(admin_client: Client) -> None:
    found = file_of(admin_client, failed_trace())["traceEvents"]
    [save] = [entry for entry in found if entry["name"] == "save shop.Order"]
    assert save["args"]["outcome"] == "rolled_back"
    assert save["cat"] == "model,rolled_back"
    assert save["cname"] == "terrible"
    [raised] = [entry for entry in found if "exception" in entry["args"]]
    assert (raised["ph"], raised["cname"]) == ("i", "terrible")


def test_a_pair_that_never_closed_is_an_instant(admin_client: Client) -> None:
    lost = trace_of((0, "pre_save", {"outcome": "rolled_back"}), (0, "user_logged_in", {}))
    found = file_of(admin_client, lost)["traceEvents"]
    assert {entry["name"] for entry in of_kind(found, "i")} == {
        "pre_save auth.User",
        "user_logged_in auth.User",
    }


def deletes(keys: list[str], closed: list[str]) -> list[SignalEvent]:
    """Store one delete of several objects: all opening signals, then the closing ones."""
    number = len(keys)
    steps: list[Any] = [(0, "pre_delete", {"object_pk": key}) for key in keys]
    steps += [
        (
            0,
            "post_delete",
            {"object_pk": key, "duration": (number + place - keys.index(key)) * MS},
        )
        for place, key in enumerate(closed)
    ]
    return trace_of(*steps)


@pytest.mark.parametrize("closed", ["abcd", "dcba", "bdac", "cadb"])
def test_pairs_that_cross_get_threads_of_their_own(admin_client: Client, closed: str) -> None:
    found = file_of(admin_client, deletes(list("abcd"), list(closed)))["traceEvents"]
    complete = of_kind(found, "X")
    assert len(complete) == 4
    check_nesting(found)
    threads = {entry["tid"] for entry in complete}
    assert threads == {entry["tid"] for entry in found if entry["name"] == "thread_name"}
    assert (len(threads) == 1) == (closed == "dcba")


def test_there_is_an_end_to_threads() -> None:
    keys = [str(number) for number in range(MOST_LANES + 5)]
    found = list(trace_events(deletes(keys, keys)))
    assert len(of_kind(found, "X")) == MOST_LANES
    assert len(of_kind(found, "i")) == 5
    check_nesting(found)


def test_what_waits_for_its_end_is_limited() -> None:
    keys = [str(number) for number in range(MOST_OPEN + 3)]
    found = list(trace_events(deletes(keys, keys[::-1])))
    # Those that were let go are told twice: when they began, and how long they took.
    assert len(of_kind(found, "i")) == 3
    assert len(of_kind(found, "X")) == len(keys)
    check_nesting(found)


def test_requests_that_share_a_trace(admin_client: Client) -> None:
    for later in (0, 5, 200):
        shared = {"trace_id": uuid.uuid4().hex}
        start = START + timedelta(milliseconds=later)
        events = checkout_trace(occurred_at=START, **shared)
        checkout_trace(occurred_at=start, recorder=uuid.uuid4(), **shared)
        failed_trace(occurred_at=start + MS / 2, **shared)
        found = file_of(admin_client, events)["traceEvents"]
        assert {entry["pid"] for entry in found} == {1, 2}
        check_nesting(found)


def make_long(number: int) -> list[SignalEvent]:
    trace_id = uuid.uuid4().hex
    return SignalEvent.objects.bulk_create(
        SignalEventFactory.build(
            signal=signal,
            trace_id=trace_id,
            position=position,
            occurred_at=START + position * MS,
            duration=MS if signal == "post_save" else None,
        )
        for position, signal in enumerate(["pre_save", "post_save"] * (number // 2), 1)
    )


def test_a_long_trace_is_read_bit_by_bit(admin_client: Client) -> None:
    events = make_long(int(2.5 * AT_A_TIME))
    with CaptureQueriesContext(connection) as before:
        response = admin_client.get(url_of(events))
    first = next(iter(response.streaming_content))
    assert b"traceEvents" in first
    with CaptureQueriesContext(connection) as queries:
        rest = b"".join(response.streaming_content)
    assert len(queries) == 2
    reads = [*before.captured_queries[-1:], *queries.captured_queries]
    assert all(f"LIMIT {AT_A_TIME + 1}" in query["sql"] for query in reads)
    found = json.loads(first + rest)["traceEvents"]
    assert len(of_kind(found, "X")) == len(events) // 2


@pytest.mark.django_db(transaction=True)
def test_it_is_streamed_under_asgi(admin_user: AbstractUser) -> None:
    events = make_long(3 * AT_A_TIME)

    async def load() -> tuple[int, bytes]:
        client = AsyncClient()
        await client.aforce_login(admin_user)
        response = await client.get(url_of(events))
        content: Any = response.streaming_content
        assert isinstance(content, AsyncIterator)
        pieces = [piece async for piece in content]
        return len(pieces), b"".join(pieces)

    number, content = async_to_sync(load)()
    assert number > 2
    assert len(of_kind(json.loads(content)["traceEvents"], "X")) == len(events) // 2
