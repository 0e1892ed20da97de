"""A Django project for one variant, with its tables."""

import subprocess
import sys
import tempfile
from typing import Any

from benchmarks import databases
from benchmarks.variants import FOLDER, VARIANTS

MIDDLEWARE = (
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)
"""As startproject writes it."""


class LeftOut(Exception):
    """This variant cannot be measured here: why, in words for a reader."""


def _recorder(variant: str, folder: str) -> dict[str, Any]:
    wanted = VARIANTS[variant].recorder
    if VARIANTS[variant].is_ours:
        from signals_demo.conf import READERS

        if unknown := wanted.keys() - READERS:
            raise LeftOut(f"this version has no setting {', '.join(unknown)}")
    return {
        key: tempfile.mkdtemp(dir=folder) if value == FOLDER else value
        for key, value in wanted.items()
    }


def set_up(variant: str, engine: str, folder: str) -> None:
    """Configure Django, and make the tables if they are not there.

    Another process makes them, as for a site: Python 3.13 caches no more lookups on a class that
    has changed a thousand times, and migrations make so many fields, which count themselves.
    """
    configure(variant, engine, folder)
    command = [sys.executable, "-m", "benchmarks.project", variant, engine, folder]
    subprocess.run(command, check=True, stdout=sys.stderr)  # what a package prints is no answer


def configure(variant: str, engine: str, folder: str) -> None:
    """Configure Django. Raises `LeftOut` if the variant's package is not installed."""
    import django
    from django.conf import settings

    chosen = VARIANTS[variant]
    settings.configure(
        SECRET_KEY="benchmark",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            *filter(None, [chosen.app]),
            "benchmarks.shop",
        ],
        MIDDLEWARE=[*MIDDLEWARE, *chosen.middleware],
        DATABASES={"default": databases.settings(engine, variant, folder)},
        ROOT_URLCONF="benchmarks.shop.urls",
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        SIGNALS_DEMO=_recorder(variant, folder),
        BENCHMARK_NO_OPS=variant == "no-op",
    )
    try:
        django.setup()
    except ModuleNotFoundError as error:
        raise LeftOut(f"{error.name} is not installed") from error


def make_tables() -> None:
    from django.core.management import call_command

    # In two steps: a peer's table for the shop's model refers to that of the users.
    call_command("migrate", verbosity=0)
    call_command("migrate", verbosity=0, run_syncdb=True)


def stored(variant: str, timeout: float = 120) -> None:
    """Wait until everything that was recorded is stored."""
    if VARIANTS[variant].is_ours:
        from signals_demo import flush

        if not flush(timeout):
            raise RuntimeError(f"{variant}: not everything was stored in {timeout} s")


if __name__ == "__main__":
    configure(*sys.argv[1:])
    make_tables()
