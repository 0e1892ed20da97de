"""The pages in each language: no text is too long for its place, and scripts speak it too."""

import pytest
from django.conf import settings
from django.utils.translation import gettext, override
from playwright.sync_api import Page, expect

from tests.browser.conftest import Window
from tests.browser.test_accessible import LOG, PAGES

LANGUAGES = [language for language, _name in settings.LANGUAGES]
OTHERS = [language for language in LANGUAGES if language != "en"]
WIDTHS = (1440, 1366, 1280, 1024, 375)


@pytest.fixture
def page(window: Window, language: str) -> Page:
    window.log_in()
    window.page.context.set_extra_http_headers({"Accept-Language": language})
    return window.page


# The admin lets the table of a list scroll inside the page.
IS_TOO_WIDE = """[...document.querySelectorAll(":root, #changelist .results")].some(
    element => element.scrollWidth > element.clientWidth
)"""


def too_wide(page: Page) -> list[int]:
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        if page.evaluate(IS_TOO_WIDE):
            found.append(width)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_page_has_to_be_scrolled_sideways(page: Page, language: str) -> None:
    found = {}
    for name, address in PAGES.items():
        page.goto(address)
        assert page.evaluate("document.documentElement.lang") == language
        found[name] = too_wide(page)
    page.goto(f"{LOG}?signal=connection_created")  # its sender has a long name
    page.locator(".field-signal_badge a").first.click()
    page.wait_for_url("**/change/**")
    found["an event"] = too_wide(page)
    page.locator(".signals-steps a[href*='/traces/']").click()
    page.wait_for_url("**/traces/**")
    found["a trace"] = too_wide(page)
    assert {name: widths for name, widths in found.items() if widths} == {}


@pytest.mark.parametrize("language", OTHERS)
def test_what_a_script_says(page: Page, language: str) -> None:
    with override(language):
        paused, go_on = gettext("Paused"), gettext("Resume")
    assert (paused, go_on) != ("Paused", "Resume")
    page.goto(f"{LOG}live/")
    page.locator(".signals-live-bar button").click()
    expect(page.locator(".signals-live-state")).to_have_text(paused)
    expect(page.locator(".signals-live-bar button")).to_have_text(go_on)
