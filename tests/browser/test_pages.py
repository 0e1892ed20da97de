"""Every page of the playground opens, and every button on it does what it says."""

import csv
import re

import pytest
from playwright.sync_api import expect

from project.playground.lessons import LESSONS
from project.playground.registry import Action, actions
from tests.browser.conftest import Window

LIST = "/admin/signals_demo/signalevent/"
SECONDS_OF_A_CHILD_PROCESS = 30


def name_of(action: Action) -> str:
    return f"{action.lesson}-{action.name}"


def test_the_front_page_leads_to_every_lesson(window: Window) -> None:
    window.page.goto("/")
    for lesson in LESSONS:
        window.page.get_by_role("navigation").get_by_role("link", name=str(lesson.title)).click()
        heading = window.page.get_by_role("heading", level=1)
        expect(heading).to_have_text(str(lesson.title))


@pytest.mark.parametrize("action", actions, ids=name_of)
def test_a_button_shows_what_it_fires(window: Window, action: Action) -> None:
    window.log_in()
    window.page.goto(f"/lessons/{action.lesson}/")
    section = window.page.locator(f"#{action.name}")
    expect(section.locator(".waiting")).to_be_visible()
    section.get_by_role("button").click()
    fired = section.locator(".fired:not(.waiting)")
    expect(fired).to_be_visible(timeout=SECONDS_OF_A_CHILD_PROCESS * 1000)
    expect(fired).to_have_text(re.compile("Nothing fired|[1-9][0-9]* firing"))
    if action.lesson == "silence":
        expect(fired).to_contain_text("Nothing fired")
    else:
        badges = fired.locator(f".signals-badge.signals-{action.lesson}")
        expect(badges.first).to_be_visible()
    expect(window.page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("view", ["", "changes", "logins", "requests", "errors", "schema"])
def test_the_admin_shows_the_events(window: Window, view: str) -> None:
    window.log_in()
    window.page.goto(f"{LIST}?view={view}")
    expect(window.page.locator("[aria-label='Quick views'] [aria-current]")).to_have_count(1)
    if window.page.locator("#result_list").count():
        window.page.locator("#result_list .field-what a").first.click()
        expect(window.page.locator(".signals-tree .signals-current")).to_be_visible()


def test_ticked_events_are_downloaded(window: Window) -> None:
    window.log_in()
    page = window.page
    page.goto(LIST)
    for box in page.locator("#result_list tbody .action-select").all()[:2]:
        box.check()
    expect(page.locator(".action-counter")).to_contain_text("2 of ")
    page.locator("select[name=action]").select_option(label="Download selected events as CSV")
    with page.expect_download() as download:
        page.get_by_role("button", name="Run").click()
    with download.value.path().open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 2


# For each element with such a text of its own: how it keeps it from what stands beside it.
TURNED = """() => [...document.body.querySelectorAll("*")]
    .filter(one => [...one.childNodes].some(
        child => child.nodeType === Node.TEXT_NODE && child.data.includes("\\u202e")))
    .map(one => getComputedStyle(one).unicodeBidi)"""


def test_what_turns_the_direction_of_writing_turns_no_other_words(window: Window) -> None:
    window.log_in()
    page = window.page
    page.request.get("/%E2%80%AEsdrow/")
    page.wait_for_timeout(1000)  # until it is stored
    page.goto(f"{LIST}?signal=request_finished")
    expect(page.locator("#result_list")).to_contain_text("sdrow")
    assert set(page.evaluate(TURNED)) == {"isolate"}
