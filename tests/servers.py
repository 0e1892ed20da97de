"""Real servers in processes of their own, for tests that come in from outside."""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from django.core.handlers.asgi import ASGIHandler

from tests.recording import Project


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
    python: Path | str,
    project: Path,
    log: Path,
    environment: Mapping[str, str],
    port: int | None = None,
) -> Iterator[Server]:
    """Run `manage.py runserver` in `project` until the block ends, on a free port or this one."""
    port = port or free_port()
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
            _end(process)


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


def _end(process: subprocess.Popen[bytes]) -> None:
    """Terminate a server; one that does not end within a minute is killed, and fails the test."""
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def until(what: Callable[[], object]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline, "It never came to hold."
        time.sleep(0.05)


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def get(address: str) -> str:
    with urlopen(address, timeout=60) as response:
        text: str = response.read().decode()
        return text


@contextmanager
def running(
    project: Project, *command: str, **environment: str
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a server until the block ends; in its command, PORT stands for a free port.

    What it prints is in the project's file `log`.
    """
    port = free_port()
    log = project.folder / "log"
    with (
        log.open("ab") as output,
        subprocess.Popen(
            [sys.executable, *(part.replace("PORT", str(port)) for part in command)],
            cwd=project.folder,
            env=project.environment | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            until(lambda: answers(port) or process.poll() is not None)
            assert process.poll() is None, log.read_text()
            yield f"http://127.0.0.1:{port}", process
        finally:
            _end(process)


REQUESTS = 50
GUNICORN = ["-m", "gunicorn", "application:wsgi", "--bind", "127.0.0.1:PORT"]


def ask_all_at_once(address: str, view: str) -> None:
    """Send many requests at once, and wait for their answers."""
    start = threading.Barrier(REQUESTS)

    def ask(number: int) -> None:
        start.wait(60)
        get(f"{address}/{view}/{number}/")

    with ThreadPoolExecutor(REQUESTS) as pool:
        list(pool.map(ask, range(REQUESTS)))


class Load:
    """Clients that ask for one page after the other, also of a server that is not there."""

    def __init__(self, address: str, clients: int = 4) -> None:
        self.address = address
        self.answered = 0
        self.failed = 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _ask(self) -> None:
        while not self._over.wait(0.003):
            try:
                get(self.address)
                self.answered += 1
            except (OSError, HTTPException):  # the server is being stopped
                self.failed += 1
                time.sleep(0.01)

    def more(self, number: int = 20) -> None:
        """Wait until so many more requests were answered."""
        enough = self.answered + number
        until(lambda: self.answered >= enough)

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)


# A PostgreSQL of the tests' own, which they may stop.

_FOUND = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parts[4]))
HAS_POSTGRES = bool(_FOUND)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A PostgreSQL server that belongs to the tests alone: its folder and its port."""

    folder: Path
    port: int

    @classmethod
    def make(cls) -> "Cluster":
        folder = Path(tempfile.mkdtemp(prefix="signals_demo_postgres_"))
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            os.chown(folder, *pwd.getpwnam("postgres")[2:4])
        cluster = cls(folder, free_port())
        cluster._run("initdb", "--auth=trust", "--username=postgres", "--no-sync")
        return cluster

    def _run(self, program: str, *options: str) -> None:
        user = "postgres" if os.geteuid() == 0 else None
        command = [_FOUND[-1] / program, "--pgdata", self.folder, *options]
        subprocess.run(
            command, user=user, group=user, cwd=self.folder, check=True, stdout=subprocess.DEVNULL
        )

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -c unix_socket_directories= -c fsync=off"
        log = str(self.folder / "log")
        self._run("pg_ctl", "--wait", "--log", log, "--options", options, "start")

    def stop(self) -> None:
        """Stop it as a crash does."""
        self._run("pg_ctl", "--mode=immediate", "stop")

    def freeze(self) -> None:
        """Have it answer nobody any more, as a machine that hangs."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        main = (self.folder / "postmaster.pid").read_text().split()[0]
        children = Path(f"/proc/{main}/task/{main}/children").read_text()
        for process in (*children.split(), main):
            with suppress(ProcessLookupError):  # one that has just ended
                os.kill(int(process), number)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def query(self, database: str, sql: str) -> list[dict[str, Any]]:
        """Return what a database answers, from outside Django."""
        import psycopg

        address = {"host": "127.0.0.1", "port": self.port, "user": "postgres"}
        with psycopg.connect(
            dbname=database, autocommit=True, row_factory=psycopg.rows.dict_row, **address
        ) as opened:
            cursor = opened.execute(sql)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []


async def serve_asgi(
    *paths: str,
    status: int = 200,
    stays: bool = True,
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> None:
    """Have requests served one after the other in this process, as an ASGI server has.

    A client that does not stay has gone before there is an answer.
    """
    for path in paths:
        messages: list[Any] = [{"type": "http.request", "body": b""}]
        if not stays:
            messages.append({"type": "http.disconnect"})

        async def receive(messages: list[Any] = messages) -> Any:
            if not messages:
                await asyncio.sleep(60)  # Django stops waiting for it
            return messages.pop(0)

        async def send(message: Any) -> None:
            assert message.get("status", status) == status

        scope = {"type": "http", "method": "GET", "path": path, "query_string": b""}
        await ASGIHandler()(scope | {"headers": headers}, receive, send)
