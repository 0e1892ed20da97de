"""Runs the tests of others and writes down how each one ended."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any
from unittest import TextTestResult

from django.conf import settings
from django.db import connections
from django.test.runner import DiscoverRunner

SEVERITY = ("passed", "skipped", "expected failure", "unexpected success", "failed")


class Outcomes(TextTestResult):
    """Keeps the worst outcome of each test: subtests and repeated names count as one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outcomes: dict[str, tuple[str, str]] = {}

    def _note(self, test: Any, outcome: str, why: str = "") -> None:
        test = getattr(test, "test_case", test)  # of a subtest
        known = self.outcomes.get(test.id(), ("passed", ""))
        if SEVERITY.index(outcome) >= SEVERITY.index(known[0]):
            self.outcomes[test.id()] = outcome, why

    def _note_error(self, test: Any, err: Any) -> None:
        self._note(test, "failed", self._exc_info_to_string(err, test))

    def addSuccess(self, test: Any) -> None:
        super().addSuccess(test)
        self._note(test, "passed")

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self._note_error(test, err)

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self._note_error(test, err)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note_error(test, err)

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self._note(test, "skipped", reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self._note(test, "expected failure")

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self._note(test, "unexpected success")

    def stopTestRun(self) -> None:
        super().stopTestRun()
        (settings.WORK / "outcomes.json").write_text(json.dumps(self.outcomes), encoding="utf-8")


class Runner(DiscoverRunner):
    """Django's runner, which keeps how each test ended."""

    def get_resultclass(self) -> Any:
        return super().get_resultclass() or Outcomes

    def get_databases(self, suite: Any) -> dict[str, bool]:
        """Return the databases to make for the tests: not that of the events."""
        wanted: dict[str, bool] = super().get_databases(suite)
        wanted.pop("events", None)
        return wanted

    def setup_databases(self, **kwargs: Any) -> Any:
        """Make them, and put one in the place of that of the events, which outlives the tests."""
        made = super().setup_databases(**kwargs)
        events = connections["events"].settings_dict
        if Path(events["NAME"]).exists():
            shutil.copy(events["NAME"], settings.WORK / "events.sqlite3")
        events["NAME"] = str(settings.WORK / "events.sqlite3")
        # No test of `databases = "__all__"` empties a mirror.
        events["TEST"]["MIRROR"] = "default"
        return made


# What the recorder logs.
handler = logging.FileHandler(settings.WORK / "recorder.log", delay=True)
logging.getLogger("signals_demo").addHandler(handler)
