"""A Django project with the admin, whose log has the events that were made."""

from typing import Any

from benchmarks import databases

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def variant(events: int) -> str:
    """Return what a database with so many events is named after."""
    return f"scale_{events}"


def database(engine: str, events: int, folder: str) -> dict[str, Any]:
    """Return the entry of DATABASES, without a setting that only a benchmark of writing needs."""
    found = databases.settings(engine, variant(events), folder)
    found["OPTIONS"].pop("options", None)
    return found


def set_up(engine: str, events: int, folder: str) -> None:
    """Configure Django, and make the tables if they are not there."""
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="benchmark",
        INSTALLED_APPS=[
            "signals_demo",
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.staticfiles",
            "benchmarks.shop",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=TEMPLATES,
        DATABASES={"default": database(engine, events, folder)},
        ROOT_URLCONF="benchmarks.scale.urls",
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        STATIC_URL="static/",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        # What is measured is reading. The pages themselves would add to what they read.
        SIGNALS_DEMO={"ENABLED": False},
        BENCHMARK_NO_OPS=False,
    )
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("migrate", verbosity=0, run_syncdb=True)
