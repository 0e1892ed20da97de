"""What the settings of the sites have in common. The process is told its place in SITE."""

import os
from typing import Any

from benchmarks import databases
from benchmarks.pages.environment import SITE
from benchmarks.variants import BARE

NAME, VARIANT = os.environ[SITE].split("|")

RECORDER = [] if VARIANT == BARE else ["signals_demo"]
DATABASES: dict[str, Any] = {
    "default": databases.settings("postgresql", f"{NAME}_{VARIANT}", folder="")
}
COMMON: dict[str, Any] = {
    "DATABASES": DATABASES,
    "DEBUG": False,
    "SECRET_KEY": "protects nothing",
    "ALLOWED_HOSTS": ["*"],
    "USE_TZ": True,
    "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
    "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
    "STORAGES": {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    },
    "STATIC_URL": "/static/",
}
PROCESSORS = [
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.template.context_processors.i18n",
    "django.contrib.messages.context_processors.messages",
]


def templates(*processors: str) -> list[dict[str, Any]]:
    return [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {"context_processors": [*PROCESSORS, *processors]},
        }
    ]
