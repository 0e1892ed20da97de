"""The pages of the log that are measured, with the filters and the searches that they offer."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.utils import quote
from django.test import Client
from django.urls import NoReverseMatch, reverse

from benchmarks.scale.scripts import LONG
from signals_demo.models import Outcome, SignalEvent, SignalTrace
from signals_demo.query.filters import QUICK_VIEWS, SPANS
from signals_demo.query.keyset import NEWEST_FIRST, OLDEST_FIRST
from signals_demo.query.traces import KINDS, ORDERS

COMMON, RARE = "shop.Product", "shop.Country"
BUSIEST, QUIET = "1", "1999"
DEEP = 100_000
"""How many events stand in the list before a place that is deep in it."""

Page = tuple[str, str]
"""What the table calls it, and its address."""

_OLDER = re.compile(r'rel="next" href="([^"]+)"')


def _url(name: str, *args: Any) -> str:
    return reverse(f"admin:signals_demo_signalevent_{name}", args=args)


def _list(**filters: str) -> str:
    return f"{_url('changelist')}?{urlencode(filters)}"


def pages(client: Client) -> Iterator[Page]:
    """Yield them all; runs queries to learn which events there are."""
    yield from _lists()
    yield from _searches()
    yield from _deep(client)
    yield from _about_one(client)
    yield from _requests(client)
    yield from _others(client)


FILTERS: tuple[dict[str, str], ...] = (
    *({"view": view} for view in QUICK_VIEWS if view),
    *({"time": span} for span in SPANS),
    *({"family": family} for family in ("auth", "model", "management", "request")),
    *({"signal": signal} for signal in ("post_init", "m2m_changed", "user_login_failed")),
    {"sender": COMMON},
    {"sender": RARE},
    *({"outcome": outcome} for outcome in Outcome.values),
    *({"origin": origin} for origin in ("request", "command", "task", "shell", "test")),
    {"actor_pk": BUSIEST},
    {"actor_pk": QUIET},
    {"actor_pk": "nobody"},
    # Some of what a person may put together, most of it with few matches or none.
    {"view": "errors", "time": "7d"},
    {"view": "logins", "actor_pk": BUSIEST},
    {"view": "changes", "sender": RARE},
    {"sender": COMMON, "signal": "post_delete"},
    {"sender": COMMON, "signal": "user_logged_in"},
    {"sender": COMMON, "outcome": "rolled_back"},
    {"sender": RARE, "outcome": "rolled_back", "time": "30d"},
    {"signal": "post_save", "outcome": "open"},
    {"signal": "post_init", "origin": "task"},
    {"actor_pk": BUSIEST, "outcome": "rolled_back"},
    {"actor_pk": BUSIEST, "sender": RARE, "signal": "post_save"},
    {"outcome": "open", "origin": "request"},
    {"outcome": "rolled_back", "time": "30d"},
    {"origin": "shell", "time": "30d"},
    {"family": "model", "outcome": "open"},
)


def _lists() -> Iterator[Page]:
    yield "list", _list()
    for filters in FILTERS:
        yield f"list: {', '.join(map('='.join, filters.items()))}", _list(**filters)


def _searches() -> Iterator[Page]:
    trace_id = SignalTrace.objects.filter(firings__lt=100).order_by("-pk")[0].trace_id
    long = SignalTrace.objects.filter(origin_name=LONG)[0].trace_id
    for title, text in (
        ("a trace", trace_id),
        ("the long trace", long),
        ("a model", COMMON),
        ("a rare model", RARE),
        ("an object", f"{COMMON} 1"),
        ("a user's object", f"auth.User {BUSIEST}"),
        ("an object that is not there", f"{COMMON} 0"),
        ("a key", "1"),
        ("a rare key", "49999"),
        ("a user", f"user{BUSIEST}"),
        ("a signal", "post_save"),
        ("a sender that is not there", "no.Such"),
    ):
        yield f"search: {title}", _list(q=text)
    yield "search: a model, outcome=open", _list(q=COMMON, outcome="open")
    yield "search: an object, view=changes", _list(q=f"{COMMON} 1", view="changes")
    yield "search: a key, view=logins", _list(q="1", view="logins")


def _place(**filters: str) -> str:
    """Return a place that is deep in the list, or, in a short one, near its end."""
    events = SignalEvent.objects.filter(**filters).order_by(*NEWEST_FIRST.fields)
    places = events.values_list(*OLDEST_FIRST.fields)
    [place] = places[DEEP : DEEP + 1] or places.reverse()[150:151]
    return str(NEWEST_FIRST.cursor(*place))


def _deep(client: Client) -> Iterator[Page]:
    yield "list: the second page", _next(client, _list())
    yield "list: a deep page", _list(after=_place())
    yield "list: a deep page, backwards", _list(before=_place())
    yield "list: sender, a deep page", _list(sender=COMMON, after=_place(sender=COMMON))
    first = SignalEvent.objects.earliest("occurred_at")
    end = NEWEST_FIRST.cursor(first.occurred_at + timedelta(seconds=1))
    yield "list: the last page", _list(after=str(end))
    long = SignalTrace.objects.filter(origin_name=LONG)[0].trace_id
    middle = SignalEvent.objects.in_trace(long).order_by("-position")[0].position // 2
    yield "search: the long trace, its middle", _list(q=long, after=f"{middle}-0")


def _next(client: Client, url: str) -> str:
    """Return where the link to the next page leads; the page itself, if it has none."""
    found = _OLDER.search(client.get(url).content.decode())
    if not found:
        return url
    query = found[1].replace("&amp;", "&")
    return url.partition("?")[0] + query


def _about_one(client: Client) -> Iterator[Page]:
    changes = SignalEvent.objects.filter(signal="post_save").order_by("-pk")
    yield "an event", _url("change", changes[0].pk)
    long = SignalTrace.objects.filter(origin_name=LONG)[0].trace_id
    yield "an event in the long trace", _url("change", changes.filter(trace_id=long)[0].pk)
    small = SignalTrace.objects.filter(changes__gt=0, firings__lt=100).order_by("-pk")[0]
    yield "a trace", _url("trace", small.trace_id)
    yield "the long trace", _url("trace", long)
    yield "the long trace, a later part", f"{_url('trace', long)}?from=5000-0"
    for title, key in (("busiest", BUSIEST), ("quiet", QUIET)):
        person = _url("person", quote(_known("actor_pk", key)))
        yield f"a person, the {title}", person
        if title == "busiest":
            later = _next(client, person)
            yield "a person, the second page", later
            yield "a person, the third page", _next(client, later)
            for view in ("requests", "all"):
                yield f"a person: {view}", f"{person}?show={view}"
    for title, key in (("busiest", "1"), ("quiet", "999")):
        history = reverse("admin:shop_product_history", args=[key])
        yield f"history of an object, the {title}", history
        if title == "busiest":
            yield "history of an object, the second page", _next(client, history)
            yield "history of an object: all", f"{history}?show=all"


def _known(field: str, value: str) -> str:
    """Return a value that there is, that one if possible."""
    values = (
        SignalEvent.objects.exclude(**{field: ""}).order_by("-pk").values_list(field, flat=True)
    )
    return value if values.filter(**{field: value})[:1] else str(values[0])


def _requests(client: Client) -> Iterator[Page]:
    url = _url("requests")
    yield "requests", url
    for kind in filter(None, KINDS):
        yield f"requests: kind={kind}", f"{url}?kind={kind}"
    for order in filter(None, ORDERS):
        yield f"requests: order={order}", f"{url}?order={order}"
    for span in SPANS:
        yield f"requests: time={span}", f"{url}?time={span}"
    for key in (BUSIEST, QUIET):
        yield f"requests: actor_pk={key}", f"{url}?actor_pk={key}"
    yield "requests: the second page", _next(client, url)
    for filters in (
        {"order": "slowest", "time": "5m"},
        {"order": "slowest", "time": "24h"},
        {"order": "slowest", "time": "30d"},
        {"order": "firings", "kind": "tasks"},
        {"order": "changes", "kind": "commands"},
        {"order": "slowest", "kind": "errors"},
        {"order": "slowest", "actor_pk": BUSIEST},
        {"order": "slowest", "actor_pk": QUIET},
        {"kind": "undone", "actor_pk": BUSIEST},
        {"kind": "errors", "time": "30d"},
        {"kind": "commands", "time": "30d", "order": "slowest"},
        # As the overview leads here.
        {"name": "GET /product/*/", "origin": "request", "time": "24h"},
        {"name": "GET /country/*/", "origin": "request", "order": "slowest", "time": "24h"},
        {"name": "import_suppliers", "origin": "command", "time": "30d"},
        {"name": "GET /country/", "origin": "request"},
        {"name": "GET /country/*/", "origin": "request", "order": "firings"},
    ):
        title = ", ".join(map("=".join, filters.items()))
        yield f"requests: {title}", f"{url}?{urlencode(filters)}"
    slowest = f"{url}?order=slowest"
    yield "requests: order=slowest, the second page", _next(client, slowest)


def _others(client: Client) -> Iterator[Page]:
    live = _url("live")
    place = re.search(r'data-after="([^"]+)"', client.get(live).content.decode())
    last = SignalEvent.objects.order_by("-pk")[0].pk
    yield "live", live
    yield "live: sender", f"{live}?sender={RARE}"
    yield "live: outcome of a signal", f"{live}?signal=user_login_failed"
    yield "live: its poll", f"{_url('live_events')}?after={place[1] if place else last}"
    yield "live: its poll, with news", f"{_url('live_events')}?after={last - 60}"
    yield "receivers", _url("receivers")
    yield "guide", _url("guide")
    try:
        overview = _url("overview")
    except NoReverseMatch:
        pass
    else:
        for span in ("1h", "24h", "7d", "30d"):
            yield f"overview: time={span}", f"{overview}?time={span}"
    for title, filters in (
        ("a signal", {"signal": "post_save"}),
        ("a rare model", {"sender": RARE, "format": "jsonl"}),
        ("changes, 24h", {"view": "changes", "time": "24h"}),
        ("outcome=rolled_back", {"outcome": "rolled_back"}),
    ):
        yield f"export, the first 1,000 rows: {title}", f"{_url('export')}?{urlencode(filters)}"
