"""The page of a trace, as somebody finds and reads it."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Window

EVENTS = "/admin/signals_demo/signalevent/"


@pytest.fixture
def page(window: Window) -> Page:
    window.log_in()
    return window.page


def open_command(page: Page) -> None:
    """Open the trace of the command that has set the demo up, by the list."""
    page.goto(f"{EVENTS}?signal=post_migrate&origin=command")
    page.locator("td.field-origin_link a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("demo")
    page.wait_for_load_state()


def test_from_an_event_to_its_row_and_back(page: Page) -> None:
    page.goto(f"{EVENTS}?signal=user_logged_in")
    page.locator("#result_list .field-signal_badge a").first.click()
    page.get_by_role("link", name="Whole trace").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("POST /admin/login/")
    row = page.locator("li:target")
    expect(row).to_contain_text("user_logged_in")
    expect(row).to_be_in_viewport()
    row.get_by_role("link", name="user_logged_in").click()
    expect(page.get_by_role("heading", level=2, name="Event", exact=True)).to_be_visible()


def test_the_bars_stand_where_the_scale_is(page: Page) -> None:
    page.goto(f"{EVENTS}?signal=user_logged_in")
    page.locator("td.field-origin_link a").first.click()
    expect(page.locator(".signals-scale svg")).to_be_visible()
    page.wait_for_load_state()  # until then rows come that make the tree wider
    scale = page.locator(".signals-scale svg").bounding_box()
    bars = [bar.bounding_box() for bar in page.locator(".signals-bar").all()]
    assert len(bars) > 5
    for bar in bars:
        assert scale
        assert bar
        assert abs(bar["x"] - scale["x"]) < 1
        assert abs(bar["width"] - scale["width"]) < 1
    assert len({bar["y"] for bar in bars if bar}) == len(bars)


def test_a_long_trace_is_read_in_parts(page: Page) -> None:
    open_command(page)
    page.get_by_role("link", name="Later").first.click()
    expect(page).to_have_url(re.compile(r"\?from="))
    expect(page.get_by_role("link", name="Later")).to_have_count(0)
    page.get_by_role("link", name="Beginning").first.click()
    page.locator(".signals-strip a").last.click()
    expect(page).to_have_url(re.compile(r"\?from="))


def test_init_signals_are_hidden_by_a_link_that_can_be_shared(page: Page) -> None:
    open_command(page)
    badges = page.locator(".signals-rows .signals-badge")
    expect(badges.filter(has_text=re.compile("^pre_init$")).first).to_be_attached()
    page.get_by_role("link", name=re.compile("Hide .* init signals")).click()
    page.reload()
    expect(badges.filter(has_text=re.compile("^pre_init$"))).to_have_count(0)
    expect(badges.first).to_be_visible()


def test_a_run_is_opened_with_the_keyboard(page: Page) -> None:
    open_command(page)
    run = page.locator("details.signals-run").first
    rows = run.locator("li")
    expect(rows.first).to_be_hidden()
    run.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(rows.first).to_be_visible()


@pytest.mark.parametrize("width", [375, 768, 1440])
def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    open_command(page)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_file_is_downloaded(page: Page) -> None:
    open_command(page)
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("Download")).click()
    assert re.fullmatch(r"trace-[0-9a-f]{32}\.json", download.value.suggested_filename)
