"""Counts "database is locked": three processes that write to SQLite as startproject sets it up.

    python -m benchmarks.sqlite_locks [writes of each process]

Runs without the app and with it, in turn. Only the ratio of one run says anything.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROCESSES = 3

SETTINGS = """
SECRET_KEY = "benchmark"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", *{apps!r}]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {name!r}}}}}
SILENCED_SYSTEM_CHECKS = ["signals_demo.I001"]
"""

# Reads and then writes in a transaction, as the admin does.
WRITE = """
import random, sys, time
import django
django.setup()
from django.contrib.auth.models import Group
from django.db import OperationalError, transaction
locked = 0
for number in range(int(sys.argv[1])):
    try:
        with transaction.atomic():
            Group.objects.filter(pk=1).first()
            Group.objects.create(name=f"{sys.argv[2]} {number}")
    except OperationalError as error:
        locked += "locked" in str(error)
    time.sleep(random.random() * 0.02)
print(locked)
"""


def count(apps: list[str], writes: int) -> int:
    """Return how many writes of all processes failed because the database was locked."""
    with tempfile.TemporaryDirectory() as folder:
        name = str(Path(folder) / "db.sqlite3")
        (Path(folder) / "lock_settings.py").write_text(SETTINGS.format(apps=apps, name=name))
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "lock_settings",
            "PYTHONPATH": folder,
        }
        migrate = [sys.executable, "-m", "django", "migrate", "--verbosity=0"]
        subprocess.run(migrate, env=environment, check=True)
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITE, str(writes), str(number)],
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(PROCESSES)
        ]
        return sum(int(writer.communicate()[0]) for writer in writers)


def main() -> None:
    writes = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    for _round in range(2):
        for apps in ([], ["signals_demo"]):
            name = "with the app" if apps else "without"
            print(f"{name}: {count(apps, writes)} of {PROCESSES * writes}", flush=True)


if __name__ == "__main__":
    main()
