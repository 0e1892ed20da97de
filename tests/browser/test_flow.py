"""A person uses the site; somebody else finds it all in the admin, within a second."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Window

EVENTS = "/admin/signals_demo/signalevent/"
LOGIN = "POST /admin/login/"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list of events, as the page shows it."""

    signal: str
    about: str
    actor: str
    origin: str

    def __str__(self) -> str:
        return f"{self.signal} {self.about}".strip()


class Reader:
    """Somebody who has the list of events open in a window of their own."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.seen = set(self._traces(LOGIN))

    def finds(self, origin: str) -> list[Row]:
        """Return the rows of the newest request of that name, which must be there in a second."""
        deadline = time.monotonic() + 1
        while True:
            for trace in set(self._traces(origin)) - self.seen:
                rows = self._rows(f"?q={trace}")
                if rows[-1].signal == "request_finished":
                    self.seen.add(trace)
                    return rows
            assert time.monotonic() < deadline, f"{origin} is not in the admin after a second"

    def _traces(self, origin: str) -> list[str]:
        self.page.goto(f"{EVENTS}?view=requests")
        links = self.page.locator("td.field-started_by a").filter(
            has_text=re.compile(f"^{re.escape(origin)}$")
        )
        return [
            (link.get_attribute("href") or "").removeprefix("?q=") for link in links.all()
        ]

    def _rows(self, query: str) -> list[Row]:
        self.page.goto(EVENTS + query)
        return [
            Row(*(" ".join(text.split()) for text in texts))
            for texts in self.page.locator("#result_list tbody tr").evaluate_all(
                """rows => rows.map(row => [
                    ".field-what", ".field-about", ".field-who", ".field-started_by a",
                ].map(cell => row.querySelector(cell)?.textContent ?? ""))"""
            )
        ]


@pytest.fixture
def reader(open_window: Callable[[], Window]) -> Reader:
    window = open_window()
    window.log_in()
    return Reader(window.page)


def test_print(window, reader):
    def show(o):
        print(o)
        for row in reader.finds(o):
            print("   ", row, row.actor)
    window.log_in("a guess")
    show(LOGIN)
    window.log_in()
    show(LOGIN)
    page = window.page
    page.goto("/admin/playground/book/add/")
    page.get_by_label("Title").fill("The Salt Road")
    page.get_by_label("Author").select_option("Ada Marsh")
    page.get_by_label("Copies").fill("3")
    page.get_by_role("button", name="Save", exact=True).click()
    show("POST /admin/playground/book/add/")
    page.get_by_role("link", name="The Salt Road").first.click()
    page.get_by_label("Copies").fill("4")
    page.locator("#id_tags_from option", has_text="gift").dblclick()
    page.get_by_role("button", name="Save and continue editing").click()
    import urllib.parse
    path = urllib.parse.urlsplit(page.url).path
    show("POST " + path)
    page.get_by_role("link", name="Delete", exact=True).click()
    page.get_by_role("button", name="Yes").click()
    show("POST " + path.replace("change", "delete"))
    page.goto("/lessons/request/")
    page.locator("#raise_error button").click()
    show("POST /lessons/request/raise_error/")
    page.goto("/admin/")
    page.get_by_role("button", name="Log out").click()
    show("POST /admin/logout/")
