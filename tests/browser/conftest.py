"""The demo project in a server of its own, and a Chromium to look at it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.servers import Server, clean_environment, serve

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = ("chromium", "chromium-browser", "google-chrome")
# No sandbox, for CI runs as root; no GPU there, and no calls to its maker.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests; each has a profile of its own in it."""
    found = os.environ.get("TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail(
            "No Chromium on the path. Install it ('apt-get install chromium' on Debian), or "
            "name one in TEST_CHROMIUM.",
            pytrace=False,
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


def environment(folder: Path) -> dict[str, str]:
    return clean_environment(
        DJANGO_SETTINGS_MODULE="tests.browser.settings",
        DEMO_DATABASE=str(folder / "db.sqlite3"),
    )


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The demo project in a real server, set up as `manage.py demo` does it."""
    folder = tmp_path_factory.mktemp("demo")
    subprocess.run(
        [sys.executable, "manage.py", "demo", "--no-serve"],
        cwd=ROOT,
        env=environment(folder),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    with serve(sys.executable, ROOT, folder / "log", environment(folder)) as server:
        yield server


def unresolved_variables(server: Server) -> list[str]:
    """Return the variables that did not resolve since the last call."""
    file = server.log.with_name("unresolved_variables")
    found = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return found


@dataclass
class Window:
    """A browser window that notes everything that the browser complains of."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(10_000)
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: ConsoleMessage) -> None:
        # Django's admin names no icon, so the browser tries one that is not there.
        if message.type in ("error", "warning") and "favicon" not in message.location["url"]:
            self.complaints.append(f"{self.page.url}: {message.text}")

    def open_once_stored(self, address: str, selector: str, number: int = 1) -> None:
        """Open a page, again and again until it shows so many of what is stored just now."""
        for _ in range(100):
            self.page.goto(address)
            if self.page.locator(selector).count() >= number:
                return
            self.page.wait_for_timeout(250)
        pytest.fail(f"{address} does not show {number} of {selector}.")

    def log_in(self, password: str = "admin", name: str = "admin") -> None:
        """Fill in the admin's form and send it."""
        self.page.goto("/admin/login/?next=/admin/")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()


@pytest.fixture
def open_window(chromium: Browser, demo: Server) -> Iterator[Callable[[], Window]]:
    """A function that opens a window with cookies of its own; no window may have complained.

    Nor may a template have read a variable that is not there.
    """
    with ExitStack() as contexts:
        windows = []

        def open_one() -> Window:
            context = chromium.new_context(base_url=demo.address)
            contexts.callback(context.close)
            windows.append(Window(context.new_page()))
            return windows[-1]

        yield open_one
    complaints = [complaint for window in windows for complaint in window.complaints]
    assert complaints == [], demo.printed[-5000:]
    assert unresolved_variables(demo) == []


@pytest.fixture
def window(open_window: Callable[[], Window]) -> Window:
    """A window of a person whom the site does not know yet."""
    return open_window()
