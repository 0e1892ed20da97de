"""How long requests take under load, from a real server, with the writer at work and without."""

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import quantiles

from benchmarks.environment import CHECKOUT

CLIENTS = 8
THREADS = 4
SERVER = "BENCHMARK_SERVER"
NONE: Mapping[str, str] = {}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Gunicorn:
    """A server of an application on a port of its own."""

    def __init__(
        self, python: str, application: str, folder: Path, environ: dict[str, str], *options: str
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.port = _free_port()
        self._errors = folder / "errors.txt"
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(
                [
                    *(python, "-m", "gunicorn", application),
                    *("--bind", f"127.0.0.1:{self.port}", "--keep-alive", "60", *options),
                ],
                env=os.environ | environ, cwd=CHECKOUT, stdout=errors, stderr=errors,
            )  # fmt: skip

    def wait(self, path: str, headers: Mapping[str, str] = NONE) -> None:
        """Wait until it answers."""
        for _ in range(120):
            try:
                ask(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10), path, headers)
                return
            except OSError:
                time.sleep(0.5)
        self.end()
        raise SystemExit(f"The server does not answer:\n{self._errors.read_text()}")

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(120)

    @property
    def errors(self) -> str:
        return self._errors.read_text()


class Server(Gunicorn):
    """gunicorn, serving the shop of one variant."""

    def __init__(
        self,
        python: str,
        variant: str,
        engine: str,
        folder: Path,
        options: Sequence[str] = ("--worker-class", "gthread", "--threads", str(THREADS)),
    ) -> None:
        environ = {SERVER: f"{variant}|{engine}|{folder}"}
        super().__init__(python, "benchmarks.server:application", folder, environ, *options)


def ask(client: http.client.HTTPConnection, path: str, headers: Mapping[str, str] = NONE) -> None:
    client.request("GET", path, headers=headers)
    response = client.getresponse()
    response.read()
    if response.status != 200:
        raise SystemExit(f"The server answered {response.status} to {path}")


def load(port: int, rate: int, seconds: float, path: str = "order") -> list[float]:
    """Send `rate` requests a second, on time whatever the answers do; return milliseconds.

    A request counts from when it was due: one that waits for a slow one before it is slow as well.
    """
    begin = time.perf_counter() + 0.1

    def send(first: int) -> list[float]:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        found = []
        for number in range(first, int(rate * seconds), CLIENTS):
            due = begin + number / rate
            time.sleep(max(0, due - time.perf_counter()))
            ask(client, f"/{path}/{number % 400}/")
            found.append((time.perf_counter() - due) * 1000)
        client.close()
        return found

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [each for found in pool.map(send, range(CLIENTS)) for each in found]


def p50_and_p99(milliseconds: list[float]) -> tuple[float, float]:
    cuts = quantiles(milliseconds, n=100)
    return cuts[49], cuts[98]


def warm_up(servers: list[Server], rate: int) -> None:
    for server in servers:
        server.wait("/order/0/")
    for server in servers:
        load(server.port, rate, 2)
