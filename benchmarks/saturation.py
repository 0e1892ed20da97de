"""What becomes of events that come faster than they can be stored, by the rate of requests.

Run by `benchmarks.sustained`. Alone, it answers words on lines of its input: `stored` is how many
events of the shop's sales are stored; `watch` notes how far the servers have got, every half
second, until the next word; `lag` is how old the oldest event became before it was stored.
"""

import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import latency
from benchmarks.environment import CHECKOUT
from benchmarks.project import set_up

EVENTS = 6  # of a request
OPTIONS = ("--workers", "2", "--graceful-timeout", "100")
INTERVAL = 0.5
LATEST = 500  # events among which a server that has begun to store is found


def rows(
    python: str, place: tuple[str, str, Path], rates: list[int], seconds: float
) -> Iterator[str]:
    """Yield a table: the latency at each rate, and how the end of the server goes.

    `place` is a variant, the kind of its database and a folder.
    """
    yield (
        "| requests per second | served | median, ms | p99, ms | longest lag, s"
        " | the end took, s | lost |"
    )
    yield "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    observer = Observer(python, place)
    before = observer.ask("stored")
    for rate in rates:
        server = latency.Server(python, *place, OPTIONS)
        server.wait("/order/0/")
        observer.tell("watch")
        began = time.perf_counter()
        found = latency.load(server.port, rate, seconds, "sell")
        served = len(found) / (time.perf_counter() - began)
        observer.tell("stop")
        ending = time.perf_counter()
        server.end()
        ending = time.perf_counter() - ending
        after = observer.ask("stored")
        lost, before = EVENTS * len(found) - (after - before), after
        middle, high = latency.p50_and_p99(found)
        mark = " (slowed down)" if "slowed down" in server.errors else ""
        yield (
            f"| {rate:,}{mark} | {served:,.0f} | {middle:.1f} | {high:.1f}"
            f" | {observer.ask('lag'):.1f} | {ending:.1f} | {lost:,} |"
        )
    observer.end()


class Observer:
    """A process that reads what the servers have stored."""

    def __init__(self, python: str, place: tuple[str, str, Path]) -> None:
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.saturation", *map(str, place)],
            cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def tell(self, word: str) -> None:
        assert self._process.stdin is not None
        print(word, file=self._process.stdin, flush=True)

    def ask(self, word: str) -> Any:
        assert self._process.stdout is not None
        self.tell(word)
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("The process that reads what is stored has failed.")
        return json.loads(line)

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)


Reached = dict[Any, int]
"""The number of the latest stored event, by recorder."""


def _watch() -> list[tuple[datetime, Reached]]:
    """Note what is stored until there is something to read; return it with the moments."""
    from django.db.models import Max

    from signals_demo.models import SignalEvent

    noted: list[tuple[datetime, Reached]] = [(datetime.now(UTC), {})]
    recorders: set[Any] = set()
    while not select.select([sys.stdin], [], [], INTERVAL)[0]:
        recorders.update(
            SignalEvent.objects.order_by("-pk").values_list("recorder", flat=True)[:LATEST]
        )
        reached = {
            each: SignalEvent.objects.filter(recorder=each).aggregate(last=Max("sequence"))["last"]
            for each in recorders
        }
        noted.append((datetime.now(UTC), reached))
    return noted


def _longest_lag(noted: list[tuple[datetime, Reached]]) -> float:
    """Return the age, at its moment, of the oldest event that was not stored then, in seconds."""
    from signals_demo.models import SignalEvent

    longest = timedelta()
    load = SignalEvent.objects.filter(occurred_at__gte=noted[0][0])  # and not the server's start
    recorders = {each for _, reached in noted for each in reached}
    for moment, reached in noted:
        for each in recorders:
            later = load.filter(recorder=each, sequence__gt=reached.get(each, 0))
            missing = later.order_by("sequence").first()
            if missing is not None:
                longest = max(longest, moment - missing.occurred_at)
    return longest.total_seconds()


def main() -> None:
    set_up(*sys.argv[1:])
    from benchmarks.actions import stock_up

    stock_up()
    from signals_demo import suppress
    from signals_demo.models import SignalEvent

    noted: list[tuple[datetime, Reached]] = []
    with suppress():
        for word in iter(sys.stdin.readline, ""):
            if word.strip() == "watch":
                noted = _watch()
            elif word.strip() == "stored":
                sales = SignalEvent.objects.filter(origin_name__startswith="GET /sell/")
                print(sales.firings(), flush=True)
            elif word.strip() == "lag":
                print(_longest_lag(noted), flush=True)


if __name__ == "__main__":
    main()
