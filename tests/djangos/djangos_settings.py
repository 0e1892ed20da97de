"""Settings for Django's own tests: those of its test_sqlite.py, and this app as DJANGOS_MODE says.

The bare run has the same settings and databases, so that the app is the only difference.
"""

import os
import sys
from pathlib import Path

from test_sqlite import *
from test_sqlite import DATABASES

WORK = Path(os.environ["DJANGOS_WORK"])
MODE = os.environ["DJANGOS_MODE"]

# A file, because the recorder writes from a thread that has a connection of its own. Django's
# tests use "default" and "other".
DATABASES |= {
    "events": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(WORK / "events.sqlite3")},
}
TEST_RUNNER = "djangos_runner.Runner"

if MODE != "bare":
    # runtests.py, which is the main module, makes INSTALLED_APPS of this list of its own.
    getattr(sys.modules["__main__"], "ALWAYS_INSTALLED_APPS", []).append("signals_demo")
    SIGNALS_DEMO = {"STRICT": True}
if MODE == "recording":
    INSTALLED_APPS = ["signals_demo"]  # for the command that makes its table
    SIGNALS_DEMO |= {"RECORD_TESTS": True, "DATABASE": "events"}
    DATABASE_ROUTERS = ["djangos_router.Router"]
