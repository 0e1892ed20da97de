"""The overview: its numbers, where they lead, and what it costs."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings
from django.utils import timezone

from signals_demo.catalog import EVENTS_LOST
from signals_demo.factories import SignalEventFactory
from signals_demo.models import SignalEvent
from signals_demo.query import statistics
from signals_demo.rollups import traces
from signals_demo.rollups.hours import last_key, sum_up
from signals_demo.web.chart import LENGTHS, edges_of
from signals_demo.web.pages import overview as pages_overview
from signals_demo.web.pages.overview import Overview
from signals_demo.web.rankings import Ranked

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_made_events")]

LIST = "/admin/signals_demo/signalevent/"
PAGE = LIST + "overview/"
AGO = {
    "1h": timedelta(minutes=20),
    "24h": timedelta(hours=5),
    "7d": timedelta(days=3),
    "30d": timedelta(days=20),
}


def make(number: int = 1, ago: timedelta = timedelta(minutes=20), **fields: Any) -> list[Any]:
    fields = {
        "signal": "post_save",
        "sender": "shop.Order",
        "occurred_at": timezone.now() - ago,
    } | fields
    events = SignalEventFactory.create_batch(number, **fields)
    traces.recount(connection, traces.keys_of(events))
    return events


def overview(client: Client, span: str = "24h") -> Overview:
    response = client.get(PAGE, {"time": span})
    assert response.status_code == 200
    found: Overview = response.context["overview"]
    return found


def tiles(found: Overview) -> dict[str, int]:
    return {str(tile["label"]): tile["number"] for tile in found.tiles}


def rankings(found: Overview) -> dict[str, dict[str, Any]]:
    *busiest, _slowest = found.rankings.all
    return {
        str(ranking.title): {
            f"{item.detail} {item.name}".strip(): item.number for item in ranking.items
        }
        for ranking in busiest
    }


def slowest(found: Overview) -> list[Ranked]:
    return found.rankings.all[-1].items


@pytest.mark.parametrize("span", LENGTHS)
@pytest.mark.parametrize("is_summed_up", [True, False], ids=["sums", "tail"])
def test_each_span_has_what_fired_in_it(reader: Client, span: str, is_summed_up: bool) -> None:
    for number, ago in enumerate(AGO.values(), 1):
        make(number, ago)
    make(9, timedelta(days=60))
    if is_summed_up:
        sum_up(connection, last_key(connection))
    spans = list(LENGTHS)
    expected = sum(range(1, spans.index(span) + 2))
    found = overview(reader, span)
    assert found.firings == expected
    assert sum(bar.firings for bar in found.chart.bars) == expected


def test_what_is_summed_up_and_what_is_not_yet_are_both_there(reader: Client) -> None:
    make(3)
    sum_up(connection, last_key(connection))
    make(4)
    assert overview(reader).firings == 7


@pytest.mark.parametrize("many", [5, 100])
@pytest.mark.parametrize("most", [5, 100])
def test_right_after_an_import_all_is_counted_or_said_to_be_missing(
    reader: Client, monkeypatch: Any, many: int, most: int
) -> None:
    """Whether it is summed up, read one by one, or some of both."""
    monkeypatch.setattr(statistics, "MOST_PENDING", most)
    monkeypatch.setattr(pages_overview, "MANY", many)
    make(8)
    content = reader.get(PAGE).content.decode()
    found = overview(reader)
    assert found.firings + found.pending == 8
    is_sqlite = connection.vendor == "sqlite"
    assert found.pending == (0 if most == 100 or (is_sqlite and many == 5) else 3)
    assert ("not counted here yet" in content) == (found.pending > 0)


def test_it_says_how_many_events_are_still_missing(reader: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr(statistics, "MOST_PENDING", 5)
    make(8)
    found = overview(reader)
    assert found.firings == 5
    assert found.pending == 3
    assert b"3 new events are not counted here yet" in reader.get(PAGE).content


def test_what_is_odd_is_told(reader: Client) -> None:
    make(2, signal="user_login_failed", sender="django.contrib.auth")
    make(3, signal="got_request_exception", exception="ValueError: no")
    make(outcome="rolled_back")
    make(signal=EVENTS_LOST, count=70)
    expected = {"Firings": 76, "Failed logins": 2, "Exceptions": 3, "Rolled back": 1, "Lost": 70}
    found = overview(reader)
    assert tiles(found) == expected
    assert [bool(tile["is_bad"]) for tile in found.tiles] == [False, True, True, True, True]


def test_the_busiest_come_first_and_folded_rows_count_as_what_they_stand_for(
    reader: Client,
) -> None:
    make(signal="post_init", count=50)
    make(2, sender="shop.Product", origin_name="GET /products/3/")
    make(1, sender="shop.Product", origin_name="GET /products/4/")
    make(4, signal="request_started", sender="django.core.handlers.wsgi.WSGIHandler")
    assert rankings(overview(reader)) == {
        "Busiest signals": {"post_init": 50, "request_started": 4, "post_save": 3},
        "Busiest senders": {"shop.Order": 50, "WSGIHandler": 4, "shop.Product": 3},
        "Busiest origins": {"request POST /cart/": 54, "request GET /products/*/": 3},
    }


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
@pytest.mark.parametrize("span", ["24h", "7d", "30d"])
def test_whole_days_and_the_hours_around_them_are_counted_once(
    reader: Client, settings: Any, span: str, zone: str
) -> None:
    settings.TIME_ZONE = zone
    edges = edges_of(span, timezone.now())
    length = edges[-1] - edges[0]
    senders = ("shop.Order", "shop.Product")
    moments = [edges[0] + length * (number / 50) for number in range(-4, 50)]
    moments += [edges[0] - timedelta(minutes=1), edges[-1] - timedelta(minutes=1)]
    for number, moment in enumerate(moments):
        make(occurred_at=moment, sender=senders[number % 3 // 2], origin_name=f"GET /{number % 2}")
    sum_up(connection, last_key(connection))
    events = SignalEvent.objects.filter(occurred_at__gte=edges[0], occurred_at__lt=edges[-1])
    found = overview(reader, span)
    assert found.firings == events.count() == 51
    assert [bar.firings for bar in found.chart.bars] == [
        events.filter(occurred_at__gte=start, occurred_at__lt=end).count()
        for start, end in pairwise(edges)
    ]
    assert rankings(found)["Busiest senders"] == {
        sender: events.filter(sender=sender).count() for sender in senders
    }
    assert sum(rankings(found)["Busiest origins"].values()) == 51


def test_the_slowest_of_a_month_lead_to_their_events_however_many_are_alike(
    reader: Client,
) -> None:
    slow = timedelta(milliseconds=900)
    make(30, AGO["30d"], duration=slow)
    make(3, AGO["30d"] + timedelta(hours=3), duration=timedelta(milliseconds=4))
    make(1, AGO["30d"], sender="shop.Product", duration=timedelta(milliseconds=40))
    sum_up(connection, last_key(connection))
    found = slowest(overview(reader, "30d"))
    assert [(line.detail, line.number) for line in found] == [
        ("shop.Order", "900 ms"), ("shop.Product", "40 ms"),
    ]  # fmt: skip
    pages = [reader.get(line.url) for line in found]
    assert [page.status_code for page in pages] == [200, 200]
    assert found[1].url.endswith(f"-{SignalEvent.objects.get(sender='shop.Product').pk}")


@pytest.mark.parametrize("is_summed_up", [True, False], ids=["sums", "tail"])
def test_the_slowest_pairs_lead_to_their_events(reader: Client, is_summed_up: bool) -> None:
    for milliseconds in (4, 900, 30):
        make(duration=timedelta(milliseconds=milliseconds))
    make(sender="shop.Product", duration=timedelta(milliseconds=40))
    if is_summed_up:
        sum_up(connection, last_key(connection))
    found = slowest(overview(reader))
    assert [(line.detail, line.number) for line in found] == [
        ("shop.Order", "900 ms"), ("shop.Product", "40 ms"),
    ]  # fmt: skip
    event = SignalEvent.objects.get(duration=timedelta(milliseconds=900))
    assert event.trace_id in found[0].url
    assert found[0].url.endswith(f"-{event.pk}")
    assert reader.get(found[0].url).status_code == 200


def rows_behind(client: Client, url: str) -> int:
    response = client.get(url)
    assert response.status_code == 200
    if "requests/" in url:
        return len(response.context["lines"])
    return len(response.context["cl"].result_list)


@pytest.mark.parametrize("span", LENGTHS)
def test_everything_leads_to_the_rows_behind_it(reader: Client, span: str) -> None:
    make(3)
    make(2, signal="user_login_failed", sender="django.contrib.auth", origin_name="POST /login/7/")
    make(5, timedelta(days=60))
    found = overview(reader, span)
    assert [rows_behind(reader, bar.url) for bar in found.chart.bars if bar.firings] == [5]
    assert [
        rows_behind(reader, segment.url) for bar in found.chart.bars for segment in bar.segments
    ] == [3, 2]
    assert [rows_behind(reader, each["url"]) for each in found.chart.families] == [3, 2]
    for ranking in found.rankings.all[:-1]:
        assert [rows_behind(reader, item.url) for item in ranking.items] == [3, 2]
    assert [rows_behind(reader, tile["url"]) for tile in found.tiles] == [5, 2, 0, 0]


def test_the_page_shows_what_it_counts(reader: Client) -> None:
    make(1234, signal="pre_save")
    page = reader.get(PAGE).content.decode()
    assert re.search(r"<b>1,234</b>\s*Firings", page)
    hrefs = re.findall(r'href="([^"]*time=[^"]*)"', page)
    assert any(
        parse_qs(urlsplit(href.replace("&amp;", "&")).query).get("family") == ["model"]
        for href in hrefs
    )


def test_bars_are_told_in_24_hours_in_each_language(reader: Client) -> None:
    make()
    for language in ("en", "de", "es", "fr", "hi"):
        found = reader.get(PAGE, headers={"accept-language": language}).context["overview"]
        assert all(re.fullmatch("[0-2][0-9]:00", bar.when) for bar in found.chart.bars)
        assert len({bar.when for bar in found.chart.bars}) == 24


def test_an_empty_log_has_an_overview(reader: Client) -> None:
    for span in LENGTHS:
        assert (
            "No signals fired in this period." in reader.get(PAGE, {"time": span}).content.decode()
        )


@pytest.mark.parametrize("time", ["", "5m", "1y", "'", "24h/1h"])
def test_an_unknown_span_is_not_found(reader: Client, time: str) -> None:
    assert reader.get(PAGE, {"time": time}).status_code == 404


@pytest.mark.parametrize("span", LENGTHS)
def test_it_runs_the_same_queries_however_many_events_there_are(reader: Client, span: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            overview(reader, span)
        assert not [
            query for query in captured if "COUNT(*)" in query["sql"] or "DISTINCT" in query["sql"]
        ]
        return len(captured)

    make(2, duration=timedelta(milliseconds=3))
    sum_up(connection, last_key(connection))
    few = queries()
    for ago in AGO.values():
        make(30, ago, duration=timedelta(milliseconds=3))
    sum_up(connection, last_key(connection))
    make(30)
    assert queries() == few


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns", "Europe/Berlin"])
@pytest.mark.parametrize("span", LENGTHS)
def test_bars_lie_side_by_side_up_to_now(span: str, zone: str) -> None:
    """Also where the clocks are changed, and where hours begin at half past."""
    with timezone.override(zone):
        for now in (
            datetime(2030, 3, 31, 1, 30, 59, tzinfo=UTC),
            datetime(2030, 10, 27, 0, 59, tzinfo=UTC),
            datetime(2030, 7, 1, 12, 0, tzinfo=UTC),
            datetime(2030, 7, 1, 9, 10, tzinfo=UTC),
        ):
            edges = edges_of(span, now)
            assert edges == sorted(set(edges))
            assert edges[-2] - timedelta(hours=1) < now < edges[-1]
            fine = timedelta(minutes=1) if span == "1h" else timedelta(hours=1)
            midnight = datetime(2030, 1, 1, tzinfo=UTC)
            assert all((edge - midnight) % fine == timedelta() for edge in edges)


def test_a_project_without_time_zones_has_bars_as_well() -> None:
    with override_settings(USE_TZ=False):
        edges = edges_of("24h", datetime(2030, 7, 1, 9, 10))
    assert edges[-1] == datetime(2030, 7, 1, 10)
    assert edges[0] == datetime(2030, 6, 30, 10)


def test_the_recorder_says_how_it_is(reader: Client) -> None:
    with mock.patch.dict("signals_demo.faults.faults", {"post_save: ValueError": 3}):
        page = reader.get(PAGE).content.decode()
    assert "Waiting to be stored" in page
    assert "post_save: ValueError &times;3" in page
