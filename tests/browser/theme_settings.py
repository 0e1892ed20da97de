"""The demo project in one of the themes of the admin, which TEST_THEME names."""

import os

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS as DEMO_APPS

APPS = {
    "unfold": ["unfold", "unfold.contrib.filters"],
    "jazzmin": ["jazzmin"],
    "grappelli": ["grappelli"],
    "admin_interface": ["admin_interface", "colorfield"],
}
THEME = os.environ["TEST_THEME"]
INSTALLED_APPS = [*APPS[THEME], *DEMO_APPS]
ROOT_URLCONF = "tests.browser.theme_urls"
X_FRAME_OPTIONS = "SAMEORIGIN"
JAZZMIN_SETTINGS = {"use_google_fonts_cdn": False}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {"django.server": {"level": "ERROR"}},
}
