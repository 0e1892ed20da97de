"""The pages of the log in themes of the admin: each works, can be read, and is filtered.

The screenshots go to the folder that TEST_SCREENSHOTS names.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.conftest import ROOT, Window
from tests.servers import Server, clean_environment, serve

LOG = "/admin/signals_demo/signalevent/"
PAGES = {
    "list": LOG,
    "search": f"{LOG}?q=nothing+here",
    "event": f"{LOG}1/change/",
    "overview": f"{LOG}overview/",
    "requests": f"{LOG}requests/?order=firings",
    "live": f"{LOG}live/",
    "receivers": f"{LOG}receivers/",
    "guide": f"{LOG}guide/",
    "person": f"{LOG}people/1/",
    "history": "/admin/playground/book/1/history/",
}


def follow(page: Page, family: str) -> None:
    page.locator(f"#changelist-filter a[href*='family={family}']").click()


def open_and_follow(page: Page, family: str) -> None:
    page.locator(".filter-open-button").click()
    follow(page, family)


def choose_and_search(page: Page, family: str) -> None:
    page.locator("select[data-name=family]").select_option(family, force=True)
    page.get_by_role("button", name="Search").click()


def choose(page: Page, family: str) -> None:
    select = page.locator(f"select:has(option[value*='family={family}'])")
    value = select.locator(f"option[value*='family={family}']").get_attribute("value")
    select.select_option(value)


def open_and_choose(page: Page, family: str) -> None:
    page.get_by_role("link", name="Filter", exact=True).click()
    choose(page, family)


THEMES: dict[str, Callable[[Page, str], None]] = {
    "unfold": open_and_follow,
    "jazzmin": choose_and_search,
    "grappelli": open_and_choose,
    "admin_interface": choose,
}
"""Each theme by its package, and how its list is narrowed to a family of signals."""


@pytest.fixture(scope="module", params=THEMES)
def theme(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if find_spec(name) is None:
        pytest.fail(f"{name} is missing: pip install --editable '.[dev,themes]'", pytrace=False)
    return name


@pytest.fixture(scope="module")
def site(theme: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The demo project in the theme, in a real server."""
    folder = tmp_path_factory.mktemp(theme)
    environment = clean_environment(
        DJANGO_SETTINGS_MODULE="tests.browser.theme_settings",
        DEMO_DATABASE=str(folder / "db.sqlite3"),
        TEST_THEME=theme,
    )
    setup = [sys.executable, "manage.py", "demo", "--no-serve", "--verbosity", "0"]
    subprocess.run(setup, cwd=ROOT, env=environment, check=True)
    with serve(sys.executable, ROOT, folder / "log", environment) as server:
        yield server


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = os.environ.get("TEST_SCREENSHOTS")
    return Path(folder) if folder else tmp_path_factory.mktemp("screenshots")


WIDE = ViewportSize(width=1440, height=900)
NARROW = ViewportSize(width=390, height=900)

# Where each theme keeps what a visitor has chosen.
REMEMBERED = ("theme", "jazzmin-theme-mode", "_x_adminTheme")


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def window(scheme: str, chromium: Browser, site: Server) -> Iterator[Window]:
    context = chromium.new_context(
        base_url=site.address,
        color_scheme="dark" if scheme == "dark" else "light",
        viewport=WIDE,
    )
    for name in REMEMBERED:
        value = f'"{scheme}"' if name.startswith("_x_") else scheme
        context.add_init_script(f"localStorage.setItem('{name}', '{value}')")
    window = Window(context.new_page())
    window.page.goto("/admin/login/?next=/admin/")
    window.page.fill("[name=username]", "admin")
    window.page.fill("[name=password]", "admin")
    window.page.keyboard.press("Enter")
    window.page.wait_for_url(lambda address: "login" not in address)
    yield window
    context.close()


# Texts of ours, links apart, whose colour is too near that of what is behind them. Axe-core would
# need a second for each page, and there are many.
UNREADABLE = """() => {
    const pen = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const known = new Map();
    const parts = colour => {
        if (!known.has(colour)) {
            pen.clearRect(0, 0, 1, 1);
            pen.fillStyle = colour;
            pen.fillRect(0, 0, 1, 1);
            known.set(colour, [...pen.getImageData(0, 0, 1, 1).data]);
        }
        return known.get(colour);
    };
    const over = (above, below) => [0, 1, 2].map(
        index => above[index] * above[3] / 255 + below[index] * (1 - above[3] / 255));
    const behind = element => {
        if (!element) return [255, 255, 255];
        const own = parts(getComputedStyle(element).backgroundColor);
        return own[3] === 255 ? own : over(own, behind(element.parentElement));
    };
    const luminance = colour => [0.2126, 0.7152, 0.0722].reduce((sum, weight, index) => {
        const value = colour[index] / 255;
        const linear = value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
        return sum + weight * linear;
    }, 0);
    const contrast = element => {
        const back = behind(element);
        const front = over(parts(getComputedStyle(element).color), back);
        const [dark, light] = [luminance(front), luminance(back)].sort((one, two) => one - two);
        return (light + 0.05) / (dark + 0.05);
    };
    const ours = ":is(.signals-above, .signals-detail, #result_list tbody) *";
    return [...document.querySelectorAll(ours)]
        .filter(each => each.checkVisibility() && !each.closest("a:not(.signals-badge)")
            && [...each.childNodes].some(child => child.nodeType === 3 && child.data.trim()))
        .filter(each => contrast(each) < 3.5)
        .map(each => each.outerHTML.slice(0, 200));
}"""


def overflow(page: Page) -> int:
    element = "document.documentElement"
    return int(page.evaluate(f"{element}.scrollWidth - {element}.clientWidth"))


def test_each_page(window: Window, theme: str, scheme: str, screenshots: Path) -> None:
    page = window.page
    wrong: dict[str, object] = {}

    def look(name: str, how: str) -> None:
        page.screenshot(path=screenshots / f"{theme}-{name}-{how}.png")
        found = page.evaluate(UNREADABLE)[:3], overflow(page)
        if found != ([], 0):
            wrong[f"{name} {how}"] = found

    def look_at(name: str) -> None:
        look(name, scheme)
        if scheme == "light":
            page.set_viewport_size(NARROW)
            look(name, "narrow")
            page.set_viewport_size(WIDE)

    for name, address in PAGES.items():
        response = page.goto(address)
        assert response is not None
        assert response.status == 200, address
        look_at(name)
    page.goto(PAGES["requests"])
    page.locator(".signals-requests a[href*='/traces/']").first.click()
    page.wait_for_url("**/traces/**")
    look_at("trace")
    assert wrong == {}
    assert window.complaints == []


@pytest.mark.parametrize("scheme", ["light"], indirect=True)
def test_the_list_is_filtered_and_goes_on(window: Window, theme: str) -> None:
    page = window.page
    page.goto(LOG)
    THEMES[theme](page, "management")
    expect(page).to_have_url(re.compile("family=management"))
    signals = page.locator("#result_list .field-signal_badge")
    expect(signals.filter(has_text="_migrate").first).to_be_visible()
    expect(signals.filter(has_text="post_init")).to_have_count(0)
    page.goto(LOG)
    page.get_by_role("link", name="Older →").first.click()
    page.wait_for_url("**after=**")
    expect(signals.first).to_be_visible()
