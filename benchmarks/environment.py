"""Virtual environments, made by the first run and used again by the next ones."""

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


def python_with_peers() -> str:
    """Return the Python of the environment that has the other apps."""
    return python_with(REQUIREMENTS, PLACE)


def python_with(requirements: Path, place: Path) -> str:
    """Return the Python of an environment; make it anew if what it should hold has changed."""
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = place / "made-for.txt"
    wanted = f"{sys.version}\n{requirements.read_text()}"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"Installing {requirements} into {place} …", file=sys.stderr)
        shutil.rmtree(place, ignore_errors=True)
        venv.create(place, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--requirement", requirements], check=True
        )
        stamp.write_text(wanted)
    return str(python)
