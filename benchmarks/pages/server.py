"""gunicorn with two workers, serving a site: what its pages cost."""

import http.client
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks.latency import Gunicorn, ask, p50_and_p99
from benchmarks.pages.environment import environ

CLIENTS = 4
STORED = 2.0  # seconds after which the last events of a load are stored
TICKS = os.sysconf("SC_CLK_TCK")


class Figures(NamedTuple):
    cpu: float
    """Milliseconds per request, of all threads of the workers, until everything is stored."""
    rate: float
    """Requests per second."""
    p99: float
    """Milliseconds."""


class Server(Gunicorn):
    def __init__(self, python: str, site: str, variant: str, session: str, folder: Path) -> None:
        application = "django.core.wsgi:get_wsgi_application()"
        settings = {"DJANGO_SETTINGS_MODULE": f"benchmarks.pages.{site}.settings"}
        super().__init__(
            python, application, folder, environ(site, variant) | settings, "--workers", "2",
            "--graceful-timeout", "100",
        )  # fmt: skip
        self.headers = {"Cookie": f"sessionid={session}"}

    def measure(self, path: str, requests: int) -> Figures:
        before, began = self._cpu(), time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            found = pool.map(lambda _: self._ask(path, requests // CLIENTS), range(CLIENTS))
            milliseconds = [each for own in found for each in own]
        seconds = time.perf_counter() - began
        time.sleep(STORED)
        cpu = (self._cpu() - before) / len(milliseconds) * 1000
        return Figures(cpu, len(milliseconds) / seconds, p50_and_p99(milliseconds)[1])

    def _ask(self, path: str, number: int) -> list[float]:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        found = []
        for _ in range(number):
            began = time.perf_counter()
            ask(client, path, self.headers)
            found.append((time.perf_counter() - began) * 1000)
        client.close()
        return found

    def _cpu(self) -> float:
        """Return the seconds of CPU that the workers have taken so far."""
        master = self.process.pid
        workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return sum(map(_cpu_of, workers))


def _cpu_of(process: str) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS  # in the program, and in the system for it
