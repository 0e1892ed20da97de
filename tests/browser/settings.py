"""The demo project under a strict Content-Security-Policy, its files apart from a person's."""

import os
from pathlib import Path

from project.settings import *  # noqa: F403
from tests.policy import MIDDLEWARE, SECURE_CSP, TEMPLATES  # noqa: F401

FOLDER = Path(os.environ["DEMO_DATABASE"]).parent
MEDIA_ROOT = FOLDER / "media"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {
        "variables": {
            "()": "tests.template_variables.to_file",
            "path": FOLDER / "unresolved_variables",
        },
    },
    "loggers": {"django.template": {"handlers": ["variables"], "level": "DEBUG"}},
}
