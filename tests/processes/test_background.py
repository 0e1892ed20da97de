"""The tests themselves, started in the background of a shell."""

import signal
import subprocess
import sys

from tests.conftest import ignore_no_signals

HANDLER = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"


def test_a_child_can_be_interrupted_where_the_tests_ignore_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        ignore_no_signals()
        child = subprocess.run([sys.executable, "-c", HANDLER], capture_output=True, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    assert child.stdout == "True\n"
