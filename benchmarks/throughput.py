"""Events that one process stores in a second while it does nothing but make them."""

import json
import sys
import time
from collections.abc import Callable

from benchmarks.project import set_up, stored

CHUNK = 10_000  # events after which it is waited for the writer: no buffer is without an end


def _save(number: int) -> None:
    """Save new rows as an import does, many in a transaction: four events each."""
    from django.db import transaction

    from benchmarks.actions import product

    with transaction.atomic():
        for each in range(number // 4):
            product(each).save()


def _make(number: int) -> None:
    """Make instances, which costs the host next to nothing: two events each."""
    from benchmarks.actions import product

    for each in range(number // 2):
        product(each)


WAYS: dict[str, Callable[[int], None]] = {"saves": _save, "instances": _make}


def main() -> None:
    """Print seconds, seconds of CPU and stored events, for each way."""
    variant, engine, folder, wanted = sys.argv[1:]
    chunk = min(CHUNK, int(wanted))
    set_up(variant, engine, folder)
    figures = {}
    for name, way in WAYS.items():
        way(chunk)
        stored(variant)
        before = count(variant)
        computed, started = time.process_time(), time.perf_counter()
        for _ in range(int(wanted) // chunk):
            way(chunk)
            stored(variant)
        seconds, computed = time.perf_counter() - started, time.process_time() - computed
        figures[name] = seconds, computed, count(variant) - before
    print(json.dumps(figures))


def count(variant: str) -> int:
    if variant == "bare":
        return 0
    from signals_demo.models import SignalEvent

    return SignalEvent.objects.count()


if __name__ == "__main__":
    main()
