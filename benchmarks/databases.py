"""A database of its own for each variant. Nothing here needs Django."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ENGINES = ("sqlite", "postgresql")


def _name(variant: str) -> str:
    return f"signals_demo_benchmark_{variant.replace('-', '_')}"


def settings(engine: str, variant: str, folder: str) -> dict[str, Any]:
    """Return an entry of DATABASES. Nobody waits for the disk: it is the same for all."""
    if engine == "postgresql":
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": _name(variant),
            "HOST": os.environ.get("PGHOST", "127.0.0.1"),
            "PORT": os.environ.get("PGPORT", ""),
            "USER": os.environ.get("PGUSER", "postgres"),
            "PASSWORD": os.environ.get("PGPASSWORD", ""),
            "CONN_MAX_AGE": None,
            "OPTIONS": {"options": "-c synchronous_commit=off"},
        }
    pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(Path(folder, "benchmark.sqlite3")),
        "CONN_MAX_AGE": None,
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": pragmas},
    }


def _administrate(python: str, *statements: str) -> str:
    """Run statements on the PostgreSQL server; return what went wrong, or nothing."""
    script = (
        "import os, sys, psycopg\n"
        "with psycopg.connect(host=os.environ.get('PGHOST', '127.0.0.1'), autocommit=True,"
        " user=os.environ.get('PGUSER', 'postgres'), dbname='postgres') as server:\n"
        "    for statement in sys.argv[1:]: server.execute(statement)\n"
    )
    result = subprocess.run(
        [python, "-c", script, *statements], capture_output=True, text=True, check=False
    )
    said = [line for line in result.stderr.splitlines() if line and not line[0].isspace()]
    return said[-1] if said else ""


def create(engine: str, variants: list[str], python: str = sys.executable) -> str:
    """Make the databases; return why it cannot be done, or nothing."""
    return drop(engine, variants, python) or (
        _administrate(python, *(f"CREATE DATABASE {_name(variant)}" for variant in variants))
        if engine == "postgresql"
        else ""
    )


def drop(engine: str, variants: list[str], python: str = sys.executable) -> str:
    """Drop the databases; return why it cannot be done, or nothing."""
    if engine != "postgresql":
        return ""
    names = map(_name, variants)
    return _administrate(
        python, *(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)" for name in names)
    )
