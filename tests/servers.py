"""A real `runserver` in a process of its own, for tests that come in from outside."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Server:
    """A running development server: its address, and the file that has what it printed."""

    address: str
    log: Path

    @property
    def printed(self) -> str:
        return self.log.read_text(encoding="utf-8")


def clean_environment(**extra: str) -> dict[str, str]:
    """Return the environment without what this run of the tests put into it."""
    own = ("DJANGO_", "PYTHON", "PYTEST", "COV_", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return kept | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"} | extra


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def serve(
    python: Path | str, project: Path, log: Path, environment: Mapping[str, str]
) -> Iterator[Server]:
    """Run `manage.py runserver` in `project` until the block ends."""
    port = free_port()
    command = [str(python), "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    with (
        log.open("w", encoding="utf-8") as output,
        subprocess.Popen(
            command, cwd=project, env=dict(environment), stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            _wait_until_it_answers(process, port, log)
            yield Server(f"http://127.0.0.1:{port}", log)
        finally:
            process.terminate()


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"The server did not start:\n{log.read_text(encoding='utf-8')}"
                ) from error
            time.sleep(0.05)
