"""The fixture `capsignals`. pytest loads this in every project: Django has to wait for its use."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from signals_demo.testing import Capture


def _is_usable() -> bool:
    from django.apps import apps

    return apps.ready and apps.is_installed("signals_demo")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Have old values kept from the first test on, if any test is going to ask for them."""
    used = any("capsignals" in getattr(item, "fixturenames", ()) for item in session.items)
    if used and _is_usable():
        import signals_demo.testing  # noqa: F401


@pytest.fixture
def capsignals() -> Iterator["Capture"]:
    """What fires during the test: `.events`, `.names`, `.filter()`, `.tree()`, `.capturing()`."""
    if not _is_usable():
        pytest.fail(
            "The fixture 'capsignals' needs 'signals_demo' in INSTALLED_APPS, and Django set up: "
            "pytest-django does that where DJANGO_SETTINGS_MODULE is given.",
            pytrace=False,
        )
    from signals_demo.testing import Capture

    signals = Capture()
    signals.begin()
    yield signals
    signals.end()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Forget what the set-up of other fixtures has fired."""
    signals = getattr(item, "funcargs", {}).get("capsignals")
    if signals is not None:
        signals.clear()
