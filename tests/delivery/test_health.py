"""How the recorder of a process is, also where nothing of it is loaded."""

import subprocess
import sys

import pytest

from project.playground.models import Author
from signals_demo import flush
from signals_demo.delivery.health import health
from tests.delivery.controlled import CONTROLLED, Controlled
from tests.recording import recorded


def test_what_waits_and_why_and_what_was_stored(sink: type[Controlled]) -> None:
    with recorded(SINKS=CONTROLLED, FOLD_AFTER=None):
        assert flush()
        before = health().stored
        sink.error = OSError("no route")
        Author()
        assert not flush(0.05)
        assert (health().waiting, health().trouble) == (2, "no route")
        sink.error = None
        assert flush()
        assert (health().waiting, health().trouble) == (0, "")
        assert health().stored == before + 2


@pytest.mark.processes
def test_where_nothing_is_loaded_nothing_waits_and_nothing_is_loaded_for_that() -> None:
    code = (
        "import sys\n"
        "from signals_demo.delivery.health import health\n"
        "assert health()[:4] == (0, 0, 0, '')\n"
        "print(*[name for name in sys.modules if name.startswith('signals_demo.')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "signals_demo.delivery.writer" not in loaded
    assert "signals_demo.capture" not in loaded
