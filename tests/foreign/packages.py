"""Whose tests are run: Django's own, and those of packages that live on signals.

Each is a line of PACKAGES. The source distributions that hold the tests are kept in .foreign.
"""

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

import django

SOURCES = Path(__file__).resolve().parent.parent.parent / ".foreign"

# The parts of Django that signals go through, and those that peek into what we touch: connections,
# transactions, `_state`, pickles, threads.
QUICK = """
    asgi async auth_tests.test_auth_backends auth_tests.test_middleware auth_tests.test_models
    auth_tests.test_signals backends basic bulk_create composite_pk defer delete delete_regress
    dispatch fixtures force_insert_update generic_relations handlers m2m_regress m2m_signals
    m2m_through m2m_through_regress many_to_many migrate_signals model_inheritance
    model_inheritance_regress model_regress multiple_database prefetch_related
    proxy_model_inheritance proxy_models requests_tests save_delete_hooks select_for_update
    servers sessions_tests signals tasks test_client test_client_regress test_utils
    transaction_hooks transactions update_only_fields wsgi
""".split()


class Package(NamedTuple):
    """A release whose tests are run, and how."""

    name: str  # as on PyPI
    version: str
    settings: str  # the module of its tests' settings; ours are added to them
    labels: list[str]  # what to run unless the command line says
    runner: tuple[str, ...] = ("-m", "django", "test")
    folder: str = "."  # of the source, where the tests run

    @property
    def source(self) -> Path:
        """Return the unpacked source distribution, fetched if it is not there yet."""
        folder = SOURCES / f"{self.name.replace('-', '_')}-{self.version}"
        if not folder.exists():
            with tempfile.TemporaryDirectory() as download:
                self._pip("download", "--no-binary", self.name, "--dest", download)
                (archive,) = Path(download).glob("*.tar.gz")
                with tarfile.open(archive) as tar:
                    tar.extractall(SOURCES, filter="data")
        return folder

    @property
    def path(self) -> list[str]:
        """Return what Python must find: the source, and what tells the version of the package."""
        if self.name == "django":
            return []
        installed = SOURCES / "installed" / f"{self.name}-{self.version}"
        if not installed.exists():
            self._pip("install", "--target", str(installed))
        return [str(self.source / self.folder), str(self.source), str(installed)]

    def has(self, label: str) -> bool:
        """Return whether these tests exist in this version."""
        return (self.source / self.folder / label.split(".")[0]).exists()

    def _pip(self, command: str, *options: str) -> None:
        pip = [sys.executable, "-m", "pip", command, "--quiet", "--no-deps"]
        subprocess.run([*pip, *options, f"{self.name}=={self.version}"], check=True)


PACKAGES = {
    package.name: package
    for package in [
        Package(
            "django", django.get_version(), "test_sqlite", QUICK, ("runtests.py",), folder="tests"
        ),
        # Transactions on three databases, and signals that are connected while it runs.
        Package("django-reversion", "6.4.0", "reversion_settings", [], folder="tests"),
        # Receivers of every signal of a model, two databases, contexts under WSGI and ASGI.
        Package(
            "django-simple-history", "3.13.0", "simple_history_settings",
            ["simple_history.tests", "simple_history.registry_tests"],
        ),
    ]
}  # fmt: skip
