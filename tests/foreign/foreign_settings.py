"""Settings for the tests of others: their own, and this app as FOREIGN_MODE says.

The bare run has the same settings and databases, so that the app is the only difference.
"""

import os
import sys
from importlib import import_module
from pathlib import Path

WORK = Path(os.environ["FOREIGN_WORK"])
MODE = os.environ["FOREIGN_MODE"]
INSTALLED_APPS: list[str] = []
DATABASES: dict[str, dict[str, object]] = {}

_own = vars(import_module(os.environ["FOREIGN_SETTINGS"]))
globals().update({name: value for name, value in _own.items() if name.isupper()})

# A file, because the recorder writes from a thread that has a connection of its own. The runner
# puts another in its place: without a test database, the recorder stores nothing in a test run.
DATABASES |= {
    "events": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(WORK / "real.sqlite3")},
}
TEST_RUNNER = "foreign_runner.Runner"

if MODE != "bare":
    # Django's runtests.py, which is the main module, makes INSTALLED_APPS of a list of its own.
    getattr(sys.modules["__main__"], "ALWAYS_INSTALLED_APPS", []).append("signals_demo")
    INSTALLED_APPS = [*INSTALLED_APPS, "signals_demo"]
    SIGNALS_DEMO = {"STRICT": True}
if MODE == "recording":
    SIGNALS_DEMO |= {"RECORD_TESTS": True, "DATABASE": "events"}
    DATABASE_ROUTERS = ["foreign_router.Router"]
