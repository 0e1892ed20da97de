"""Somebody watches the log while others use the site."""

import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, expect

from tests.browser.conftest import ROOT, Window, environment
from tests.servers import Server, free_port, serve

LIVE = "/admin/signals_demo/signalevent/live/"
A_WHILE = 2500  # ms, in which a page that asks does so three times


class Watcher:
    """A window in which the live page is open."""

    def __init__(self, page: Page, query: str = "") -> None:
        self.page = page
        self.questions = 0
        page.on("request", self._note)
        page.goto(LIVE + query)
        self.state = page.locator(".signals-live-state")
        self.traces = page.locator(".signals-live-traces > li")
        self.events = page.locator(".signals-live-traces ol > li")

    def _note(self, request: Request) -> None:
        self.questions += "/live/events/" in request.url

    def trace(self, origin: str) -> Locator:
        return self.traces.filter(has=self.page.get_by_role("link", name=origin, exact=True))

    def asks(self) -> bool:
        """Return whether it asks for news within a while."""
        before = self.questions
        self.page.wait_for_timeout(A_WHILE)
        return self.questions > before


@pytest.fixture
def watcher(window: Window) -> Watcher:
    window.log_in()
    return Watcher(window.page)


@pytest.fixture
def visitor(open_window: Callable[[], Window]) -> Page:
    """Somebody else, in a window of their own."""
    return open_window().page


def run_in(folder: Path, code: str) -> None:
    """Run some code in the demo project, in a process of its own."""
    command = [sys.executable, "manage.py", "shell", "-c", code]
    subprocess.run(
        command, cwd=ROOT, env=environment(folder), check=True, stdout=subprocess.DEVNULL
    )


def test_what_fires_appears_by_itself_and_asking_does_not(watcher: Watcher, visitor: Page) -> None:
    expect(watcher.state).to_have_text("Live")
    visitor.goto("/lessons/auth/")
    trace = watcher.trace("GET /lessons/auth/")
    expect(trace.get_by_role("link", name="request_started")).to_be_visible()
    expect(trace.get_by_role("link", name="request_finished")).to_be_visible()
    expect(watcher.page.locator(".signals-live-news")).to_have_text(
        re.compile(r"New events: [1-9]\d*")
    )
    assert watcher.asks()
    expect(watcher.page.get_by_text("live/events")).to_have_count(0)


def test_a_filter_lets_only_its_events_through(window: Window, visitor: Page) -> None:
    window.log_in()
    watcher = Watcher(window.page, "?family=request")
    visitor.goto("/lessons/request/")
    trace = watcher.trace("GET /lessons/request/")
    expect(trace.get_by_role("link", name="request_started")).to_be_visible()
    assert (
        watcher.page.locator(".signals-live-traces .signals-badge:not(.signals-request)").count()
        == 0
    )
    expect(watcher.page.get_by_label("Family")).to_have_value("request")


@pytest.mark.parametrize("way", ["button", "key"])
def test_it_pauses_and_then_shows_what_was_missed(
    watcher: Watcher, visitor: Page, way: str
) -> None:
    def press(label: str) -> None:
        if way == "button":
            watcher.page.get_by_role("button", name=label).click()
        else:
            watcher.page.keyboard.press("Space")

    trace = watcher.trace("GET /lessons/model/")
    before = trace.count()  # the page begins with what other tests have just done
    press("Pause")
    expect(watcher.state).to_have_text("Paused")
    visitor.goto("/lessons/model/")
    assert not watcher.asks()
    expect(trace).to_have_count(before)
    press("Resume")
    expect(watcher.state).to_have_text("Live")
    expect(trace).to_have_count(before + 1)


def test_a_space_in_a_field_is_a_space(watcher: Watcher) -> None:
    field = watcher.page.get_by_label("Actor")
    field.press("Space")
    expect(field).to_have_value(" ")
    expect(watcher.state).to_have_text("Live")


def test_a_tab_that_nobody_sees_does_not_ask(watcher: Watcher, visitor: Page) -> None:
    def turn(value: str) -> None:
        watcher.page.evaluate(
            """value => {
                Object.defineProperty(document, "hidden", {value, configurable: true});
                document.dispatchEvent(new Event("visibilitychange"));
            }""",
            value == "away",
        )

    turn("away")
    visitor.goto("/lessons/database/")
    assert not watcher.asks()
    turn("back")
    expect(watcher.trace("GET /lessons/database/")).to_have_count(1)


def test_logged_out_elsewhere_it_says_so_and_asks_no_more(watcher: Watcher) -> None:
    other = watcher.page.context.new_page()
    other.goto("/admin/")
    other.get_by_role("button", name="Log out").click()
    expect(watcher.state).to_have_text(re.compile("You have been logged out"))
    assert not watcher.asks()
    watcher.page.get_by_role("link", name="Log in again").click()
    expect(watcher.page.get_by_label("Password")).to_be_visible()


def test_a_permission_that_was_taken_away(open_window: Callable[[], Window], demo: Server) -> None:
    find = (
        "from django.contrib.auth.models import Permission, User\n"
        "may_view = Permission.objects.get(codename='view_signalevent')\n"
    )
    make = "guest = User.objects.create_user('guest', password='guest', is_staff=True)\n"
    run_in(demo.log.parent, f"{find}{make}guest.user_permissions.add(may_view)")
    window = open_window()
    window.log_in("guest", "guest")
    watcher = Watcher(window.page)
    expect(watcher.state).to_have_text("Live")
    run_in(demo.log.parent, f"{find}may_view.user_set.clear()")
    expect(watcher.state).to_have_text(re.compile("You no longer have permission to read the log"))
    assert not watcher.asks()
    # The browser notes the refusal.
    assert [text for text in window.complaints if "403" not in text] == []
    window.complaints.clear()


def test_it_keeps_five_hundred_events(watcher: Watcher, demo: Server) -> None:
    run_in(
        demo.log.parent,
        "import time\n"
        "from django.contrib.auth.models import Group\n"
        "for batch in range(5):\n"
        "    for n in range(45): Group.objects.create(name=f'{batch} {n}')\n"
        "    time.sleep(1.2)\n",
    )
    trace = watcher.trace("shell")
    expect(trace).to_have_count(1)
    expect(trace.get_by_role("insertion").filter(has_text="4 44")).to_be_visible()
    assert 450 < watcher.events.count() <= 500


def test_without_scripts_it_shows_the_latest(chromium: Browser, demo: Server) -> None:
    with chromium.new_context(base_url=demo.address, java_script_enabled=False) as context:
        window = Window(context.new_page())
        window.log_in()
        watcher = Watcher(window.page)
        reload = window.page.get_by_role("link", name="Reload the page")
        expect(window.page.get_by_role("button", name="Pause")).to_have_count(0)
        for origin in ("POST /admin/login/", f"GET {LIVE}"):
            for _ in range(5):  # the page shows few events, and each reload adds some
                if watcher.trace(origin).count():
                    break
                window.page.wait_for_timeout(500)  # it is stored in the background
                reload.click()
            expect(watcher.trace(origin).first).to_be_visible()


def test_it_goes_on_when_the_server_was_away(
    chromium: Browser, demo: Server, tmp_path: Path
) -> None:
    def serving() -> AbstractContextManager[Server]:
        return serve(sys.executable, ROOT, tmp_path / "log", environment(demo.log.parent), port)

    port = free_port()
    with chromium.new_context(base_url=f"http://127.0.0.1:{port}") as context:
        page = context.new_page()
        with serving():
            Window(page).log_in()
            watcher = Watcher(page)
            expect(watcher.state).to_have_text("Live")
            before = watcher.events.count()
        expect(watcher.state).to_have_text("Reconnecting…")
        assert watcher.events.count() >= before
        with serving():
            expect(watcher.state).to_have_text("Live", timeout=15_000)
            context.new_page().goto("/lessons/task/")
            expect(watcher.trace("GET /lessons/task/")).to_have_count(1)
