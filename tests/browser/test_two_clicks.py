"""From the admin's front page, each question has its answer within two clicks."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Window


@pytest.fixture
def page(window: Window) -> Page:
    """Somebody has just come to the admin's front page, and has looked at nothing else."""
    window.log_in()
    window.page.goto("/admin/")
    # It is stored in the background, and is on the first page of events for a while only.
    window.page.wait_for_timeout(1000)
    return window.page


def follow(page: Page, *links: str | Locator) -> None:
    """Click on each link in turn, and wait until the page that it leads to is there as a whole."""
    for link in links:
        if isinstance(link, str):
            link = page.locator("#content").get_by_role("link", name=link, exact=True).first
        with page.expect_navigation():
            link.click()


EVENTS = "Signal events"


def test_what_happened_in_this_request_and_how_long_did_it_take(page: Page) -> None:
    follow(page, EVENTS)
    front = page.locator("td.field-origin_link a[title='GET /admin/']").first
    for _ in range(40):  # it was a moment ago, and is stored in the background
        if front.count():
            break
        page.wait_for_timeout(250)
        page.reload()
    follow(page, front)
    expect(page.get_by_role("heading", level=1)).to_contain_text("GET /admin/")
    expect(page.locator(".signals-figures")).to_contain_text(re.compile(r"Duration|ms"))
    expect(page.locator(".signals-waterfall").first).to_contain_text("request_started")
    assert page.locator(".signals-waterfall .signals-bar").count() > 3


def test_what_is_happening_right_now(page: Page) -> None:
    follow(page, EVENTS, "Live")
    expect(page.get_by_role("heading", level=1)).to_have_text("Live")
    expect(page.get_by_role("link", name="request_started").first).to_be_visible()


def test_who_is_listening_to_this_signal(page: Page) -> None:
    follow(page, EVENTS, "Receivers")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Receivers")
    expect(page.get_by_role("heading", name="post_save").first).to_be_visible()
    expect(
        page.get_by_text(re.compile(r"signals_demo/capture/\w+\.py:\d+")).first
    ).to_be_attached()


def test_what_has_this_object_been_through(page: Page) -> None:
    follow(page, EVENTS, page.locator("td.field-subject a").first)
    texts = page.locator("td.field-subject").all_inner_texts()
    assert len(texts) > 1
    assert len(set(texts)) == 1


def test_is_anything_odd_today(page: Page) -> None:
    follow(page, EVENTS, "Overview")
    tiles = page.locator(".signals-tiles li")
    expect(tiles).to_contain_text(["Firings", "Failed logins", "Exceptions", "Rolled back"])
    expect(page.locator(".signals-chart rect").first).to_be_visible()


def test_a_bar_leads_to_the_events_behind_it(page: Page) -> None:
    follow(page, EVENTS, "Overview")
    page.locator(".signals-chart a").last.click()
    expect(page.locator("#result_list tbody tr").first).to_be_visible()
    expect(page.locator("#changelist-filter .selected").first).to_be_visible()
