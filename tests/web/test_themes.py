"""Templates of themes that differ from Django's: each page has what they read, and works."""

import re
from copy import deepcopy
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings

from signals_demo.factories import checkout_trace
from signals_demo.models import SignalEvent
from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_made_events")]

LOG = "/admin/signals_demo/signalevent/"
BASE = """{% load i18n admin_urls admin_modify %}<title>{% block title %}{% endblock %}</title>
<style>{% block extrastyle %}{% endblock %}</style>{% block extrahead %}{{ media }}{% endblock %}
<body class="{% block bodyclass %}{% endblock %}">{% block breadcrumbs %}{% endblock %}
{% block content %}{% endblock %}{% block footer %}{% if not cl %}{% submit_row %}{% endif %}
{% if has_absolute_url %}{{ absolute_url }}{% endif %}{{ is_popup|yesno }}{{ preserved_filters }}
{% add_preserved_filters opts|admin_urlname:"changelist" %}{% endblock %}"""
LIST_OF_FEW_BLOCKS = """{% extends "admin/base_site.html" %}{% load admin_list %}
{% block content %}{% search_form cl %}{% for spec in cl.filter_specs %}
{% admin_list_filter cl spec %}{% endfor %}{% result_list cl %}{% pagination cl %}{% endblock %}"""
LIST_WITH_FILTERS_IN_SEARCH = """{% extends "admin/base_site.html" %}{% load admin_list %}
{% block content %}{% block search %}{% for spec in cl.filter_specs %}
{% admin_list_filter cl spec %}{% endfor %}{% endblock %}{% result_list cl %}
{% block object-tools %}{% endblock %}{% pagination cl %}{% endblock %}"""
FILTER = "{% for choice in choices %}<i>{{ choice.query_string }}</i>{% endfor %}"

THEMES = {
    "a row of buttons below each page": {"base.html": BASE},
    "few blocks in the list": {"base.html": BASE, "change_list.html": LIST_OF_FEW_BLOCKS},
    "the filters in another block": {
        "base.html": BASE,
        "change_list.html": LIST_WITH_FILTERS_IN_SEARCH,
        "filter.html": FILTER,
    },
}


@pytest.fixture(params=THEMES)
def theme(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    folder = tmp_path / "admin"
    folder.mkdir()
    for name, text in THEMES[request.param].items():
        (folder / name).write_text(text)
    templates = deepcopy(settings.TEMPLATES)
    templates[0]["DIRS"] = [str(tmp_path), *templates[0]["DIRS"]]
    with override_settings(TEMPLATES=templates):
        yield request.param


@pytest.fixture(autouse=True)
def _variables_resolve() -> None:
    """Stand in for the guard against variables that do not resolve: a theme may read any."""


PAGES = (
    *("", "?q=nothing+here", "?view=logins", "overview/", "requests/", "requests/?kind=tasks"),
    *("live/", "receivers/", "guide/", "{pk}/change/", "people/{user}/", "traces/{trace}/"),
    *("traces/none/",),
)


@pytest.fixture
def known(reader: Client) -> dict[str, Any]:
    user = UserFactory.create()
    event = checkout_trace(user)[0]
    return {"pk": event.pk, "user": user.pk, "trace": event.trace_id}


def test_each_page_has_what_a_theme_reads(
    theme: str, reader: Client, known: dict[str, Any]
) -> None:
    for page in PAGES:
        response = reader.get(LOG + page.format(**known))
        assert response.status_code == (404 if "none" in page else 200), page
        assert "signals-tabs" in response.content.decode(), page


def test_the_list_has_the_filters_of_the_theme(theme: str, reader: Client) -> None:
    checkout_trace(UserFactory.create())
    text = reader.get(LOG).content.decode()
    assert "?family=model" in text
    if "filter.html" in THEMES[theme]:
        assert "<i>?family=model</i>" in text
    assert "Download CSV" in text


def test_the_list_goes_on_in_each_theme(
    theme: str, reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signals_demo.admin.SignalEventAdmin.list_per_page", 2)
    checkout_trace(UserFactory.create())
    assert SignalEvent.objects.count() > 2
    assert "?after=" in reader.get(LOG).content.decode()


# Forms


class Forms(HTMLParser):
    """Notes the names of the fields of each form."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[list[str]] = []
        self._is_inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._is_inside = True
            self.forms.append([])
        if self._is_inside and tag in ("input", "select", "textarea") and given.get("name"):
            self.forms[-1].append(str(given["name"]))

    def handle_endtag(self, tag: str) -> None:
        self._is_inside = self._is_inside and tag != "form"


SEVERAL = {"_selected_action"}  # a box in each row


@pytest.mark.parametrize(
    "page",
    [
        "requests/?kind=requests",
        "requests/?kind=errors&order=slowest&time=24h&actor_pk=1&origin=request&name=GET+/",
        "?view=logins&family=auth&signal=user_logged_in&time=24h&q=admin&outcome=open",
        "live/?family=auth&signal=user_logged_in&sender=auth.User&actor=admin",
        "receivers/?signal=post_save&sender=auth.User&owner=django&problems=on",
        "overview/?time=7d",
    ],
)
def test_a_form_has_each_field_once_and_keeps_what_is_chosen(reader: Client, page: str) -> None:
    text = reader.get(LOG + page).content.decode()
    for form in Forms(text).forms:
        names = [name for name in form if name not in SEVERAL]
        assert len(names) == len(set(names)), names
    chosen = set(re.findall(r"[?&](\w+)=", page))
    asking = [set(form) for form in Forms(text).forms if "csrfmiddlewaretoken" not in form]
    if asking:
        assert any(chosen <= form for form in asking), (chosen, asking)
