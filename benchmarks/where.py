"""Where the caller's time goes in the recorder: `python -m benchmarks.where`.

Profiles each action on the host's thread and prints which functions of the recorder take what
share of the time that it takes there. A profiler slows small functions down more than large ones:
the shares tell where to look, not how much there is to win.
"""

import argparse
import cProfile
import pstats
import tempfile
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

from benchmarks.project import set_up, stored

VARIANT = "background"
BURST = 200
MOST = 12


def _shares(profile: cProfile.Profile, home: Path) -> Counter[str]:
    """Return the seconds that each function of the recorder took, with the built-ins it calls."""
    seconds: Counter[str] = Counter()
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    for (filename, _, function), (_, _, own, _, callers) in stats.items():
        if filename.startswith(str(home)):
            seconds[f"{Path(filename).relative_to(home)} {function}"] += own
        elif filename == "~":
            for (caller, _, name), (_, _, spent, _) in callers.items():
                if caller.startswith(str(home)):
                    seconds[f"{Path(caller).relative_to(home)} {name}"] += spent
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.where", description=__doc__)
    parser.parse_args()
    print("| action | functions of the recorder, by the time that they take |\n| --- | --- |")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        set_up(VARIANT, "sqlite", folder)
        from django.db import transaction

        import signals_demo
        from benchmarks.actions import Shop

        for action in Shop(BURST).actions():
            action.prepare()
            stored(VARIANT)
            # Time of this thread: what others do in between does not count.
            profile = cProfile.Profile(time.thread_time)
            with transaction.atomic() if action.in_transaction else nullcontext(), profile:
                action.run()
            stored(VARIANT)
            seconds = _shares(profile, Path(signals_demo.__file__).parent)
            most = seconds.most_common(MOST)
            shares = ", ".join(f"{name} {spent / seconds.total():.0%}" for name, spent in most)
            print(f"| {action.name} | {shares} |")


if __name__ == "__main__":
    main()
