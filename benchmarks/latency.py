"""How long requests take under load, from a real server, with the writer at work and without."""

import http.client
import os
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import quantiles

from benchmarks.environment import CHECKOUT

CLIENTS = 8
THREADS = 4
SERVER = "BENCHMARK_SERVER"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """gunicorn with one process of a few threads, serving the shop of one variant."""

    def __init__(self, python: str, variant: str, engine: str, folder: Path) -> None:
        folder.mkdir()
        self.port = _free_port()
        self._errors = folder / "errors.txt"
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [
                    *(python, "-m", "gunicorn", "benchmarks.server:application"),
                    *("--worker-class", "gthread", "--threads", str(THREADS)),
                    *("--bind", f"127.0.0.1:{self.port}", "--keep-alive", "60"),
                ],
                env={**os.environ, SERVER: f"{variant}|{engine}|{folder}"},
                cwd=CHECKOUT, stdout=errors, stderr=errors,
            )  # fmt: skip

    def wait(self) -> None:
        """Wait until it answers."""
        for _ in range(120):
            try:
                ask(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10), 0)
                return
            except OSError:
                time.sleep(0.5)
        self.end()
        raise SystemExit(f"The server does not answer:\n{self._errors.read_text()}")

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(60)


def ask(client: http.client.HTTPConnection, number: int) -> None:
    client.request("GET", f"/order/{number % 400}/")
    response = client.getresponse()
    response.read()
    if response.status != 200:
        raise SystemExit(f"The server answered {response.status}")


def load(port: int, rate: int, seconds: float) -> list[float]:
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
            ask(client, number)
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
        server.wait()
    for server in servers:
        load(server.port, rate, 2)
