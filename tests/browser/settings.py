"""The demo project under a strict Content-Security-Policy, its files apart from a person's."""

import os
from pathlib import Path

from project.settings import *  # noqa: F403
from project.settings import MIDDLEWARE as DEMO_MIDDLEWARE

MIDDLEWARE = ["tests.browser.policy.only_from_here", *DEMO_MIDDLEWARE]
MEDIA_ROOT = Path(os.environ["DEMO_DATABASE"]).parent / "media"
