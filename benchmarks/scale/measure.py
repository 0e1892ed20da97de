"""What each page takes on one database: `python -m benchmarks.scale.measure ENGINE EVENTS …`.

A process of its own, since Django has one set of settings. Prints JSON.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any
from unittest import mock

from benchmarks.scale import project
from benchmarks.scale.events import LONGEST

OWN = "signals_demo_signal"
FIRST = 1_000  # rows of an export


class Reader:
    """A member of the staff who may read the log, at the moment at which the log ends."""

    def __init__(self) -> None:
        from django.contrib.auth import get_user_model
        from django.contrib.auth.models import Permission
        from django.db import connection
        from django.test import Client

        from benchmarks.scale.pages import pages

        self.connection = connection
        # The keys that come before it are taken, which the database does not know.
        users = get_user_model().objects
        reader, _is_new = users.get_or_create(pk=10**6, username="reader", is_staff=True)
        named = ("view_signalevent", "view_product", "view_user")
        reader.user_permissions.set(Permission.objects.filter(codename__in=named))
        self.client = Client()
        self.client.force_login(reader)
        self.pages = dict(pages(self.client))

    def get(self, url: str) -> int:
        """Read a page to its end, or the first rows of a file; return how many bytes came."""
        response = self.client.get(url)
        if response.status_code != 200:
            raise SystemExit(f"{url}: {response.status_code}")
        if response.streaming:
            return _first_rows(response)
        return len(response.content)

    def timed(self, url: str) -> tuple[float, float, int]:
        """Return the milliseconds that a page takes, those that it computes, and its size."""
        started, computed = time.perf_counter(), time.process_time()
        size = self.get(url)
        computed = time.process_time() - computed
        return (time.perf_counter() - started) * 1000, computed * 1000, size

    def versions(self) -> dict[str, str]:
        import django

        numbers = self.connection.get_database_version()
        return {
            "Python": sys.version.split()[0],
            self.connection.display_name: ".".join(map(str, numbers)),
            "Django": django.get_version(),
        }

    def queries(self, url: str) -> list[str]:
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(self.connection) as captured:
            self.get(url)
        return [query["sql"] for query in captured.captured_queries]


def _first_rows(pieces: Iterable[bytes]) -> int:
    size = rows = 0
    for piece in pieces:
        size += len(piece)
        rows += piece.count(b"\n")
        if rows > FIRST:
            break
    return size


def tries(reader: Reader, orders: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield, for each line that comes, what the pages take, or how many queries they run.

    A try goes through all pages, so that a slow minute of the machine is shared by all of them.
    """
    for order in orders:
        ask = (lambda url: len(reader.queries(url))) if "queries" in order else reader.timed
        yield {title: ask(url) for title, url in reader.pages.items()}


def planned(reader: Reader) -> dict[str, Any]:
    """Return for each page how PostgreSQL answers its queries to the tables of the app."""
    return {
        title: [
            _plan(reader, sql)
            for sql in reader.queries(url)
            if sql.startswith("SELECT") and f'"{OWN}' in sql
        ]
        for title, url in reader.pages.items()
    }


def _plan(reader: Reader, sql: str) -> list[str]:
    with reader.connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}")
        [[[plan]]] = cursor.fetchall()
    steps = list(_steps(plan["Plan"]))
    return [*steps, f"{plan['Execution Time']:.1f} ms"]


def _steps(node: dict[str, Any]) -> Iterator[str]:
    kind, loops = node["Node Type"], node["Actual Loops"]
    if "Scan" in kind and kind != "Subquery Scan":
        passed_over = node.get("Rows Removed by Filter", 0) + node.get(
            "Rows Removed by Index Recheck", 0
        )
        rows = round((node["Actual Rows"] + passed_over) * loops)
        where = node.get("Index Name") or node.get("Relation Name", "")
        yield f"{kind} {where}: {rows:,} rows".replace("  ", " ")
    elif "Sort" in kind:
        yield kind
    for inner in node.get("Plans", ()):
        yield from _steps(inner)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale.measure")
    parser.add_argument("what", choices=("fill", "measure", "plans"))
    parser.add_argument("engine")
    parser.add_argument("events", type=int)
    parser.add_argument("folder")
    parser.add_argument("--longest", type=int, default=LONGEST)
    parser.add_argument("--only", default="", help="pages whose name contains this")
    options = parser.parse_args()
    project.set_up(options.engine, options.events, options.folder)
    from benchmarks.scale import fill
    from signals_demo.models import SignalEvent

    if options.what == "fill":
        if not fill.is_filled():
            fill.fill(options.events, options.longest)
        return
    end = SignalEvent.objects.latest("occurred_at").occurred_at
    with mock.patch("django.utils.timezone.now", return_value=end):
        reader = Reader()
        reader.pages = {title: url for title, url in reader.pages.items() if options.only in title}
        if options.what == "plans":
            print(json.dumps(planned(reader)))
            return
        print(json.dumps(reader.versions()), flush=True)
        for found in tries(reader, sys.stdin):
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
