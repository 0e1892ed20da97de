"""The table of filters: each works the same in the list, the download, commands and live page."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from signals_demo.factories import SignalEventFactory
from signals_demo.models import SignalEvent
from signals_demo.query.filters import FILTERS
from signals_demo.tracing.ignored import NAME as NEWS
from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_made_events")]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
NOW = datetime.now(UTC)
YESTERDAY = NOW - timedelta(days=1)


@dataclass
class Example:
    """A value of a filter, fields of an event that it chooses, and a value that is refused."""

    good: str
    fields: dict[str, Any]
    bad: str
    hint: str


NO_TIME = "is not a valid time. Use 24h"
NUL = "contains a character that no event can contain."
EXAMPLES = {
    "time": Example("12h", {"occurred_at": NOW}, "noon", NO_TIME),
    "since": Example("12h", {"occurred_at": NOW}, "noon", NO_TIME),
    "until": Example("36h", {"occurred_at": NOW - timedelta(days=2)}, "9999w/", NO_TIME),
    "view": Example("logins", {"signal": "user_logged_in"}, "login", "Use one of changes"),
    "family": Example("auth", {"signal": "user_logged_in"}, "auths", "Use one of auth, model"),
    "signal": Example(
        "django.db.models.signals.pre_save", {"signal": "pre_save"}, "pre_sav",
        "Did you mean pre_save?",
    ),
    "sender": Example("auth.group", {"sender": "auth.Group"}, "auth.Group\0", NUL),
    "object": Example("auth.User 9", {"object_pk": "9"}, "9\0", NUL),
    "outcome": Example(
        "rolled_back", {"outcome": "rolled_back"}, "lost", "Use one of committed"
    ),
    "origin": Example("task", {"origin": "task"}, "cron", "Use one of request"),
    "actor": Example("ada", {"actor": "ada"}, "ada\0", NUL),
    "actor_pk": Example("7", {"actor_pk": "7"}, "7\0", NUL),
    "database": Example("replica", {"database": "replica"}, "replica\0", NUL),
    "trace": Example(
        f"00-{TRACE}-{'1' * 16}-01", {"trace_id": TRACE}, "zzz", "Use 32 hexadecimal digits"
    ),
    "q": Example("auth.User 9", {"object_pk": "9"}, "what is this?", "is not a valid search"),
}  # fmt: skip


def url_of(name: str) -> str:
    return reverse(f"admin:signals_demo_signalevent_{name}")


def listed(reader: Client, name: str, value: str) -> list[int]:
    response = reader.get(url_of("changelist"), {name: value})
    assert response.status_code == 200
    return [event.pk for event in response.context["cl"].result_list]


def downloaded(reader: Client, name: str, value: str) -> list[int]:
    response: Any = reader.get(url_of("export"), {name: value, "format": "jsonl"})
    assert response.status_code == 200
    return [json.loads(line)["id"] for line in response.getvalue().decode().splitlines()]


def live(reader: Client, name: str, value: str) -> list[int]:
    response = reader.get(url_of("live"), {name: value})
    assert response.status_code == 200
    return [node.event.pk for trace in response.context["traces"] for node in trace]


def news(reader: Client, name: str, value: str) -> list[int]:
    response = reader.get(url_of(NEWS), {name: value, "after": "0"})
    assert response.status_code == 200
    keys = SignalEvent.objects.values_list("pk", flat=True)
    return [pk for pk in keys if f"/{pk}/change/" in response.json()["html"]]


def _run(command: str, *options: str) -> list[int]:
    output = io.StringIO()
    call_command(command, *options, stdout=output)
    return [json.loads(line)["id"] for line in output.getvalue().splitlines()]


def exported(_reader: Client, name: str, value: str) -> list[int]:
    return _run("signals_export", "--format=jsonl", f"--{FILTERS[name].option}={value}")


def tailed(_reader: Client, name: str, value: str) -> list[int]:
    option = f"--{FILTERS[name].option}={value}"
    return _run("signals_tail", "--no-follow", "--json", option)


def test_each_filter_has_an_example() -> None:
    assert EXAMPLES.keys() == FILTERS.keys()


def test_each_filter_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reading.md").read_text(encoding="utf-8")
    for each in FILTERS.values():
        assert f"`--{each.option} " in text


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("read", [listed, downloaded, exported, tailed, live, news])
def test_each_filter_works_in_each_place(
    reader: Client, name: str, read: Callable[[Client, str, str], list[int]]
) -> None:
    SignalEventFactory.create(occurred_at=YESTERDAY)
    example = EXAMPLES[name]
    wanted = SignalEventFactory.create(**{"occurred_at": YESTERDAY, **example.fields})
    assert read(reader, name, example.good) == [wanted.pk]


def _page(reader: Client, page: str, name: str, value: str) -> str:
    place = {"after": "0"} if page == NEWS else {}
    response = reader.get(url_of(page), {name: value, **place}, follow=True)
    assert response.status_code in (200, 400)
    return response.content.decode()


@pytest.mark.parametrize("name", FILTERS)
def test_a_value_that_means_nothing_is_refused_in_each_place(reader: Client, name: str) -> None:
    bad, hint = EXAMPLES[name].bad, EXAMPLES[name].hint
    event = SignalEventFactory.create()
    shown = bad.replace("\0", "\\x00")
    for page in ("changelist", "export", "live", NEWS):
        text = _page(reader, page, name, bad)
        if (page, name) != ("changelist", "q"):  # a text in a search box needs no name
            assert f"{name}: " in text.lower(), page
        assert f"“{shown}”" in text, page
        assert hint in text or escape(hint) in text, page
        assert f"/{event.pk}/change/" not in text or page == "changelist"
    for command in (exported, tailed):
        with pytest.raises(CommandError) as refusal:
            command(reader, name, bad)
        assert str(refusal.value).startswith(f"--{FILTERS[name].option}: ")
        assert f"“{shown}”" in str(refusal.value)
        assert hint in str(refusal.value)


def test_a_refused_address_of_the_list_shows_everything(reader: Client) -> None:
    event = SignalEventFactory.create()
    response = reader.get(url_of("changelist"), {"outcome": "lost"}, follow=True)
    assert [each.pk for each in response.context["cl"].result_list] == [event.pk]


def test_a_search_that_is_not_understood_shows_nothing_and_what_can_be_searched(
    reader: Client,
) -> None:
    SignalEventFactory.create()
    response = reader.get(url_of("changelist"), {"q": "what is this?"})
    assert response.context["cl"].result_list == []
    assert "auth.User 5" in response.content.decode()


@pytest.mark.parametrize("name", [name for name in FILTERS if name not in ("view", "q")])
def test_a_filter_that_is_used_is_shown_beside_the_list(reader: Client, name: str) -> None:
    SignalEventFactory.create()
    good = EXAMPLES[name].good
    [used] = [
        spec
        for spec in reader.get(url_of("changelist"), {name: good}).context["cl"].filter_specs
        if spec.parameter_name == name
    ]
    assert used.title == FILTERS[name].label
    assert used.is_open


def test_all_values_of_a_filter_count_in_the_list_too(reader: Client) -> None:
    UserFactory.create()
    found = [SignalEventFactory.create(sender=sender).pk for sender in ("auth.User", "auth.Group")]
    SignalEventFactory.create(sender="shop.Order")
    response = reader.get(f"{url_of('changelist')}?sender=auth.User&sender=auth.Group")
    assert sorted(event.pk for event in response.context["cl"].result_list) == found
