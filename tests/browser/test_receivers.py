"""The page of receivers under a strict policy: it opens, narrows down and leads to a signal."""

from playwright.sync_api import expect

from tests.browser.conftest import Window

PAGE = "/admin/signals_demo/signalevent/receivers/"


def test_the_page_narrows_down(window: Window) -> None:
    window.log_in()
    page = window.page
    page.goto("/admin/signals_demo/signalevent/")
    page.get_by_role("navigation").get_by_role("link", name="Receivers").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Receivers")
    page.get_by_label("Sender").select_option("playground.Book")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#post_save")).to_contain_text("count_copies")
    expect(page.locator("#user_logged_in")).to_have_count(0)
    page.get_by_role("link", name="Show all").click()
    expect(page.locator("#user_logged_in")).to_contain_text("welcome")


def test_an_address_leads_to_a_signal_that_is_folded_away(window: Window) -> None:
    window.log_in()
    window.page.goto(f"{PAGE}#pre_init")
    expect(window.page.locator("#pre_init")).to_be_in_viewport()
