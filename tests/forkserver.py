"""Processes that begin with Django imported, which is most of what starting a project costs.

They are forked from a process that has imported Django and nothing else. All that follows is as in
a process that Python has just started: its script sets Django up and imports the app, and it ends
as an interpreter does.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import IO, Any

IMPORTED = [
    "django.contrib.auth.apps",
    "django.contrib.auth.hashers",
    "django.contrib.contenttypes.apps",
    "django.contrib.sessions.apps",
    "django.contrib.staticfiles.apps",
    "django.core.handlers.asgi",
    "django.core.handlers.wsgi",
    "django.core.management.commands.check",
    "django.core.management.commands.migrate",
    "django.db.backends.sqlite3.base",
    "django.forms",
]


class Process:
    """A process that was forked, to be used as one that `subprocess` has started."""

    def __init__(self, command: tuple[str, ...], news: socket.socket, stdout: IO[str]) -> None:
        self.args = command
        self.stdout = stdout
        self.returncode: int | None = None
        self._news = news
        self.pid = int(self._read(60))

    def _read(self, timeout: float | None) -> bytes:
        self._news.settimeout(timeout)
        try:
            return self._news.recv(100)
        except TimeoutError as error:
            raise subprocess.TimeoutExpired(self.args, timeout or 0) from error

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self.returncode = int(self._read(timeout))
        return self.returncode

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except BlockingIOError:
            return None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def kill_with_children(self) -> None:
        """Kill also the children that it has left: they hold what it printed to open."""
        self.kill()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *exception: object) -> None:
        self.stdout.close()
        self.wait()
        self._news.close()


class ForkServer:
    """The process that forks, as seen from the tests."""

    def __init__(self, *imported: str) -> None:
        self._requests, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        others = {name: text for name, text in os.environ.items() if name[:6] != "PYTHON"}
        with other:
            self._process = subprocess.Popen(
                [sys.executable, __file__, *imported],
                stdin=other,
                # A stream asks only when it is opened whether it can seek: a pipe cannot.
                stdout=other,
                stderr=other,
                env=others | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"},
            )
        atexit.register(self._close)

    def _close(self) -> None:
        self._requests.close()
        self._process.wait(60)

    def start(self, *command: str, cwd: Path, env: Mapping[str, str], stderr: IO[Any]) -> Process:
        """Run a script, or `-m` and a module, with its arguments; what it prints can be read."""
        sys.audit("subprocess.Popen", sys.executable, command, cwd, env)
        asked = json.dumps({"command": command, "cwd": str(cwd), "env": dict(env)}).encode()
        reading, writing = os.pipe()
        news, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other, os.fdopen(writing, "wb"):
            files = [writing, stderr.fileno(), other.fileno()]
            socket.send_fds(self._requests, [asked], files)
        return Process(command, news, os.fdopen(reading, encoding="utf-8"))

    def run(
        self, *command: str, cwd: Path, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a script or a module, and wait for its end."""
        reading, writing = os.pipe()
        with (
            os.fdopen(reading, encoding="utf-8") as error,
            os.fdopen(writing, "wb") as stderr,
            self.start(*command, cwd=cwd, env=env, stderr=stderr) as process,
            ThreadPoolExecutor(1) as pool,
        ):
            stderr.close()
            said = pool.submit(error.read)
            late = threading.Timer(timeout, process.kill_with_children)
            late.start()
            printed = process.stdout.read()
            code = process.wait()
            late.cancel()
            return subprocess.CompletedProcess(command, code, printed, said.result())


@cache
def fork_server(*imported: str) -> ForkServer:
    """Return the one of this process that imports these modules, too; it starts with its use."""
    return ForkServer(*imported)


def main() -> None:
    """Fork for each request; in what was forked, run the script that it names."""
    for name in (*IMPORTED, *sys.argv[1:]):
        importlib.import_module(name)
    gc.freeze()
    with socket.socket(fileno=os.dup(0)) as requests:
        while True:
            request, files, _flags, _address = socket.recv_fds(requests, 1_000_000, 3)
            if not request:
                return
            if not os.fork():
                break
            for file in files:
                os.close(file)
            with suppress(ChildProcessError):  # there are none any more
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
    *streams, news = files
    _tell_of_the_end(news, streams)
    _run(json.loads(request), streams)


def _tell_of_the_end(file: int, streams: list[int]) -> None:
    """Fork again: return in the child, while its parent waits to tell how it ends."""
    if not (pid := os.fork()):
        os.close(file)
        return
    os.setpgid(pid, pid)
    for stream in streams:
        os.close(stream)
    with socket.socket(fileno=file) as news:
        news.send(b"%d" % pid)
        _pid, status = os.waitpid(pid, 0)
        news.send(b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _run(asked: dict[str, Any], streams: list[int]) -> None:
    """Run the script, in a process that looks as if Python had just been started with it."""
    for number, stream in enumerate([os.open(os.devnull, os.O_RDONLY), *streams]):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    first, *rest = asked["command"]
    script = "" if first == "-m" else os.path.abspath(first)
    paths = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    own = os.path.dirname(script) or os.getcwd()
    sys.path[:] = [own, *dict.fromkeys([*paths, *sys.path[1:]])]
    if not script:
        sys.argv[:] = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        return
    sys.argv[:] = asked["command"]
    sys.modules["__main__"] = module = ModuleType("__main__")
    module.__file__ = script
    exec(compile(Path(script).read_bytes(), script, "exec"), vars(module))


if __name__ == "__main__":
    main()
