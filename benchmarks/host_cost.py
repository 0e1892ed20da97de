"""What recording costs the host: `python benchmarks/host_cost.py`.

Each variant runs in a process of its own, in turns, several rounds; the table shows the median
over the rounds. Run it with the Python of an environment that has Django and this checkout. It
uses SQLite in a temporary folder, or the PostgreSQL server of PGHOST and PGUSER with
`--database postgresql`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
VARIANTS = {
    "bare Django": None,
    "no-op receivers": None,
    "background": {"MODE": "background"},
    "inline": {"MODE": "inline"},
}
ACTIONS = ("create", "update", "read a row", "delete", "request")
NAME = "signals_demo_benchmark"


def database(engine: str, folder: str) -> dict[str, Any]:
    if engine == "postgresql":
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": NAME,
            "HOST": os.environ.get("PGHOST", "127.0.0.1"),
            "USER": os.environ.get("PGUSER", "postgres"),
        }
    pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(Path(folder, "benchmark.sqlite3")),
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": pragmas},
    }


def set_up(variant: str, engine: str, folder: str) -> None:
    import django
    from django.conf import settings

    recorded = VARIANTS[variant]
    settings.configure(
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            *(["signals_demo"] if recorded else []),
        ],
        DATABASES={"default": database(engine, folder)},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        ROOT_URLCONF="benchmarks.urls",
        ALLOWED_HOSTS=["*"],
        SIGNALS_DEMO=recorded or {},
    )
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    if variant == "no-op receivers":
        connect_no_ops()


def connect_no_ops() -> None:
    from django.core import signals as core
    from django.db.models import signals

    def receive(**kwargs: Any) -> None:
        pass

    for signal in (
        signals.pre_init,
        signals.post_init,
        signals.pre_save,
        signals.post_save,
        signals.pre_delete,
        signals.post_delete,
        signals.m2m_changed,
        core.request_started,
        core.request_finished,
        core.got_request_exception,
    ):
        signal.connect(receive, weak=False)


def measure(count: int) -> dict[str, float]:
    """Return microseconds that the caller waits, per action."""
    from django.contrib.auth.models import Group
    from django.core.wsgi import get_wsgi_application
    from django.db import transaction
    from django.test import RequestFactory

    handler = get_wsgi_application()
    waits: dict[str, float] = {}

    def timed(name: str, times: int, action: Callable[[], object]) -> None:
        started = time.perf_counter()
        action()
        waits[name] = (time.perf_counter() - started) / times * 1e6

    groups: list[Group] = []

    def create() -> None:
        groups.extend(Group.objects.create(name=f"group {number}") for number in range(count))

    def update() -> None:
        for group in groups:
            group.name += "!"
            group.save()

    def read() -> None:
        for _ in range(5):
            list(Group.objects.all())

    def delete() -> None:
        for group in groups:
            group.delete()

    def request() -> None:
        for _ in range(count):
            environ = RequestFactory().get("/page/").environ
            handler(environ, lambda status, headers: None).close()

    with transaction.atomic():
        timed("create", count, create)
        timed("update", count, update)
        timed("read a row", count * 5, read)
        timed("delete", count, delete)
    timed("request", count, request)
    return waits


def run_variant(variant: str, engine: str, folder: str, count: int) -> None:
    set_up(variant, engine, folder)
    started = time.process_time()
    waits = measure(count)
    if VARIANTS[variant]:
        from signals_demo import flush

        if not flush(120):
            raise SystemExit("not everything was stored in time")
    waits["CPU in all"] = (time.process_time() - started) / count * 1e6
    print(json.dumps(waits))


def run_all(engine: str, rounds: int, count: int) -> dict[str, dict[str, list[float]]]:
    figures: dict[str, dict[str, list[float]]] = {name: {} for name in VARIANTS}
    for _ in range(rounds):
        for variant in VARIANTS:
            with tempfile.TemporaryDirectory() as folder:
                if engine == "postgresql":
                    for command in ("dropdb --if-exists", "createdb"):
                        subprocess.run([*command.split(), NAME], check=True)
                result = subprocess.run(
                    [
                        *(sys.executable, __file__, "--variant", variant, "--folder", folder),
                        *("--database", engine, "--count", str(count)),
                    ],
                    env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
                    capture_output=True, text=True, check=True,
                )  # fmt: skip
            for name, figure in json.loads(result.stdout.splitlines()[-1]).items():
                figures[variant].setdefault(name, []).append(figure)
    return figures


def print_table(figures: dict[str, dict[str, list[float]]]) -> None:
    names = [*ACTIONS, "CPU in all"]
    medians = {
        variant: {name: statistics.median(found[name]) for name in names}
        for variant, found in figures.items()
    }
    bare = medians["bare Django"]
    print("| µs per action | " + " | ".join(names) + " |")
    print("| --- |" + " ---: |" * len(names))
    for variant, found in medians.items():
        cells = (
            f"{found[name]:.1f}" if found is bare else f"+{found[name] - bare[name]:.1f}"
            for name in names
        )
        print(f"| {variant} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=2000, help="actions of each kind")
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        run_variant(options.variant, options.database, options.folder, options.count)
    else:
        print_table(run_all(options.database, options.rounds, options.count))


if __name__ == "__main__":
    main()
