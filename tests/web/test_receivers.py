"""The page of receivers: what it shows, how it is narrowed down, and what it costs."""

import os
import re
import sys
from collections.abc import Iterator
from html import unescape
from io import StringIO
from types import ModuleType
from typing import Any

import pytest
from django.core.management import call_command
from django.core.signals import request_finished
from django.db import connection
from django.db.models import signals
from django.dispatch import Signal
from django.test import Client
from django.test.utils import CaptureQueriesContext

from project.playground.models import Order
from signals_demo import catalog
from signals_demo.testing import capture_signals
from tests.factories import UserFactory
from tests.web.test_change_list import LIST, Markup

pytestmark = pytest.mark.django_db

PAGE = f"{LIST}receivers/"
paid = Signal()


@pytest.fixture
def twice() -> Iterator[None]:
    """Connect a receiver twice."""

    def confirm(**kwargs: Any) -> None: ...

    for uid in ("one", "two"):
        signals.pre_save.connect(confirm, sender=Order, weak=False, dispatch_uid=uid)
    yield
    for uid in ("one", "two"):
        assert signals.pre_save.disconnect(sender=Order, dispatch_uid=uid)


def text_of(client: Client, query: str = "") -> str:
    response = client.get(PAGE + query)
    assert response.status_code == 200
    return response.content.decode()


def shown(text: str) -> dict[str, list[str]]:
    """Return the signals of a page, each with the names of the receivers that it shows."""
    articles = re.findall(r'<article [^>]*id="([^"]+)">(.*?)</article>', text, re.DOTALL)
    return {unescape(name): re.findall(r"<b [^>]*>([^<]+)</b>", rest) for name, rest in articles}


def test_who_may_see_it(reader: Client) -> None:
    assert reader.get(PAGE).status_code == 200
    assert reader.post(PAGE).status_code == 405
    stranger = Client()
    assert stranger.get(PAGE).status_code == 302
    stranger.force_login(UserFactory.create(is_staff=True))
    assert stranger.get(PAGE).status_code == 403


def test_the_navigation_leads_to_it(reader: Client) -> None:
    assert PAGE in Markup(reader.get(LIST).content.decode()).links
    assert LIST in Markup(text_of(reader)).links


def test_every_signal_has_an_anchor(reader: Client) -> None:
    names = shown(text_of(reader))
    assert names.keys() >= set(catalog.built_in())
    assert f"{__name__}.paid" in names


def test_the_receivers_of_the_project_stand_out(reader: Client) -> None:
    text = text_of(reader)
    loud, _fold, quiet = text.partition("signals have only receivers of Django")
    assert shown(loud)["user_logged_in"] == ["welcome"]
    assert shown(loud)["post_save"] == ["count_copies", "confirm"]
    assert "pre_init" not in shown(loud)
    assert len(shown(quiet)["pre_init"]) == 1
    assert "project/playground/receivers.py:" in loud
    assert "2 more, of Django or signals_demo" in loud


def test_numbers_are_not_for_people(reader: Client, settings: Any) -> None:
    settings.USE_THOUSAND_SEPARATOR = True

    def receive(**kwargs: Any) -> None: ...

    for number in range(1000):  # they are one line of the page
        paid.connect(receive, weak=False, dispatch_uid=number + 1)
    paid.connect(lambda **kwargs: None, weak=False)
    try:
        text = text_of(reader, f"?signal={__name__}.paid")
    finally:
        paid.receivers.clear()
    assert '<li value="1001">' in text
    assert f"This is process {os.getpid()}." in text


def test_it_says_which_process_it_shows(reader: Client) -> None:
    assert f"This is process {os.getpid()}. Its apps have been ready since" in text_of(reader)


def test_one_signal_shows_all_its_receivers_in_calling_order(reader: Client) -> None:
    with capture_signals():
        found = shown(text_of(reader, "?signal=user_logged_in"))
    assert list(found) == ["user_logged_in"]
    assert sorted(found["user_logged_in"]) == [
        "general_receiver.&lt;locals&gt;.receive", "update_last_login", "welcome",
    ]  # fmt: skip


def test_one_sender(reader: Client) -> None:
    found = shown(text_of(reader, "?sender=playground.order"))
    assert found["post_save"] == ["confirm"]
    assert "user_logged_in" not in found
    assert "request_started" not in found


@pytest.fixture
def odd_receiver() -> Iterator[str]:
    """Connect what is named as no text can be, and as a terminal would take for an order."""
    name = "odd\udcff\x1b[31m"
    made: dict[str, Any] = {}
    exec(compile("def receive(**kwargs): pass", f"/{name}.py", "exec"), made)  # noqa: S102
    made["receive"].__qualname__ = name
    request_finished.connect(made["receive"], sender=name, dispatch_uid=name)
    yield name
    request_finished.disconnect(sender=name, dispatch_uid=name)


@pytest.mark.usefixtures("odd_receiver")
def test_a_name_that_is_no_text(reader: Client) -> None:
    output = StringIO()
    call_command("signals_list", "--signal", "request_finished", stdout=output)
    assert "\\udcff\\x1b" in output.getvalue()
    assert all(line.isprintable() for line in output.getvalue().splitlines())
    assert "odd\\udcff" in text_of(reader, "?signal=request_finished")


def test_whose_code(reader: Client) -> None:
    found = shown(text_of(reader, "?owner=django"))
    assert found["user_logged_in"] == ["update_last_login"]
    assert "post_save" not in found


def test_only_what_looks_wrong(reader: Client, twice: None) -> None:
    text = text_of(reader, "?problems=on&sender=playground.Order")
    assert shown(text) == {
        "pre_save": [*shown(text)["pre_save"][:-1], shown(text)["pre_save"][-1]]
    }
    assert "connected twice" in text
    assert "so it runs twice for each firing" in text
    assert "?problems=on" in Markup(text_of(reader)).links


def test_nothing_is_left_of_a_choice(reader: Client) -> None:
    assert "No problems found." in text_of(reader, "?problems=on&signal=pre_delete")


@pytest.mark.parametrize(
    ("query", "remark"),
    [
        ("signal=post_sav", "There is no post_sav here. Did you mean post_save?"),
        ("sender=playground.Bok", "Did you mean playground.Book?"),
        ("owner=nobody", "There is no nobody here."),
        ("signal=%3Cb%3E", "There is no &lt;b&gt; here."),
        ("signal=%00", "There is no"),
    ],
)
def test_a_name_that_is_not_there(reader: Client, query: str, remark: str) -> None:
    text = text_of(reader, f"?{query}")
    assert remark in text
    assert shown(text).keys() >= set(catalog.built_in())


def test_names_are_text(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def receive(**kwargs: Any) -> None: ...

    receive.__qualname__ = "<script>alert(1)</script>"
    signal = Signal()
    signal.connect(receive, dispatch_uid="<img src=x>")
    module = ModuleType("hostile")
    vars(module)['"><script>'] = signal
    monkeypatch.setitem(sys.modules, "hostile", module)
    text = text_of(reader)
    assert "&lt;script&gt;alert(1)" in text
    assert "&lt;img src=x&gt;" in text
    assert "<script>alert" not in text
    assert "<img" not in text
    assert '"><script>' not in text


def test_it_runs_no_query_of_its_own(reader: Client) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        text_of(reader)
    tables = [re.search(r"FROM .(\w+)", each["sql"]) for each in queries.captured_queries]
    found = {table[1] for table in tables if table}
    assert found <= {"django_session", "auth_user", "auth_permission"}


def test_nothing_is_inline(reader: Client) -> None:
    page = Markup(text_of(reader)).found
    attributes = {name for _tag, attributes in page for name in attributes}
    assert not {name for name in attributes if name.startswith("on") or name == "style"}
    assert "style" not in {tag for tag, _attributes in page}
    assert all("src" in attributes or attributes.get("type") == "application/json"
               for tag, attributes in page if tag == "script")  # fmt: skip
