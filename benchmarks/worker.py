"""One variant in a process of its own. It works when it is asked to: a word on a line of stdin.

`turn` measures each action once and answers with the microseconds that the caller waited and that
the process computed, per action. `queries` counts the statements on the host's connection.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks.project import LeftOut, set_up, stored

WARM_UP = 10  # actions before those that are timed
TRANSACTION = ("BEGIN", "COMMIT")


def turn(variant: str, burst: int) -> dict[str, tuple[float, float]]:
    from django.db import transaction

    from benchmarks.actions import Shop

    figures = {}
    for size in (min(WARM_UP, burst), burst):
        for action in Shop(size).actions():
            action.prepare()
            stored(variant)
            computed, started = time.process_time(), time.perf_counter()
            with transaction.atomic() if action.in_transaction else nullcontext():
                action.run()
            waited = time.perf_counter() - started
            stored(variant)
            computed = time.process_time() - computed
            figures[action.name] = waited / action.times * 1e6, computed / action.times * 1e6
    return figures


def queries(variant: str, burst: int) -> dict[str, float]:
    from django.db import transaction

    from benchmarks.actions import Shop

    figures = {}
    for action in Shop(burst).actions():
        action.prepare()
        stored(variant)
        with (
            statements() as seen,
            transaction.atomic() if action.in_transaction else nullcontext(),
        ):
            action.run()
        figures[action.name] = len(seen) if action.is_one_query else len(seen) / action.times
    return figures


@contextmanager
def statements() -> Iterator[list[str]]:
    """Note what this thread's connection is asked, below Django: nothing passes unseen."""
    from django.db import connection

    connection.ensure_connection()
    seen: list[str] = []

    def note(sql: Any) -> None:
        if not str(sql).lstrip().upper().startswith(TRANSACTION):
            seen.append(str(sql))

    if connection.vendor == "sqlite":
        connection.connection.set_trace_callback(note)
        yield seen
        connection.connection.set_trace_callback(None)
    else:
        with _noted_by_psycopg(connection.connection, note):
            yield seen


@contextmanager
def _noted_by_psycopg(host: Any, note: Any) -> Iterator[None]:
    from psycopg import Cursor

    originals = {name: getattr(Cursor, name) for name in ("execute", "executemany", "copy")}

    def noting(original: Any) -> Any:
        def method(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
            if self.connection is host:
                note(query)
            return original(self, query, *args, **kwargs)

        return method

    for name, original in originals.items():
        setattr(Cursor, name, noting(original))
    yield
    for name, original in originals.items():
        setattr(Cursor, name, original)


def versions(variant: str) -> dict[str, str]:
    """Return what takes part: Python, Django, the database, the peer."""
    from django.db import connection

    from benchmarks.variants import VARIANTS

    with connection.cursor() as cursor:
        is_sqlite = connection.vendor == "sqlite"
        cursor.execute("SELECT sqlite_version()" if is_sqlite else "SHOW server_version")
        server = cursor.fetchone()[0].split()[0]
    found = {"Python": sys.version.split()[0], connection.display_name: server}
    for package in ("Django", VARIANTS[variant].title):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def main() -> None:
    variant, engine, folder, burst = sys.argv[1:]
    answers, sys.stdout = sys.stdout, sys.stderr  # what a package prints is no answer

    def answer(found: Any) -> None:
        print(json.dumps(found), file=answers, flush=True)

    try:
        set_up(variant, engine, folder)
    except LeftOut as reason:
        answer({"left out": str(reason)})
        return
    answer({"versions": versions(variant)})
    for line in sys.stdin:
        answer({"turn": turn, "queries": queries}[line.strip()](variant, int(burst)))


if __name__ == "__main__":
    main()
