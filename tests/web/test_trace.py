"""The page of a trace: what it says, that every event can be reached, and what it costs."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from signals_demo import catalog
from signals_demo.factories import (
    PLAIN,
    SignalEventFactory,
    checkout_trace,
    failed_trace,
    login_trace,
    trace_of,
)
from signals_demo.models import SignalEvent, SignalTrace
from signals_demo.query import trace_parts
from signals_demo.web.names import TIMES
from tests.factories import UserFactory
from tests.web.test_change_list import LIST, Markup, page_of, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_made_events")]

LONG = "c0ffee" + "0" * 26


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("query.trace_parts", "web.links"):
        monkeypatch.setattr(f"signals_demo.{module}.PART", 40)


SMALL = pytest.mark.usefixtures("small_parts")


def url_of(trace_id: str) -> str:
    return f"{LIST}traces/{trace_id}/"


def make_long(number: int, trace_id: str = LONG) -> list[SignalEvent]:
    """Store a request that makes and saves one product after the other."""
    start = datetime(2026, 11, 21, 14, 3, 22, tzinfo=UTC)
    shared = {"trace_id": trace_id, "recorder": uuid.uuid4(), "origin_name": "POST /import/"}

    def made(position: int) -> SignalEvent:
        fields: dict[str, Any] = {"depth": 1, "sender": "shop.Product"}
        if position in (1, number):
            fields = {"signal": "request_started", "depth": 0} | PLAIN
        elif position % 4 in (2, 3):
            fields |= {"signal": catalog.INIT[position % 4 - 2], "object_pk": ""} | PLAIN
            fields |= {"sender": "shop.Product"}
        else:
            fields |= {"signal": "post_save" if position % 4 else "pre_save"}
            fields |= {"object_pk": str((position - 1) // 4), "database": "default"}
        if position == number:
            fields |= {"signal": "request_finished", "duration": timedelta(milliseconds=number)}
        elif fields["signal"].startswith("post_"):
            fields |= {"duration": timedelta(milliseconds=1)}
        return SignalEventFactory.build(
            **shared | fields,
            position=position,
            occurred_at=start + timedelta(milliseconds=position - 1),
        )

    return SignalEvent.objects.bulk_create([made(position + 1) for position in range(number)])


def events_on(text: str) -> set[int]:
    """Return the keys of the events that a page leads to."""
    found = [link.removeprefix(LIST).split("/") for link in Markup(text).links]
    return {int(parts[0]) for parts in found if parts[1:2] == ["change"]}


def all_parts(client: Client, url: str) -> list[str]:
    """Return the pages of a trace, read by the links from each to the next."""
    texts = [text_of(client, url)]
    while following := [
        attrs["href"] for _tag, attrs in Markup(texts[-1]).found if attrs.get("rel") == "next"
    ]:
        assert len(texts) < 20
        texts.append(text_of(client, following[0] or ""))
    return texts


# Who may see it, and how one gets there


@pytest.mark.parametrize("query", ["", "?from=1-0", "?inits=hidden"])
def test_a_trace_that_is_deleted_while_it_is_read(
    reader: Client, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    make_long(4)
    overview = trace_parts.overview

    def read_before_it_is_deleted(trace_id: str) -> Any:
        found = overview(trace_id)
        SignalEvent.objects.all().delete()
        return found

    monkeypatch.setattr(trace_parts, "overview", read_before_it_is_deleted)
    response = reader.get(url_of(LONG) + query)
    assert response.status_code == 404
    assert b"Trace not found" in response.content


def test_it_takes_the_view_permission(client: Client) -> None:
    url = url_of(checkout_trace()[0].trace_id)
    for address in (url, f"{url}trace.json"):
        assert client.get(address).url.startswith("/admin/login/")
    client.force_login(UserFactory.create(is_staff=True))
    for address in (url, f"{url}trace.json"):
        assert client.get(address).status_code == 403


def test_the_list_an_event_and_a_search_lead_to_it(reader: Client) -> None:
    events = checkout_trace()
    trace_id = events[0].trace_id
    assert url_of(trace_id) in Markup(text_of(reader, LIST)).links
    own = Markup(text_of(reader, page_of(events[3]))).links
    assert f"{url_of(trace_id)}#event-{events[3].pk}" in own
    for text in (trace_id, trace_id.upper(), f"00-{trace_id}-00f067aa0ba902b7-01"):
        page = text_of(reader, LIST, q=text)
        assert url_of(trace_id) in Markup(page).links
        assert "One trace" in page
        assert {event.pk for event in events} <= events_on(page)


def test_an_event_outside_any_trace_leads_nowhere(reader: Client) -> None:
    event = SignalEventFactory.create(trace_id="", span_id="")
    for address in (LIST, page_of(event)):
        assert "/traces/" not in text_of(reader, address)


@SMALL
def test_an_event_of_a_long_trace_leads_to_its_part(reader: Client) -> None:
    event = make_long(3 * trace_parts.PART)[2 * trace_parts.PART + 7]
    [link] = [each for each in Markup(text_of(reader, page_of(event))).links if "/traces/" in each]
    address, _hash, place = link.partition("#")
    page = Markup(text_of(reader, address))
    assert event.pk in events_on(text_of(reader, address))
    assert place in {attrs.get("id") for _tag, attrs in page.found}


@pytest.mark.parametrize("trace_id", ["0" * 32, "nope", "x" * 300, "%00", "<b>", "00-1-2-3"])
def test_an_unknown_trace_has_a_friendly_page(reader: Client, trace_id: str) -> None:
    for address in (url_of(trace_id), f"{url_of(trace_id)}trace.json"):
        response = reader.get(address)
        assert response.status_code == 404
        assert b"No events are recorded for the trace" in response.content


def test_the_address_takes_a_traceparent(reader: Client) -> None:
    trace_id = checkout_trace()[0].trace_id
    assert "POST /checkout/" in text_of(reader, url_of(f"00-{trace_id}-00f067aa0ba902b7-01"))
    assert "POST /checkout/" in text_of(reader, url_of(trace_id.upper()))


# What it says


def test_the_head(admin_client: Client) -> None:
    user = UserFactory.create(username="maria")
    began = datetime(2026, 11, 21, 14, 3, 22, 416_000, tzinfo=UTC)
    trace_id = checkout_trace(user, occurred_at=began)[0].trace_id
    text = text_of(admin_client, url_of(trace_id))
    for part in ("POST /checkout/", "request", "maria", "203.0.113.7"):
        assert part in text
    assert "Nov. 21, 2026 14:03:22.417" in text
    for figure in ("48 ms", "633", "4", "all committed", "default"):
        assert f">{figure}</dd>" in text
    links = Markup(text).links
    assert f"{LIST}people/{user.pk}/" in links
    assert f"{LIST}?q={trace_id}" in links
    assert f"{url_of(trace_id)}trace.json" in links


def test_links_count_as_changes(reader: Client) -> None:
    took = {"duration": timedelta(milliseconds=1)}
    steps: list[Any] = [(0, "m2m_changed", {}), (0, "m2m_changed", took), (0, "post_save", {})]
    assert ">2</dd>" in text_of(reader, url_of(trace_of(*steps)[0].trace_id))


def test_without_a_pair_around_it_the_time_is_that_between_the_first_and_the_last(
    reader: Client,
) -> None:
    trace_id = trace_of(*[(0, "user_logged_in", {})] * 21, origin="block")[0].trace_id
    assert ">20 ms</dd>" in text_of(reader, url_of(trace_id))


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        (["committed", "committed", ""], "all committed"),
        (["committed", "rolled_back"], "some rolled back"),
        (["rolled_back", "rolled_back", ""], "all rolled back"),
        (["open", "open"], "open"),
        (["committed", "open"], "some open"),
        (["", ""], "no transaction"),
    ],
)
def test_the_outcome_of_all(reader: Client, outcomes: list[str], words: str) -> None:
    trace = trace_of(*((0, "pre_save", {"outcome": outcome}) for outcome in outcomes))
    assert f">{words}</dd>" in text_of(reader, url_of(trace[0].trace_id))


def test_a_pair_is_one_row_with_a_bar_and_a_lone_firing_a_mark(reader: Client) -> None:
    events = checkout_trace()
    text = text_of(reader, url_of(events[0].trace_id))
    page = Markup(text)
    assert events_on(text) == {event.pk for event in events}
    rows = [attrs for tag, attrs in page.found if tag == "div" and attrs.get("class")]
    rows = [attrs for attrs in rows if "signals-row" in (attrs["class"] or "").split()]
    assert len(rows) == 6  # of eleven events
    assert [tag for tag, _attrs in page.found].count("circle") == 0
    [whole, *_others] = [attrs for tag, attrs in page.found if tag == "rect"]
    assert (whole["x"], whole["width"]) == ("0%", "100%")
    failed = Markup(text_of(reader, url_of(failed_trace()[0].trace_id)))
    assert [tag for tag, _attrs in failed.found].count("circle") == 1  # of the exception


def test_rows_are_nested_lists_with_changes_and_times_in_words(reader: Client) -> None:
    text = text_of(reader, url_of(checkout_trace()[0].trace_id))
    assert text.count('<ol class="signals-rows">') == 3
    for part in (
        "<ins>3</ins>",
        "0.7 ms",
        "started at",
        "4.00 ms",
        "shop/views.py:42 in checkout",
    ):
        assert part in text


def test_a_folded_row_opens(reader: Client) -> None:
    text = text_of(reader, url_of(checkout_trace()[0].trace_id))
    assert f"{TIMES} 312" in text
    assert "First of these firings" in text
    assert "Teapot" in text


def test_a_folded_row_says_when_the_last_fired_and_what_the_first_were_about(
    reader: Client,
) -> None:
    start = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    told = {"last_at": "2030-01-02T03:04:05.750000+00:00", "pks": [31, 47, 53, 61, 73]}
    shared = {"sender": "shop.Book", "object_pk": "", "count": 204, "occurred_at": start}
    events = trace_of(
        (0, "pre_init", shared | {"arguments": {"args": ["first"], "folded": told}}),
        (0, "post_init", shared | {"arguments": {"instance": None, "folded": told}}),
        (0, "post_save", {"occurred_at": start + timedelta(seconds=1)}),
    )
    text = text_of(reader, url_of(events[0].trace_id))
    assert "31, 47, 53, 61, 73, …" in text
    assert f"{TIMES} 204" in text
    assert "03:04:05.750000" in text
    assert 'width="75%"' in text  # from the first to the last
    page = text_of(reader, f"{LIST}{events[1].pk}/change/")
    for part in ("31, 47, 53, 61, 73, …", "Last firing", "03:04:05.750000", "first firing"):
        assert part in page
    assert "last_at" not in page


def test_what_failed_stands_out(reader: Client) -> None:
    events = failed_trace()
    text = text_of(reader, url_of(events[0].trace_id))
    assert text.count("the card issuer said no") == 2  # in the head and in its place
    assert f"#event-{events[3].pk}" in Markup(text).links
    assert "signals-undone" in text
    assert "rolled back</span>" in text


def test_a_save_without_its_end_is_a_row_of_its_own(reader: Client) -> None:
    trace = trace_of((0, "pre_save", {"outcome": "rolled_back"}), (0, "post_delete", {}))
    text = text_of(reader, url_of(trace[0].trace_id))
    assert events_on(text) == {event.pk for event in trace}
    assert text.count("<circle") == 2


def test_init_signals_can_be_hidden(reader: Client) -> None:
    events = checkout_trace()
    url = url_of(events[0].trace_id)
    assert f"{url}?inits=hidden" in Markup(text_of(reader, url)).links
    with CaptureQueriesContext(connection) as queries:
        hidden = text_of(reader, f"{url}?inits=hidden")
    assert any("NOT IN" in q["sql"] or "NOT (" in q["sql"] for q in queries)
    shown = {event.pk for event in events if event.signal not in catalog.INIT}
    assert events_on(hidden) == shown
    assert url in Markup(hidden).links
    assert ">633</dd>" in hidden


def test_a_trace_of_nothing_but_init_signals(reader: Client) -> None:
    trace = trace_of((0, "pre_init", {}), (0, "post_init", {}))
    text = text_of(reader, f"{url_of(trace[0].trace_id)}?inits=hidden")
    assert "Only init signals" in text
    assert "POST /cart/" in text


# Long traces


@SMALL
def test_every_event_of_a_long_trace_can_be_reached(reader: Client) -> None:
    events = make_long(int(2.5 * trace_parts.PART))
    texts = all_parts(reader, url_of(LONG))
    assert len(texts) == 3
    assert set().union(*map(events_on, texts)) == {event.pk for event in events}
    for text in texts:
        assert {events[0].pk, events[-1].pk} <= events_on(text)  # the request goes around all
    earlier = [a["href"] for _tag, a in Markup(texts[2]).found if a.get("rel") == "prev"]
    assert events_on(text_of(reader, earlier[0] or "")) == events_on(texts[1])


@SMALL
def test_hidden_init_signals_make_fewer_parts(reader: Client) -> None:
    events = make_long(int(1.5 * trace_parts.PART))
    texts = all_parts(reader, f"{url_of(LONG)}?inits=hidden")
    assert len(texts) == 1
    shown = {event.pk for event in events if event.signal not in catalog.INIT}
    assert events_on(texts[0]) == shown


def test_a_folded_row_is_not_put_away(reader: Client) -> None:
    steps: list[Any] = [(0, "pre_init", {}), (0, "post_init", {})] * 12
    steps[18:20] = [(0, "pre_init", {"count": 289}), (0, "post_init", {"count": 289})]
    text = text_of(reader, url_of(trace_of(*steps)[0].trace_id))
    before, _folded, after = text.partition(f"{TIMES} 289")
    assert after
    assert before.count("<details") == before.count("</details>") == 1


def test_the_halves_of_a_link_have_different_names(reader: Client) -> None:
    steps: list[Any] = [
        (0, "m2m_changed", {"arguments": {"action": f"{when}_add"}}) for when in ("pre", "post")
    ]
    text = text_of(reader, url_of(trace_of(*steps)[0].trace_id))
    assert ">m2m_changed pre_add</a>" in text
    assert ">m2m_changed post_add</a>" in text


@SMALL
def test_requests_that_share_a_trace_are_told_apart(reader: Client) -> None:
    number = trace_parts.PART // 4
    made = [*(event for _request in range(6) for event in make_long(number))]
    texts = all_parts(reader, url_of(LONG))
    assert set().union(*map(events_on, texts)) == {event.pk for event in made}
    assert texts[0].count("<h3>request POST /import/</h3>") == 6


@SMALL
def test_more_turns_of_a_loop_are_put_away(reader: Client) -> None:
    make_long(trace_parts.PART)
    text = text_of(reader, url_of(LONG))
    assert f"… {(trace_parts.PART - 2) // 4 - 2} more like this" in text
    assert text.count('<details class="signals-run">') == 1


def test_a_loop_does_not_hide_what_failed_in_it(reader: Client) -> None:
    steps: list[Any] = [(0, "post_save", {"object_pk": str(number)}) for number in range(30)]
    steps[15] = (0, "post_save", {"outcome": "rolled_back", "object_pk": "15"})
    text = text_of(reader, url_of(trace_of(*steps)[0].trace_id))
    assert text.count('<details class="signals-run">') == 2
    before, _undone, after = text.partition("signals-undone")
    assert before.count("</details>") == before.count("<details") == 1
    assert "more like this" in after


@pytest.mark.parametrize(
    "place", ["x", "-1", "", "1", "1-x", "9" * 30, "%00", "1-2-3", "999999999-0"]
)
def test_there_is_no_such_part(reader: Client, place: str) -> None:
    trace_id = checkout_trace()[0].trace_id
    assert reader.get(f"{url_of(trace_id)}?from={place}").status_code == 404


@pytest.mark.parametrize(
    "query", ["inits=x", "inits=%00", "x=1", "from=1-0", "from=0-1", "from=3-0"]
)
def test_other_addresses_show_it(reader: Client, query: str) -> None:
    trace_id = checkout_trace()[0].trace_id
    assert "POST /checkout/" in text_of(reader, f"{url_of(trace_id)}?{query}")


def test_a_part_says_which_events_it_has(reader: Client) -> None:
    number = int(2.5 * trace_parts.PART)
    make_long(number)
    for count, text in enumerate(all_parts(reader, url_of(LONG))):
        first, last = count * trace_parts.PART + 1, min((count + 1) * trace_parts.PART, number)
        assert text.count(f"Events {first:,} to {last:,} of {number:,}") == 2
    make_long(3, "d" * 32)
    assert "Events 1 to" not in text_of(reader, url_of("d" * 32))


@SMALL
def test_so_long_a_trace_that_it_is_not_looked_over_to_its_end(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signals_demo.query.trace_parts.OVERVIEW", trace_parts.PART)
    events = make_long(int(2.5 * trace_parts.PART))
    texts = all_parts(reader, url_of(LONG))
    assert set().union(*map(events_on, texts)) == {event.pk for event in events}
    for text in texts:
        assert f">{trace_parts.PART}+</dd>" in text
        assert "has more than" in text
    assert f"Events 1 to {trace_parts.PART} of {trace_parts.PART}+" in texts[0]
    assert "Events 1 to" not in texts[1]


def queries_of(client: Client, url: str) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        text_of(client, url)
    return own(queries)


def own(queries: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in queries if "signals_demo_signalevent" in query["sql"]]


def test_it_costs_the_same_however_long_the_trace_is(reader: Client) -> None:
    make_long(4 * trace_parts.PART)
    make_long(6 * trace_parts.PART, "d" * 32)
    for start in (
        "",
        f"?from={trace_parts.PART + 1}-0",
        f"?from={trace_parts.PART + 1}-0&inits=hidden",
    ):
        short = queries_of(reader, url_of(LONG) + start)
        with CaptureQueriesContext(connection) as queries:
            text = text_of(reader, url_of("d" * 32) + start)
        long = own(queries)
        assert len(short) == len(long) <= 5
        assert all("LIMIT" in sql or " IN (" in sql for sql in long)
        assert not any("OFFSET" in sql or "COUNT(" in sql for sql in long)
        assert len(text) < 1_000_000


@pytest.mark.applies(connection.vendor == "sqlite")  # a server scans so small a table
@SMALL
def test_it_reads_by_the_index(reader: Client) -> None:
    make_long(2 * trace_parts.PART)
    for sql in queries_of(reader, f"{url_of(LONG)}?from={trace_parts.PART + 1}-0"):
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plan = [row[3] for row in cursor.fetchall()]
        assert all(step.startswith("SEARCH") for step in plan), plan


# Safety


@SMALL
def test_a_strict_content_security_policy_works(admin_client: Client) -> None:
    user = UserFactory.create()
    make_long(2 * trace_parts.PART)
    traces = [checkout_trace(user), failed_trace(user), login_trace(user)]
    addresses = [url_of(events[0].trace_id) for events in traces]
    for address in (*addresses, f"{url_of(LONG)}?from={trace_parts.PART}-0"):
        Markup(text_of(admin_client, address)).keeps_to_a_strict_policy()


def test_nothing_recorded_becomes_markup(admin_client: Client) -> None:
    probe = "'\"><probe-tag probe=1>&lt;"
    names = ["sender", "origin_name", "actor", "actor_pk", "remote_address", "object_pk"]
    fields = dict.fromkeys([*names, "exception", "database", "call_site"], probe)
    given = {probe: [probe], "instance": {"model": probe, "pk": probe}}
    changes = {probe: [probe, {probe: probe}]}
    more = {"arguments": given, "changes": changes}
    steps = [(0, f"shop.{probe}", fields | more | {"count": 2})] * 20
    trace_id = trace_of(*steps)[0].trace_id
    text = text_of(admin_client, url_of(trace_id))
    assert "probe-tag" in text
    for tag, attrs in Markup(text).found:
        assert tag != "probe-tag"
        assert "probe" not in attrs


def test_deep_nesting_does_not_break_the_page(reader: Client) -> None:
    trace = trace_of(*((depth, "pre_save", {}) for depth in range(150)))
    assert events_on(text_of(reader, url_of(trace[0].trace_id))) == {each.pk for each in trace}


@SMALL
def test_numbers_in_addresses_and_pictures_know_no_language(settings: Any, reader: Client) -> None:
    settings.USE_THOUSAND_SEPARATOR = True
    events = make_long(2 * trace_parts.PART)
    SignalEvent.objects.filter(pk=events[3].pk).update(id=1234567)
    with translation.override("de"):
        response = reader.get(url_of(LONG), headers={"accept-language": "de"})
    page = Markup(response.content.decode())
    assert any(link.startswith(f"{LIST}1234567/") for link in page.links)
    assert "event-1234567" in {attrs.get("id") for _tag, attrs in page.found}
    for tag, attrs in page.found:
        if tag in ("rect", "circle", "line", "text"):
            assert not any("," in (value or "") for value in attrs.values())


def test_each_unit_of_a_shared_trace_has_a_page_of_its_own(reader: Client) -> None:
    made = {}
    for number, name in enumerate(("ada", "bob"), 1):
        steps: list[Any] = [
            (0, "request_started", PLAIN),
            (1, "post_save", {}),
            (1, "post_save", {}),
        ]
        shared = {"trace_id": LONG, "span_id": f"{number:016x}", "actor": name, "actor_pk": number}
        made[name] = trace_of(*steps, **shared, origin_name=f"GET /{name}/")
        SignalTrace.objects.create(
            recorder=uuid.uuid4(), trace_id=LONG, span_id=f"{number:016x}", origin="request",
            origin_name=f"GET /{name}/", actor=name, actor_pk=number, duration=timedelta(0),
            started_at=made[name][0].occurred_at, ended_at=made[name][-1].occurred_at,
            firings=3, changes=2, errors=0, rolled_back=0,
        )  # fmt: skip
    whole = text_of(reader, url_of(LONG))
    assert events_on(whole) == {event.pk for events in made.values() for event in events}
    listed = reader.get(reverse("admin:signals_demo_signalevent_requests")).content.decode()
    for number, events in enumerate(made.values(), 1):
        url = f"{url_of(LONG)}?unit={number:016x}"
        assert f'href="{url}"' in whole
        assert f'href="{url}"' in listed
        text = text_of(reader, url)
        assert events_on(text) == {event.pk for event in events}
        assert f"?inits=hidden&amp;unit={number:016x}" not in text
    assert reader.get(f"{url_of(LONG)}?unit=junk").status_code == 404
    assert reader.get(f"{url_of(LONG)}?unit={7:016x}").status_code == 404


def test_the_status_is_told_where_a_signal_tells_it(reader: Client) -> None:
    for trace, status in ((failed_trace(), "500"), (checkout_trace(), "")):
        text = reader.get(f"{LIST}traces/{trace[0].trace_id}/").content.decode()
        assert bool(status) == ("HTTP status" in text)
        assert bool(status) == ('class="signals-failed">500<' in text)
