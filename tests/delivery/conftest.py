"""Fixtures of the tests of delivery."""

from collections.abc import Iterator

import pytest

from tests.delivery.controlled import Controlled
from tests.delivery.journals import empty_copy, migrated_project, setting
from tests.recording import Project

journaled = pytest.fixture(scope="session")(migrated_project)
project = pytest.fixture(empty_copy)


@pytest.fixture
def sink() -> Iterator[type[Controlled]]:
    Controlled.reset()
    yield Controlled
    Controlled.may_go.set()
    Controlled.error = None


@pytest.fixture
def apart(project: Project) -> Project:
    """Return a project whose events are in a database of their own, with DATABASE "events"."""
    with (project.folder / "settings.py").open("a") as settings:
        settings.write(
            "DATABASES['events'] = sqlite('events.sqlite3')\n"
            "DATABASE_ROUTERS = ['signals_demo.routers.SignalEventRouter']\n"
        )
    own = setting(project, DATABASE="events")
    project.manage("migrate", "--verbosity=0", "--database=events", setting=own)
    return project
