"""Settings of the tests: the demo project on the database that TEST_DATABASE names."""

import os
import tempfile
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from project.settings import *  # noqa: F403
from project.settings import DATABASES as DEMO_DATABASES


def _server(engine: str, user: str, **options: Any) -> dict[str, Any]:
    """Return the settings of a database server on this machine, or of the one that is named."""
    return {
        "ENGINE": engine,
        "HOST": os.environ.get("TEST_DATABASE_HOST", "127.0.0.1"),
        "PORT": os.environ.get("TEST_DATABASE_PORT", ""),
        "USER": os.environ.get("TEST_DATABASE_USER", user),
        "PASSWORD": os.environ.get("TEST_DATABASE_PASSWORD", ""),
        # The tests make and drop `test_` + this.
        "NAME": os.environ.get("TEST_DATABASE_NAME", "signals_demo"),
        "OPTIONS": options,
    }


def _sqlite() -> dict[str, Any]:
    """Return the demo project's SQLite settings, with a test database of this process."""
    name = f"test_signals_demo_{os.getpid()}.sqlite3"
    return DEMO_DATABASES["default"] | {
        # What is recorded before the test database exists must not reach a person's database.
        "NAME": ":memory:",
        # A file, because the recorder writes from a thread that has a connection of its own.
        "TEST": {"NAME": str(Path(tempfile.gettempdir()) / name)},
    }


TEST_DATABASES = {
    "sqlite": _sqlite(),
    "postgresql": _server("django.db.backends.postgresql", "postgres"),
    "mariadb": _server("django.db.backends.mysql", "root", charset="utf8mb4"),
}
TEST_DATABASE = os.environ.get("TEST_DATABASE", "sqlite")
if TEST_DATABASE not in TEST_DATABASES:
    raise ImproperlyConfigured(
        f"TEST_DATABASE is {TEST_DATABASE!r}; it has to be one of {', '.join(TEST_DATABASES)}."
    )

DATABASES = {"default": TEST_DATABASES[TEST_DATABASE]}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Which tests record is decided in conftest.py.
SIGNALS_DEMO = {"STRICT": True}
