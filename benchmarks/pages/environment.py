"""The sites and what they need, in a folder of the user's cache."""

import os
import subprocess
from pathlib import Path

from benchmarks.environment import CHECKOUT, python_with

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "signals_demo-benchmarks")
WIKI = CACHE / "wiki"
SITE = "BENCHMARK_SITE"


def python_of_sites() -> str:
    """Return the Python of the environment of the sites. The first run makes both."""
    python = python_with(REQUIREMENTS, CACHE / "venv")
    if not WIKI.exists():
        wagtail = Path(python).with_name("wagtail")
        WIKI.mkdir()
        subprocess.run([wagtail, "start", "wiki", WIKI], check=True, capture_output=True)
    return python


def environ(site: str, variant: str) -> dict[str, str]:
    """Return what a process of a site is told."""
    return {SITE: f"{site}|{variant}", "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(WIKI)])}
