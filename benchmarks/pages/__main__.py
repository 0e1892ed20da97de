"""What recording costs real pages: `python -m benchmarks.pages`.

Run it from the top of the repository. It installs a shop (django-oscar), a wiki (Wagtail) and an
API (Django REST framework) into a folder of the user's cache. It serves each with gunicorn and
PostgreSQL, with the app and without it, in turns. docs/benchmarks.md says how this is measured.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks import databases, report
from benchmarks.environment import CHECKOUT
from benchmarks.pages.environment import environ, python_of_sites
from benchmarks.pages.server import CLIENTS, Figures, Server
from benchmarks.variants import BARE

OURS = "background"
VARIANTS = (BARE, OURS)
SITES = ("shop", "api", "wiki")
IMPORTING = "shop"
WARM_UP = 5 * CLIENTS
# The aims, compared with bare Django.
CPU, RATE, P99, IMPORT = 1.08, 0.97, 1.05, 1.15
CATALOGUE, ROWS = "shop: catalogue", 25


class Page(NamedTuple):
    name: str
    rounds: list[dict[str, Figures]]
    """What each variant has measured, in each round."""
    rows: float
    """Stored per request."""
    bytes: float

    def bare(self, figure: str) -> float:
        return median(getattr(each[BARE], figure) for each in self.rounds)

    def ratio(self, figure: str) -> float:
        return median(
            getattr(each[OURS], figure) / getattr(each[BARE], figure) for each in self.rounds
        )


def site(python: str, name: str, variant: str, word: str) -> Any:
    """Ask a process of a site: see `benchmarks.pages.site`."""
    result = subprocess.run(
        [python, "-m", "benchmarks.pages.site", word],
        cwd=CHECKOUT, env=os.environ | environ(name, variant), stdout=subprocess.PIPE, text=True,
        check=True,
    )  # fmt: skip
    return json.loads(result.stdout.splitlines()[-1])


@contextmanager
def databases_of(python: str, name: str) -> Iterator[None]:
    names = [f"{name}_{variant}" for variant in VARIANTS]
    if trouble := databases.create("postgresql", names, python):
        raise SystemExit(trouble)
    yield
    databases.drop("postgresql", names, python)


def pages_of(python: str, name: str, options: argparse.Namespace) -> Iterator[Page]:
    """Let the servers of a site take turns, page by page."""
    made = {variant: site(python, name, variant, "make") for variant in VARIANTS}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        servers = {
            variant: Server(python, name, variant, made[variant]["session"], Path(folder, variant))
            for variant in VARIANTS
        }
        try:
            for title in made[BARE]["pages"]:
                if options.only in title:
                    paths = {variant: made[variant]["pages"][title] for variant in VARIANTS}
                    for variant, server in servers.items():
                        server.wait(paths[variant], server.headers)
                        server.measure(paths[variant], WARM_UP)
                    yield _page(python, name, title, servers, paths, options)
        finally:
            for server in servers.values():
                server.end()


def _page(
    python: str,
    name: str,
    title: str,
    servers: dict[str, Server],
    paths: dict[str, str],
    options: argparse.Namespace,
) -> Page:
    rows, size = site(python, name, OURS, "stored")
    rounds = []
    for number in range(options.rounds):
        # Each variant is as often the first of its pair as the second.
        order = VARIANTS if number % 2 else VARIANTS[::-1]
        rounds.append(
            {each: servers[each].measure(paths[each], options.requests) for each in order}
        )
    rows_after, size_after = site(python, name, OURS, "stored")
    requests = options.rounds * options.requests
    return Page(title, rounds, (rows_after - rows) / requests, (size_after - size) / requests)


def imports(python: str, rounds: int) -> tuple[float, float]:
    """Return the seconds that an import takes without the app, and the ratio with it."""
    found = [
        {variant: site(python, IMPORTING, variant, "import") for variant in VARIANTS}
        for _ in range(rounds)
    ]
    bare = median(each[BARE] for each in found)
    return bare, median(each[OURS] / each[BARE] for each in found)


HEADS = """\
| page | rows | stored, kB | CPU, ms | ratio | requests a second | ratio | p99, ms | ratio |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""


def row(page: Page) -> str:
    figures = [f"{page.bare(each):,.1f} | {page.ratio(each):.2f}" for each in Figures._fields]
    return f"| {page.name} | {page.rows:.1f} | {page.bytes / 1000:.1f} | {' | '.join(figures)} |"


def aims(pages: list[Page], imported: tuple[float, float] | None) -> Iterator[str]:
    yield "| aim, in the worst case | measured | aim | |\n| --- | ---: | ---: | --- |"
    cpu, rate, p99 = ([page.ratio(each) for page in pages] for each in Figures._fields)
    yield _aim("CPU per request", max(cpu), f"≤ {CPU}", max(cpu) <= CPU)
    yield _aim("requests a second", min(rate), f"≥ {RATE}", min(rate) >= RATE)
    yield _aim("p99", max(p99), f"≤ {P99}", max(p99) <= P99)
    if imported:
        yield _aim("time of the import", imported[1], f"≤ {IMPORT}", imported[1] <= IMPORT)
    for page in pages:
        if page.name == CATALOGUE:
            yield _aim(f"rows of {CATALOGUE}", page.rows, f"< {ROWS}", page.rows < ROWS)


def _aim(title: str, measured: float, aim: str, is_reached: bool) -> str:
    return f"| {title} | {measured:.2f} | {aim} | {report.reached(is_reached)} |"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    add = parser.add_argument
    add("--site", choices=SITES, action="append", help="only this one (all)")
    add("--only", default="", metavar="TEXT", help="only pages whose name contains it")
    add("--rounds", type=int, default=5, help="of each page (%(default)s)")
    add("--requests", type=int, default=200, help="of each variant in a round (%(default)s)")
    add("--write", type=Path, metavar="FILE", help="write the tables into FILE")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    python = python_of_sites()
    pages, imported = [], None
    print(HEADS, flush=True)
    for name in options.site or SITES:
        with databases_of(python, name):
            for page in pages_of(python, name, options):
                pages.append(page)
                print(row(page), flush=True)
            if name == IMPORTING and not options.only:
                print("the import …", file=sys.stderr)
                imported = imports(python, options.rounds)
    below = [""]
    if imported:
        seconds, ratio = imported
        below += [f"An import of 5,000 products took {seconds:.1f} s; ratio {ratio:.2f}.", ""]
    below += aims(pages, imported)
    print("\n".join(below))
    if options.write:
        report.write(options.write, "pages", "\n".join([HEADS, *map(row, pages), *below]))


if __name__ == "__main__":
    main()
