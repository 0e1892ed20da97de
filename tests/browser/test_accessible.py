"""Every page of the log, light and dark, narrow and wide: nothing to complain of for axe-core.

Nor for the browser: a window notes what it complains of, a breach of the site's policy as well.
"""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import Window

LOG = "/admin/signals_demo/signalevent/"
PAGES = {
    "the list": LOG,
    "a search that finds nothing": f"{LOG}?q=nothing+here",
    "an event": f"{LOG}1/change/",
    "the overview": f"{LOG}overview/",
    "the overview of a month": f"{LOG}overview/?time=30d",
    "the requests": f"{LOG}requests/",
    "no requests": f"{LOG}requests/?kind=tasks&time=1h",
    "live": f"{LOG}live/",
    "the receivers": f"{LOG}receivers/",
    "what looks wrong": f"{LOG}receivers/?problems=on",
    "the guide": f"{LOG}guide/",
    "a person": f"{LOG}people/1/",
    "the history of an object": "/admin/playground/book/1/history/",
}


# The admin's own path to a page: its links look like its text.
OTHERS_EXCLUDED = {"exclude": [[".breadcrumbs"]]}
# Reading the style sheets again would itself be a breach of the policy.
NO_PRELOAD = {"preload": False}


def complaints(page: Page) -> list[str]:
    found = Axe().run(page, OTHERS_EXCLUDED, NO_PRELOAD).response["violations"]
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]


NARROW, WIDE = 360, 1440


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[NARROW, WIDE])
def page(request: pytest.FixtureRequest, window: Window, scheme: str) -> Page:
    window.log_in()
    window.page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    window.page.set_viewport_size({"width": request.param, "height": 800})
    return window.page


def overflow(page: Page) -> int:
    """Return how many pixels the page is wider than its window."""
    element = "document.documentElement"
    return int(page.evaluate(f"{element}.scrollWidth - {element}.clientWidth"))


def test_each_page(page: Page) -> None:
    found = {}
    for name, address in PAGES.items():
        page.goto(address)
        found[name] = complaints(page), overflow(page)
    assert {name: each for name, each in found.items() if each != ([], 0)} == {}


def test_an_event_and_its_trace(page: Page) -> None:
    page.goto(LOG)
    page.locator(".field-signal_badge a").first.click()
    page.wait_for_url("**/change/**")
    assert complaints(page) == []
    page.get_by_role("link", name="Whole trace").click()
    page.wait_for_url("**/traces/**")
    assert complaints(page) == []
