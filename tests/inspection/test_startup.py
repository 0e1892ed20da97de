"""The moment when the apps are ready is noted once, and Django's event is as before."""

from pathlib import Path

import pytest
from django.apps import apps

from signals_demo.inspection import startup
from tests.recording import Project


def test_the_moment_is_noted() -> None:
    start = startup.startup()
    assert start is not None
    assert {"project.playground.receivers", "django.contrib.admin"} <= start.modules
    assert __name__ not in start.modules


def test_noting_again_changes_nothing() -> None:
    start = startup.startup()
    startup.watch()
    assert startup.startup() is start
    assert "set" not in vars(apps.ready_event)


@pytest.mark.processes
def test_what_a_later_app_imports_counts(tmp_path: Path) -> None:
    project = Project.make(tmp_path / "project")
    settings = project.folder / "settings.py"
    settings.write_text(settings.read_text() + "INSTALLED_APPS += ['after.After']\n")
    (project.folder / "after.py").write_text(
        "from django.apps import AppConfig\n"
        "class After(AppConfig):\n"
        "    name = 'after'\n"
        "    path = '.'\n"
        "    def ready(self):\n"
        "        import wave\n"
    )
    done = project.run(
        """
        from django.apps import apps
        from signals_demo.inspection.startup import startup
        import colorsys
        modules = startup().modules
        print(apps.ready_event.is_set(), "wave" in modules, "colorsys" in modules)
        """
    )
    assert done.stdout.split() == ["True", "True", "False"]
