"""Management commands in other processes, with a time limit."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from django.conf import settings
from django.db import connection

from project.playground.noticeboard import IN_CHILD, collect
from project.playground.runner import DATABASE
from signals_demo import flush
from signals_demo.models import SignalEvent

SECONDS = 30
RELOAD = 3  # with this status the reloader's process asks for another one


class Excuse(Exception):
    """Why an action failed, in words for the person who pressed the button."""


def run_tests() -> str:
    """Run the lesson's tests."""
    database = {DATABASE: str(connection.settings_dict["NAME"]), "DEMO_DATABASE": ":memory:"}
    return _manage("test", "project.playground.tests", environment=database)


def run_server_until_reload() -> str:
    """Run a server until its reloader sees a change."""
    with TemporaryDirectory() as folder:
        watched = Path(folder) / "touched.txt"
        watched.touch()
        return _manage(
            "runserver",
            "127.0.0.1:0",  # any free port
            environment={
                "RUN_MAIN": "true",  # the process that watches
                "PLAYGROUND_WATCH": folder,
            },
            status=RELOAD,
            meanwhile=watched.touch,
        )


def _manage(
    command: str,
    *arguments: str,
    environment: dict[str, str] | None = None,
    status: int = 0,
    meanwhile: Callable[[], object] = lambda: None,
) -> str:
    """Run a command, calling `meanwhile` repeatedly; return the trace id of its process."""
    if connection.vendor != "sqlite":
        raise Excuse(
            "This action needs the playground's SQLite database. Another database is in use."
        )
    flush()
    newest = SignalEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    with (
        TemporaryFile("w+", encoding="utf-8", errors="replace") as printed,
        subprocess.Popen(
            [sys.executable, "manage.py", command, *arguments],
            cwd=settings.BASE_DIR,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "project.settings",
                "DEMO_DATABASE": str(connection.settings_dict["NAME"]),
                "PYTHONUTF8": "1",
                IN_CHILD: "1",
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            _wait(process, command, meanwhile)
        finally:
            process.kill()
        printed.seek(0)
        output = printed.read()
    end = output[-1000:]
    if process.returncode != status:
        raise Excuse(f"manage.py {command} ended with status {process.returncode}: {end}")
    # The process stored its last events before it ended.
    recorded = SignalEvent.objects.filter(pk__gt=newest, origin_name=command)
    trace_id = recorded.order_by("-pk").values_list("trace_id", flat=True).first()
    if trace_id is None:
        raise Excuse(f"manage.py {command} ran, but none of its events were recorded: {end}")
    collect(output)
    return trace_id


def _wait(process: subprocess.Popen[bytes], command: str, meanwhile: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while process.poll() is None:
        if time.monotonic() > deadline:
            raise Excuse(
                f"manage.py {command} took longer than {SECONDS} seconds and was stopped."
            )
        meanwhile()
        time.sleep(0.1)
