"""A person uses the site; somebody else finds it all in the admin, within a second."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Window

EVENTS = "/admin/signals_demo/signalevent/"
LOGIN = "POST /admin/login/"
HANDLER = "WSGIHandler"
MASK = "*" * 20
NOBODY = ""
# The label of the model and the key, without the name that stands between them.
SUBJECT = """
    const subject = cell => {
        const sender = cell.querySelector(".signals-sender");
        const known = sender.title.split(".").length === 2 ? sender.title : sender.textContent;
        const rest = cell.textContent.replace(sender.textContent, "");
        return `${known} ${cell.querySelector(".signals-quiet")?.textContent ?? rest}`;
    };
"""


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
        self.seen = self._stored_so_far()

    def _stored_so_far(self) -> set[str]:
        """Return the traces of this window so far: once one more is there, all before it are."""
        first = set(self._traces(""))
        for _ in range(40):
            latest = set(self._traces(""))
            if latest - first:
                return latest
        pytest.fail("Nothing is stored any more.")

    def finds(self, origin: str) -> list[Row]:
        """Return the rows of a new request of that name, which must be there in a second."""
        deadline = time.monotonic() + 1
        late = False
        while not late:
            late = time.monotonic() > deadline
            for trace in set(self._traces(origin)) - self.seen:
                rows = self._rows(f"?q={trace}")
                whole = rows and rows[-1].signal == "request_finished"
                # Rows from before Django knew the user are completed at the end.
                if whole and len({row.actor for row in rows}) == 1:
                    self.seen.add(trace)
                    return rows
        pytest.fail(f"{origin} was not in the admin a second later.")

    def _traces(self, origin: str) -> list[str]:
        self.page.goto(f"{EVENTS}?view=requests")
        links = self.page.locator("td.field-origin_link a")
        return [
            trace
            for trace, text in links.evaluate_all(
                """links => links.map(link => [
                    link.pathname.split("/").at(-2), link.title || link.textContent,
                ])"""
            )
            if text == origin or not origin
        ]

    def _rows(self, query: str) -> list[Row]:
        self.page.goto(EVENTS + query)
        return [
            Row(*(" ".join(text.split()) for text in texts))
            for texts in self.page.locator("#result_list tbody tr").evaluate_all(
                "rows => {"
                + SUBJECT
                + """return rows.map(row => [
                    row.querySelector(".field-signal_badge .signals-badge").textContent,
                    subject(row.querySelector(".field-subject")),
                    row.querySelector(".field-actor_link a")?.textContent ?? "",
                    row.querySelector(".field-origin_link a").title ||
                    row.querySelector(".field-origin_link a").textContent,
                ]); }"""
            )
        ]


@pytest.fixture
def reader(open_window: Callable[[], Window]) -> Reader:
    window = open_window()
    window.log_in()
    return Reader(window.page)


@pytest.fixture
def page(window: Window, reader: Reader) -> Page:
    """The page of a person who has just logged in."""
    window.log_in()
    reader.finds(LOGIN)
    return window.page


def add_book(page: Page, title: str) -> str:
    """Add a book in the admin and return the address of its page there."""
    page.goto("/admin/playground/book/add/")
    page.get_by_label("Title").fill(title)
    page.get_by_label("Author").select_option("Ada Marsh")
    page.get_by_role("button", name="Save and continue editing").click()
    page.wait_for_url("**/change/")
    return urlsplit(page.url).path


def check(rows: list[Row], origin: str, actor: str, expected: list[str]) -> None:
    """Compare the rows of a request, without connections and the making of instances."""
    assert {row.origin for row in rows} == {origin}
    quiet = ("pre_init", "post_init", "connection_created")
    first, *others = [row for row in rows if row.signal not in quiet]
    assert str(first) == f"request_started {HANDLER}"
    assert [str(row) for row in others] == [*expected, f"request_finished {HANDLER}"]
    assert {row.actor for row in rows} == {actor}


def test_fail_to_log_in(window: Window, reader: Reader) -> None:
    window.log_in("a guess")
    check(reader.finds(LOGIN), LOGIN, NOBODY, ["user_login_failed django.contrib.auth"])


def test_log_in(window: Window, reader: Reader) -> None:
    window.log_in()
    expected = [
        f"pre_save sessions.Session {MASK}",
        f"post_save sessions.Session {MASK}",
        "user_logged_in auth.User 1",
        "pre_save auth.User 1",
        "post_save auth.User 1",
        f"pre_save sessions.Session {MASK}",
        f"post_save sessions.Session {MASK}",
    ]
    check(reader.finds(LOGIN), LOGIN, "admin", expected)


def test_save(page: Page, reader: Reader) -> None:
    key = add_book(page, "The Salt Road").split("/")[-3]
    rows = reader.finds("POST /admin/playground/book/add/")
    expected = [
        "pre_save playground.Book",
        f"post_save playground.Book {key}",
        "pre_save admin.LogEntry",
        f"post_save admin.LogEntry {logged(rows)}",
    ]
    check(rows, "POST /admin/playground/book/add/", "admin", expected)


def test_change_a_many_to_many(page: Page, reader: Reader) -> None:
    path = add_book(page, "Tide Tables")
    key = path.split("/")[-3]
    page.locator("#id_tags_from").select_option("gift")
    page.locator(".selector-chooser [id^=id_tags_add]").click()
    expect(page.locator("#id_tags_to option")).to_have_text("gift")
    page.get_by_role("button", name="Save", exact=True).click()
    rows = reader.finds(f"POST {path}")
    expected = [
        f"pre_save playground.Book {key}",
        f"post_save playground.Book {key}",
        f"m2m_changed playground.Book_tags playground.Book {key}",
        f"m2m_changed playground.Book_tags playground.Book {key}",
        "pre_save admin.LogEntry",
        f"post_save admin.LogEntry {logged(rows)}",
    ]
    check(rows, f"POST {path}", "admin", expected)


def test_delete(page: Page, reader: Reader) -> None:
    path = add_book(page, "Out of Print")
    key = path.split("/")[-3]
    page.locator(".deletelink").click()
    page.get_by_role("button", name="Yes").click()
    origin = f"POST {path.replace('/change/', '/delete/')}"
    rows = reader.finds(origin)
    expected = [
        "pre_save admin.LogEntry",
        f"post_save admin.LogEntry {logged(rows)}",
        f"pre_delete playground.Book {key}",
        f"post_delete playground.Book {key}",
    ]
    check(rows, origin, "admin", expected)


def test_raise_an_error(page: Page, reader: Reader) -> None:
    page.goto("/lessons/request/")
    page.locator("#raise_error").get_by_role("button").click()
    origin = "POST /lessons/request/raise_error/"
    check(reader.finds(origin), origin, "admin", ["got_request_exception"])


def test_log_out(page: Page, reader: Reader) -> None:
    page.get_by_role("button", name="Log out").click()
    expected = [
        "user_logged_out auth.User 1",
        f"pre_delete sessions.Session {MASK}",
        f"post_delete sessions.Session {MASK}",
    ]
    check(reader.finds("POST /admin/logout/"), "POST /admin/logout/", "admin", expected)


def logged(rows: list[Row]) -> str:
    """Return the key of the entry that the admin made in its own history."""
    (about,) = [row.about for row in rows if str(row).startswith("post_save admin.LogEntry")]
    return about.split()[-1]
