"""Django's Content-Security-Policy with nonces: what the pages load carries the nonce."""

import re
from typing import Any

import pytest
from django.test import Client

from project.playground.models import Tag
from signals_demo.factories import checkout_trace
from signals_demo.tracing.ignored import NAME as NEWS
from signals_demo.web.pages import PAGES
from tests import policy
from tests.factories import UserFactory
from tests.web.test_change_list import LIST, Markup

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_made_events")]


@pytest.fixture
def addresses(settings: Any) -> list[str]:
    """The address of each page that is HTML."""
    settings.DEBUG = True  # for the playground's own pages
    user = UserFactory.create()
    event = checkout_trace(user)[0]
    captured = {"<str:actor_pk>": str(user.pk), "<str:trace_id>": event.trace_id}
    routes = [page.route for page in PAGES if page.name not in (NEWS, "export")]
    pages = [
        re.sub("<.*?>", lambda found: captured[found[0]], route)
        for route in routes
        if not route.endswith(".json")
    ]
    return [
        *(LIST + page for page in ["", f"{event.pk}/change/", *pages, "traces/none/"]),
        f"/admin/playground/tag/{Tag.objects.create(name='new').pk}/history/",
        "/",
        "/lessons/model/",
    ]


def loaded(text: str) -> dict[str, str | None]:
    """Return the nonce of each script and style sheet of a page, by its address."""
    return {
        attrs.get("src") or attrs.get("href") or "inline": attrs.get("nonce")
        for tag, attrs in Markup(text).found
        if tag in ("script", "style") or (tag == "link" and attrs.get("rel") == "stylesheet")
    }


@pytest.mark.applies(policy.HAS_NONCES)
def test_what_a_page_loads_has_the_nonce_of_the_answer(
    admin_client: Client, addresses: list[str], settings: Any
) -> None:
    settings.MIDDLEWARE = policy.MIDDLEWARE
    settings.TEMPLATES = policy.TEMPLATES
    settings.SECURE_CSP = policy.SECURE_CSP
    for address in addresses:
        response = admin_client.get(address)
        [nonce] = set(re.findall("'nonce-(.*?)'", response.headers["Content-Security-Policy"]))
        found = loaded(response.content.decode())
        if not policy.ADMIN_HAS_NONCES:
            found = {url: each for url, each in found.items() if "/admin/" not in url}
        assert found, address
        assert set(found.values()) == {nonce}, address


def test_without_such_a_policy_nothing_has_a_nonce(
    admin_client: Client, addresses: list[str]
) -> None:
    for address in addresses:
        found = loaded(admin_client.get(address).content.decode())
        assert set(found.values()) == {None}, address
