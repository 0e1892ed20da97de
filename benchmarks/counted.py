"""The process in which `benchmarks.instructions` counts: each action, several times.

Calls that nothing else makes mark what counts: valgrind zeroes the counts of a thread when it
calls the one function of the C library, and writes them to a file when it calls the other.
Meanwhile, the background thread stores nothing: on a busy machine it would make more batches of
the same events. Python collects no garbage: whose turn that is depends on what was done before.
"""

import gc
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from benchmarks.project import configure, stored
from benchmarks.variants import VARIANTS

BEGIN, END = "getpgid", "getsid"
BURSTS = (1, 12, 12)  # the first is to warm up


@contextmanager
def _undisturbed(variant: str) -> Iterator[None]:
    pipeline = None
    if VARIANTS[variant].is_ours:
        from signals_demo.delivery.writer import writer

        pipeline = writer.pipeline
        pipeline.rests += 1
    os.getpgid(0)
    yield
    os.getsid(0)
    if pipeline is not None:
        pipeline.rests -= 1


def main() -> None:
    """Print which actions were counted, in order, and how many of each in a burst."""
    variant, folder = sys.argv[1:]
    configure(variant, "sqlite", folder)
    gc.disable()
    # Under valgrind everything takes fifty times as long, so threads would take turns too often.
    sys.setswitchinterval(60)
    from django.db import transaction

    from benchmarks.actions import Shop

    done = []
    for burst in BURSTS:
        for action in Shop(burst).actions():
            action.prepare()
            stored(variant)
            block = transaction.atomic() if action.in_transaction else nullcontext()
            with _undisturbed(variant), block:
                action.run()
            done.append((action.name, action.times))
    stored(variant)
    print(json.dumps(done))


if __name__ == "__main__":
    main()
