"""Modules that connect receivers, but that nothing has imported."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from django.apps import apps
from django.utils.translation import gettext

from signals_demo.serialize.source import PROJECT, owner_of, relative_path

_NAMES = ("receivers", "signals", "handlers", "signal_handlers", "signal_receivers")
_CONNECTS = re.compile(r"^@receiver\(|^\s*\w+(?:\.\w+)*\.connect\(", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Unimported:
    """A module of an app that connects receivers, but that nothing has imported."""

    module: str
    file: str

    @property
    def message(self) -> str:
        """Return what is wrong."""
        return gettext("This module connects receivers, but nothing has imported it.")

    @property
    def fix(self) -> str:
        """Return how to fix it."""
        return gettext("Import {module} in AppConfig.ready().").format(module=self.module)


def unimported() -> list[Unimported]:
    """Return the modules of the project's apps that connect receivers but are not imported."""
    return [
        Unimported(f"{app.name}.{name}", relative_path(str(file)))
        for app in apps.get_app_configs()
        for name in _NAMES
        if f"{app.name}.{name}" not in sys.modules
        and owner_of(str(file := Path(app.path) / f"{name}.py")) == PROJECT
        and _would_connect(file)
    ]


def _would_connect(file: Path) -> bool:
    try:
        return bool(_CONNECTS.search(file.read_text()))
    except (OSError, ValueError):  # it does not exist, or is not text
        return False
