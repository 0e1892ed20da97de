"""Every page of the playground opens, and every button on it does what it says."""

import csv
import re
from secrets import randbelow

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
        window.page.locator("#result_list .field-signal_badge a").first.click()
        expect(window.page.locator(".signals-tree .signals-current")).to_be_visible()


@pytest.mark.parametrize("width", [1440, 1900])
@pytest.mark.parametrize("view", ["", "changes", "logins", "requests"])
def test_each_row_of_the_list_is_one_line(window: Window, width: int, view: str) -> None:
    window.log_in()
    window.page.set_viewport_size({"width": width, "height": 900})
    window.page.goto(f"{LIST}?view={view}")
    rows = window.page.locator("#result_list tbody tr")
    heights = rows.evaluate_all("rows => rows.map(row => row.getBoundingClientRect().height)")
    assert heights
    assert max(heights) < 45


def test_ticked_events_are_downloaded(window: Window) -> None:
    window.log_in()
    page = window.page
    page.goto(LIST)
    for box in page.locator("#result_list tbody .action-select").all()[:2]:
        box.check()
    expect(page.locator(".action-counter")).to_contain_text("2 of ")
    page.locator("select[name=action]").select_option(label="Download selected events as CSV")
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("^(Go|Run)$")).click()  # before and from 6.1
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
    ours = "#result_list td:has-text('sdrow')"
    window.open_once_stored(f"{LIST}?signal=request_finished", ours)
    assert set(page.evaluate(TURNED)) == {"isolate"}


LETTERS = "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz"
ARABIC = ("ألف ليلة", "كليلة ودمنة")


@pytest.fixture
def book(window: Window) -> str:
    """The address of a book with long and with Arabic values, which got others since."""
    window.log_in()
    page = window.page
    page.goto("/admin/playground/book/add/")
    number = f" {randbelow(10**9)} "  # no two books share a title
    details = (f'{{"{LETTERS * 2}": "{LETTERS * 4}"}}', "{}")
    for title, detail in zip(ARABIC, details, strict=True):
        page.get_by_label("Title").fill(title.replace(" ", number))
        page.get_by_label("Author").first.select_option(index=1)
        page.get_by_label("Details").fill(detail)
        page.get_by_role("button", name="Save and continue editing").click()
        page.wait_for_url("**/change/")
    address = page.url
    history = address.replace("/change/", "/history/")
    window.open_once_stored(history, ".signals-badge:has-text('post_save')", 2)
    return address


def test_an_old_value_stands_before_the_new_one_whatever_its_script(
    window: Window, book: str
) -> None:
    page = window.page
    page.goto(book.replace("/change/", "/history/"))
    changed = page.locator(".signals-changed", has_text=ARABIC[0].split()[0])
    old, new = changed.locator("del").bounding_box(), changed.locator("ins").bounding_box()
    assert old is not None
    assert new is not None
    assert old["y"] == new["y"]
    assert old["x"] + old["width"] < new["x"]


@pytest.mark.parametrize("width", [360, 1440])
def test_no_value_is_squeezed_by_its_long_name(window: Window, book: str, width: int) -> None:
    page = window.page
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(book.replace("/change/", "/history/"))
    page.locator(".signals-badge", has_text="post_save").first.click()
    value = page.locator(".signals-old dl.signals-value dd", has_text=LETTERS).bounding_box()
    assert value is not None
    assert value["width"] > 60


@pytest.mark.parametrize("name", ["people/1/", "requests/"])
def test_a_long_name_makes_no_page_wider(window: Window, name: str) -> None:
    window.log_in()
    page = window.page
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(f"{LIST}{name}")
    page.locator("h1, a[href*='/people/']").evaluate_all(
        f"found => found.forEach(one => one.textContent = '{LETTERS * 2}')"
    )
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("name", ["", "1/change/", "overview/", "requests/"])
def test_on_paper_there_is_no_way_to_other_pages(window: Window, name: str) -> None:
    window.log_in()
    page = window.page
    page.goto(f"{LIST}{name}")
    page.emulate_media(media="print")
    expect(page.locator("h1").last).to_be_visible()
    for one in page.locator("header, nav, .breadcrumbs, form select, #nav-sidebar").all():
        expect(one).not_to_be_visible()
