"""An API: lists and details with Django REST framework."""

from benchmarks import project
from benchmarks.pages import base

globals().update(base.COMMON)
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "benchmarks.pages.api",
    *base.RECORDER,
]
MIDDLEWARE = project.MIDDLEWARE
TEMPLATES = base.templates()
ROOT_URLCONF = "benchmarks.pages.api.urls"
REST_FRAMEWORK = {"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]}
