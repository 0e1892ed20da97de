"""A shop: django-oscar, set up as its documentation says."""

from oscar import INSTALLED_APPS as OSCAR
from oscar.defaults import *  # noqa: F403

from benchmarks import project
from benchmarks.pages import base
from benchmarks.pages.environment import CACHE

globals().update(base.COMMON)
INSTALLED_APPS = [*OSCAR, "sorl.thumbnail", *base.RECORDER]
MIDDLEWARE = [
    *project.MIDDLEWARE,
    "oscar.apps.basket.middleware.BasketMiddleware",
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
]
TEMPLATES = base.templates(
    "oscar.apps.search.context_processors.search_form",
    "oscar.apps.checkout.context_processors.checkout",
    "oscar.apps.communication.notifications.context_processors.notifications",
    "oscar.core.context_processors.metadata",
)
AUTHENTICATION_BACKENDS = [
    "oscar.apps.customer.auth_backends.EmailBackend",
    "django.contrib.auth.backends.ModelBackend",
]
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
ROOT_URLCONF = "benchmarks.pages.shop.urls"
SITE_ID = 1
MEDIA_ROOT = str(CACHE / "media")
