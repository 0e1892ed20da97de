"""The guide and the histories in a browser, under a strict Content-Security-Policy."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Window

LOG = "/admin/signals_demo/signalevent/"


def test_the_filter_leaves_what_matches(window: Window) -> None:
    window.log_in()
    page = window.page
    page.goto(f"{LOG}guide/")
    box = page.get_by_label("Find a signal")
    box.fill("m2m")
    expect(page.locator("article:visible")).to_have_count(1)
    expect(page.locator("#m2m_changed")).to_be_visible()
    expect(page.get_by_role("heading", name="Requests")).to_be_hidden()
    expect(page.get_by_text(re.compile(r"1 of \d+ signals"))).to_be_visible()
    box.fill("nothing of the kind")
    expect(page.get_by_text("No signals match.")).to_be_visible()
    page.evaluate("location.hash = 'pre_save'")
    expect(page.locator("#pre_save")).to_be_in_viewport()
    expect(box).to_have_value("")


def test_an_example_can_be_copied(window: Window) -> None:
    window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    window.log_in()
    window.page.goto(f"{LOG}guide/#post_save")
    about = window.page.locator("#post_save")
    about.get_by_text("Connect a receiver").click()
    about.get_by_role("button", name="Copy").last.click()
    expect(about.get_by_role("button", name="Copied")).to_be_visible()
    copied = window.page.evaluate("navigator.clipboard.readText()")
    assert copied == about.locator("pre").last.text_content()


def test_from_an_object_to_its_trace_and_to_the_person(window: Window) -> None:
    window.log_in()
    page = window.page
    page.goto("/admin/playground/author/add/")
    page.goto("/admin/playground/book/add/")
    page.get_by_label("Title").fill("Rails of the South")
    page.get_by_label("Author").select_option("Ada Marsh")
    page.get_by_role("button", name="Save and continue editing").click()
    page.wait_for_url("**/change/")
    page.get_by_label("Copies").fill("12")
    page.get_by_role("button", name="Save and continue editing").click()
    page.wait_for_url("**/change/")
    page.goto(page.url.replace("/change/", "/history/"))
    timeline = page.locator(".signals-timeline")
    expect(timeline.get_by_text("Created")).to_be_visible()
    expect(timeline.locator("ins", has_text=re.compile("^12$"))).to_be_visible()
    page.get_by_role("link", name="Admin history").click()
    expect(page.get_by_text("Changed Copies.")).to_be_visible()
    page.go_back()
    timeline.get_by_role("link", name="admin", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Activity of admin")
    page.locator(".signals-source a").first.click()
    expect(page.get_by_text("request_started").first).to_be_visible()
