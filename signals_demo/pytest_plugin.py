"""The fixture `capsignals`. pytest loads this in every project, so Django is imported late."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from signals_demo.testing import Capture


def _is_usable() -> bool:
    from django.apps import apps

    return apps.ready and apps.is_installed("signals_demo")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep old values from the first test on, if any test uses the fixture."""
    used = any("capsignals" in getattr(item, "fixturenames", ()) for item in session.items)
    if used and _is_usable():
        import signals_demo.testing  # noqa: F401


@pytest.fixture
def capsignals() -> Iterator["Capture"]:
    """What fires during the test: `.events`, `.names`, `.filter()`, `.tree()`, `.capturing()`."""
    if not _is_usable():
        pytest.fail(
            "The fixture 'capsignals' needs 'signals_demo' in INSTALLED_APPS, and Django set up. "
            "pytest-django sets it up if you set DJANGO_SETTINGS_MODULE.",
            pytrace=False,
        )
    from signals_demo.testing import Capture
    from signals_demo.testing.events import Firings

    firings = Firings()
    firings.begin()
    yield Capture(firings)
    firings.end()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Forget what fired during the set-up of other fixtures."""
    signals = getattr(item, "funcargs", {}).get("capsignals")
    if signals is not None:
        signals.clear()
