"""What a stored event takes on PostgreSQL: `python -m benchmarks.bytes`.

Prints the bytes of a row by table, index and column, for a shop's requests and after an import in
one transaction, and the dead rows that the import leaves. docs/benchmarks.md says what is done.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode

from benchmarks import databases, report
from benchmarks.environment import CHECKOUT
from benchmarks.project import set_up, stored

VARIANT, ENGINE = "bytes", "postgresql"
OWN = "signals_demo_signalevent"

# Of a hundred requests: what is asked, and how often. A shop is looked at more than bought in.
MIX = (("/order/{}/", 40), ("/sell/{}/", 15), ("/page/", 40), ("/login/", 5))
SEED = 1
PATIENCE = 60  # seconds until the server's statistics are up to date
WAIT_EVERY = 500  # requests after which it is waited until all is stored


def _ask(requests: int) -> None:
    """Ask for the pages of a shop: reads that fold and that do not, saves, logins."""
    from django.core.wsgi import get_wsgi_application

    from benchmarks.actions import environ, stock_up

    stock_up()
    handler = get_wsgi_application()
    form = urlencode({"name": "ada", "password": "analytical"}).encode()
    random = Random(SEED)  # noqa: S311 - the same requests in each run
    paths, weights = zip(*MIX, strict=True)
    for number, path in enumerate(random.choices(paths, weights, k=requests), 1):
        is_login = path == "/login/"
        asked = environ("POST", path, form) if is_login else environ(
            "GET", path.format(random.randrange(1, 400))
        )  # fmt: skip
        with closing(handler(asked, lambda status, headers: None)) as response:
            b"".join(response)
        if number % WAIT_EVERY == 0:
            stored(VARIANT)


def _import(rows: int) -> None:
    """Save new rows in one transaction."""
    from django.db import transaction

    from benchmarks.actions import product

    with transaction.atomic():
        for number in range(rows):
            product(number).save()


WORKLOADS = {"shop": _ask, "import": _import}


def _run(workload: str, folder: str, number: int) -> None:
    """Do the work in this process, and print what the events of it take as JSON."""
    set_up(VARIANT, ENGINE, folder)
    from django.db import connection

    with connection.cursor() as cursor:
        # Or the size would depend on when the server has last taken dead rows away.
        cursor.execute(f"ALTER TABLE {OWN} SET (autovacuum_enabled = false)")
    WORKLOADS[workload](number)
    stored(VARIANT, 600)
    with connection.cursor() as cursor:
        print(json.dumps(_measure(cursor)))


def _measure(cursor: Any) -> dict[str, Any]:
    cursor.execute(f"SELECT count(*), sum(count) FROM {OWN}")  # noqa: S608
    rows, firings = cursor.fetchone()
    cursor.execute(f"SELECT pg_relation_size('{OWN}')")
    [table] = cursor.fetchone()
    cursor.execute(
        "SELECT indexrelid::regclass::text, pg_relation_size(indexrelid) FROM pg_index"
        f" WHERE indrelid = '{OWN}'::regclass ORDER BY 2 DESC"
    )
    indexes = dict(cursor.fetchall())
    cursor.execute(
        f"SELECT attname FROM pg_attribute WHERE attrelid = '{OWN}'::regclass AND attnum > 0"
        " AND NOT attisdropped"
    )
    columns = [name for (name,) in cursor.fetchall()]
    sizes = ", ".join(f'coalesce(sum(pg_column_size("{name}")), 0)' for name in columns)
    cursor.execute(f"SELECT {sizes} FROM {OWN}")  # noqa: S608
    widths = zip(columns, map(int, cursor.fetchone()), strict=True)
    return {
        "rows": rows, "firings": int(firings), "table": table, "indexes": indexes,
        "columns": dict(widths), "again": _written_again(cursor, rows),
    }  # fmt: skip


def _written_again(cursor: Any, rows: int) -> int:
    """Return how many rows were updated, once the server's statistics know of all."""
    for _ in range(PATIENCE):
        cursor.execute(
            "SELECT n_tup_ins, n_tup_upd FROM pg_stat_user_tables WHERE relname = %s", [OWN]
        )
        inserted, updated = cursor.fetchone()
        if inserted >= rows:
            return int(updated)
        time.sleep(1)
    raise SystemExit("The statistics of the server do not know of all rows.")


def _in_process(workload: str, number: int) -> dict[str, Any]:
    if trouble := databases.create(ENGINE, [VARIANT]):
        raise SystemExit(trouble)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        result = subprocess.run(
            [sys.executable, "-m", "benchmarks.bytes", "--run", workload, folder, str(number)],
            cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    databases.drop(ENGINE, [VARIANT])
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def _summary(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield f"| bytes of a row | {' | '.join(found)} |"
    yield f"| --- |{' ---: |' * len(found)}"

    def line(title: str, value: Any) -> str:
        cells = (f"{value(one):,.0f}" for one in found.values())
        return f"| {title} | {' | '.join(cells)} |"

    yield line(
        "**in all**", lambda one: (one["table"] + sum(one["indexes"].values())) / one["rows"]
    )
    yield line("the table", lambda one: one["table"] / one["rows"])
    for name in next(iter(found.values()))["indexes"]:
        title = name.removeprefix("signals_demo_")
        yield line(f"index `{title}`", lambda one, name=name: one["indexes"][name] / one["rows"])
    yield line("rows", lambda one: one["rows"])
    yield line("firings", lambda one: one["firings"])
    yield line("rows written again, each of which leaves a dead one", lambda one: one["again"])


def _columns(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    first = next(iter(found.values()))
    names = sorted(first["columns"], key=lambda name: -first["columns"][name])
    yield f"| bytes of a column | {' | '.join(found)} |"
    yield f"| --- |{' ---: |' * len(found)}"
    for name in names:
        cells = (f"{one['columns'][name] / one['rows']:,.1f}" for one in found.values())
        yield f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bytes", description=__doc__)
    add = parser.add_argument
    add("--requests", type=int, default=4_000, help="of the shop (%(default)s)")
    add("--rows", type=int, default=50_000, help="of the import (%(default)s)")
    add("--write", type=Path, metavar="FILE", help="write the tables into FILE")
    add("--run", nargs=3, metavar=("WORKLOAD", "FOLDER", "NUMBER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        workload, folder, number = options.run
        _run(workload, folder, int(number))
        return
    numbers = {"shop": options.requests, "import": options.rows}
    found = {name: _in_process(name, number) for name, number in numbers.items() if number}
    text = "\n".join([*_summary(found), "", *_columns(found)])
    print(text)
    if options.write:
        report.write(options.write, "bytes", text)


if __name__ == "__main__":
    main()
