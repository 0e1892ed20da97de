"""Every page of the log and what it leads to, in sites whose settings are not the usual ones."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import urljoin

import pytest
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.test import Client, override_settings
from django.urls import path, set_script_prefix
from django.utils import translation

from project.playground.models import Author
from signals_demo.admin import SignalEventAdmin, SignalHistoryMixin
from signals_demo.factories import SignalEventFactory, checkout_trace, failed_trace
from signals_demo.models import SignalEvent
from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_made_events")]

MANIFEST = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": f"{__name__}.NothingOfOurs"},
}
SITES: dict[str, dict[str, Any]] = {
    "from right to left": {
        "LANGUAGE_CODE": "ar",
        "LANGUAGES": [("ar", "العربية")],
        "TIME_ZONE": "Asia/Kathmandu",
        "APPEND_SLASH": False,
    },
    "below a prefix, without translations": {
        "FORCE_SCRIPT_NAME": "/below",
        "USE_I18N": False,
        "LOGIN_URL": "/elsewhere/",
    },
    "thousands separated, files not collected": {
        "USE_THOUSAND_SEPARATOR": True,
        "LANGUAGE_CODE": "de",
        "DEBUG": False,
        "STORAGES": MANIFEST,
    },
    "an admin site of its own": {"ROOT_URLCONF": __name__},
}
"""Several to a site, for each page takes its time."""


class NothingOfOurs:
    """A storage that has the files of Django's admin, and none of ours, in its manifest."""

    def url(self, name: str) -> str:
        if "signals_demo" in name:
            raise ValueError(f"Missing staticfiles manifest entry for {name!r}")
        return f"/static/{name}"


class Office(admin.AdminSite):
    """A site that lets everybody in whom it knows."""

    def has_permission(self, request: HttpRequest) -> bool:
        return not isinstance(request.user, AnonymousUser)


class AuthorAdmin(SignalHistoryMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    """The author with its history."""


office = Office(name="office")
office.register(SignalEvent, SignalEventAdmin)
office.register(Author, AuthorAdmin)
urlpatterns = [path("admin/", office.urls)]

KEY = 1_234_567
MOST = 32


@pytest.fixture(params=SITES)
def site(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    changed = SITES[request.param]
    prefix = changed.get("FORCE_SCRIPT_NAME", "")
    set_script_prefix(f"{prefix}/")  # a server does this
    with override_settings(**changed):
        yield changed
    set_script_prefix("/")
    translation.deactivate()


@pytest.fixture
def log(client: Client) -> Client:
    """Fill the log, and log in as somebody who is no more than allowed to read it."""
    user = UserFactory.create(pk=KEY, is_staff=True, is_superuser=True)
    author = Author.objects.create(pk=KEY, name="Ada")
    SignalEventFactory.create(
        pk=KEY, sender="playground.Author", object_pk=str(author.pk), count=KEY
    )
    checkout_trace(user)
    failed_trace(user)
    client.force_login(user)
    return client


def shape(address: str) -> tuple[str, str]:
    """Return what addresses of one kind have in common: of each, one is looked at."""
    where, _mark, query = address.partition("?")
    name = query.partition("=")[0]
    return re.sub(r"[0-9a-f]{32}|\d+", "…", where), name


def links(address: str, text: str, prefix: str) -> Iterator[str]:
    ids = set(re.findall(r'\bid="([^"]+)"', text))
    for found in re.findall(r'<a\b[^>]*?href="([^"]*)"', text):
        target, _mark, fragment = unescape(found).partition("#")
        assert target or not fragment or fragment in ids, f"{address} leads to #{fragment}"
        whole = urljoin(prefix + address, target)
        if whole.startswith(f"{prefix}/admin/signals_demo/"):
            yield whole.removeprefix(prefix)


def test_each_page_works_and_leads_to_pages_that_do(log: Client, site: dict[str, Any]) -> None:
    prefix = site.get("FORCE_SCRIPT_NAME", "")
    todo = ["/admin/signals_demo/signalevent/", f"/admin/playground/author/{KEY}/history/"]
    seen: dict[tuple[str, str], str] = {}
    while todo and len(seen) < MOST:
        address = todo.pop(0)
        if shape(address) in seen:
            continue
        seen[shape(address)] = address
        response = log.get(address)
        assert response.status_code == 200, address
        text = (b"".join(response) if response.streaming else response.content).decode()
        todo.extend(links(address, text, prefix))
        todo.sort(key=lambda each: "?" in each)  # each page before the filters of one
    where = {each.rpartition("/admin/signals_demo/signalevent/")[2] for each, _query in seen}
    for page in ("overview/", "requests/", "live/", "receivers/", "guide/", "export/"):
        assert page in where
    for page in ("…/change/", "people/…/", "traces/…/", "traces/…/trace.json"):
        assert page in where


def test_a_page_says_which_files_are_missing(log: Client) -> None:
    with override_settings(STORAGES=MANIFEST):
        assert "collectstatic" in log.get("/admin/signals_demo/signalevent/").content.decode()
    assert "collectstatic" not in log.get("/admin/signals_demo/signalevent/").content.decode()
