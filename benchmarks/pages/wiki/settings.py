"""A wiki: what `wagtail start` makes."""

from wiki.settings.base import *  # noqa: F403

from benchmarks.pages import base

globals().update(base.COMMON)
INSTALLED_APPS += base.RECORDER  # noqa: F405
WAGTAILADMIN_BASE_URL = "http://127.0.0.1"
