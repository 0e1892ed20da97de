"""What the pages have in common: when they are loaded, and what they load."""

import pytest
from django.utils.module_loading import import_string

from signals_demo.web.base_page import Page
from signals_demo.web.pages import EVENT_PAGE, PAGES
from tests.test_pytest_plugin import project as project  # a fixture
from tests.test_pytest_plugin import run

pytest_plugins = ["pytester"]

SETTINGS = """
SECRET_KEY = "protects nothing"
INSTALLED_APPS = [
    "signals_demo", "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
    "django.contrib.messages", "django.contrib.sessions", "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
ROOT_URLCONF = "urls"
STATIC_URL = "static/"
USE_TZ = True
"""


@pytest.mark.parametrize("page", [*PAGES, EVENT_PAGE], ids=lambda page: page.name)
def test_each_page_has_its_view(page: Page) -> None:
    assert callable(import_string(f"signals_demo.web.pages.{page.view}"))


@pytest.mark.processes
def test_a_test_run_in_a_project_with_the_admin_loads_no_recorder(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(
        settings=SETTINGS,
        urls="""
            from django.contrib import admin
            from django.urls import path

            urlpatterns = [path("admin/", admin.site.urls)]
        """,
    )
    code = """
        import sys

        def loaded(package):
            name = f"signals_demo.{package}."
            return {each.removeprefix(name) for each in sys.modules if each.startswith(name)}

        def test_it(admin_client):
            assert "signals_demo.admin" in sys.modules
            assert loaded("delivery") == set()
            assert loaded("capture") == {"lazy"}
            assert loaded("web.pages") == set()
            overview = admin_client.get("/admin/signals_demo/signalevent/overview/")
            assert b"Latest event" in overview.content
            assert loaded("delivery") == {"health"}
            assert loaded("capture") == {"lazy"}
            assert loaded("web.pages") == {"overview"}
    """
    run(project, code).assert_outcomes(passed=1)
