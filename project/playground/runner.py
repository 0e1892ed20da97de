"""The test runner of the lesson about test signals."""

import os
from typing import Any

from django.db import connections
from django.test.runner import DiscoverRunner

DATABASE = "PLAYGROUND_DATABASE"


class LessonRunner(DiscoverRunner):
    """Uses the playground's database as the test database, so that the lesson can show the events.

    The tests of the lesson use no database themselves.
    """

    def setup_databases(self, **kwargs: Any) -> list[Any]:
        connections["default"].settings_dict["NAME"] = os.environ[DATABASE]
        return []

    def teardown_databases(self, old_config: Any, **kwargs: Any) -> None:
        """Keep it."""
