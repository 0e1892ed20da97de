"""A virtual environment with the peers, made by the first run and used again by the next ones."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
CHECKOUT = FOLDER.parent
PLACE = FOLDER / ".venv"
REQUIREMENTS = FOLDER / "requirements.txt"


def _python() -> Path:
    return PLACE / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def python_with_peers() -> str:
    """Return the Python of the environment; make it anew if what it should hold has changed."""
    stamp = PLACE / "made-for.txt"
    wanted = f"{sys.version}\n{REQUIREMENTS.read_text()}"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"Installing the peers into {PLACE} …", file=sys.stderr)
        shutil.rmtree(PLACE, ignore_errors=True)
        venv.create(PLACE, with_pip=True)
        subprocess.run(
            [_python(), "-m", "pip", "install", "--quiet", "--requirement", REQUIREMENTS],
            check=True,
        )
        stamp.write_text(wanted)
    return str(_python())
