"""How a line of source code is shown."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from signals_demo.serialize.source import site_text


def test_a_path_is_shown_relative_to_where_python_imports_from() -> None:
    def shown_of(filename: str) -> str:
        return site_text((compile("\n\nx = 1", filename, "exec"), 2))

    assert shown_of(__file__) == "tests/serialize/test_source.py:3 in <module>"
    assert shown_of("<stdin>") == "<stdin>:3 in <module>"
    nowhere = os.path.join(os.sep, "nowhere", "x.py")
    assert shown_of(nowhere) == f"{nowhere}:3 in <module>"


@pytest.mark.processes
def test_a_folder_that_is_gone_does_no_harm(tmp_path: Path) -> None:
    code = (
        "import os, sys, tempfile\n"
        "from signals_demo.serialize.source import site_text\n"
        "folder = tempfile.mkdtemp()\n"
        "os.chdir(folder)\n"
        "os.rmdir(folder)\n"
        "sys.path += [None, b'bytes', 'relative']\n"
        "print(site_text((compile('', '/nowhere/x.py', 'exec'), 0)))"
    )
    root = str(Path(__file__).resolve().parent.parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "/nowhere/x.py:1 in <module>\n", done.stderr
