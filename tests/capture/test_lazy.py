"""In a test run nothing is loaded until a test asks for it; then all is as it would have been."""

from pathlib import Path

import pytest

from tests.test_pytest_plugin import SETTINGS, forked, run
from tests.test_pytest_plugin import project as project  # a fixture

pytestmark = pytest.mark.processes

pytest_plugins = ["pytester"]

# The group that it makes is saved before ours hears of the first, or after.
HOST = """
from django.apps import AppConfig
from django.db.models.signals import post_save

def save_another(instance, created, **kwargs):
    from django.contrib.auth.models import Group, Permission
    if isinstance(instance, Group) and not instance.name.startswith("another"):
        Group.objects.create(name=f"another of {instance.name}")

class Host(AppConfig):
    name, label, path = "host", "host", "."
    def ready(self):
        post_save.connect(save_another)
"""


def test_nothing_is_loaded_that_no_test_asks_for(project: pytest.Pytester) -> None:
    code = """
        import sys
        from django.contrib.auth.models import Group
        from django.db.models.signals import post_save

        def test_it(db):
            Group.objects.create(name="editors")
            assert "signals_demo.capture.connect" not in sys.modules
            assert "signals_demo.delivery.writer" not in sys.modules
            assert not [entry for entry in post_save.receivers if "signals_demo" in str(entry)]
    """
    run(project, code).assert_outcomes(passed=1)


def test_nor_in_django_s_own_test_runner(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_it="""
            import sys
            from django.contrib.auth.models import Group
            from django.test import TestCase, override_settings

            class GroupTests(TestCase):
                def test_it(self):
                    self.assertNotIn("signals_demo.capture.connect", sys.modules)
                    with override_settings(SIGNALS_DEMO={"RECORD_TESTS": True}):
                        self.assertIn("signals_demo.capture.connect", sys.modules)
        """,
        manage="""
            import os
            import sys
            from django.core.management import execute_from_command_line

            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
            execute_from_command_line(sys.argv)
        """,
    )
    for program in (["manage.py"], ["-m", "django"]):
        done = forked(project, *program, "test", "--settings", "settings")
        done.stderr.fnmatch_lines(["Ran 1 test in *", "OK"])


ADMIN = (
    SETTINGS.replace(
        '"signals_demo", ',
        '"signals_demo", "django.contrib.admin", "django.contrib.messages", '
        '"django.contrib.sessions", ',
    )
    + """
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "urls"
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
"""
)
URLS = """
from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
"""
IN_THE_ADMIN = """
import sys
from django.contrib.auth.models import User
from django.test import TestCase

class AdminTests(TestCase):
    def test_it(self):
        self.client.force_login(User.objects.create_superuser("ada"))
        self.assertContains(self.client.get("/admin/"), "Signal events")
        self.assertIn("signals_demo.admin", sys.modules)
        self.assertNotIn("signals_demo.capture.connect", sys.modules)
        self.assertNotIn("signals_demo.delivery.writer", sys.modules)
"""


def test_nor_in_a_project_with_the_admin(project: pytest.Pytester) -> None:
    project.makepyfile(settings=ADMIN, urls=URLS)
    run(project, IN_THE_ADMIN).assert_outcomes(passed=1)
    command = ["-m", "django", "test", "--settings", "settings"]
    forked(project, *command).stderr.fnmatch_lines(["Ran 1 test in *", "OK"])


@pytest.mark.parametrize(
    ("apps", "order"),
    [
        ('"host.Host", "signals_demo"', ["2", "1"]),
        ('"signals_demo", "host.Host"', ["1", "2"]),
    ],
)
def test_ours_come_where_they_would_have_been(
    project: pytest.Pytester, apps: str, order: list[str]
) -> None:
    project.makepyfile(host=HOST, settings=SETTINGS.replace('"signals_demo"', apps))
    code = """
        from django.contrib.auth.models import Group

        def test_it(db):
            from signals_demo.testing import capture_signals

            with capture_signals("post_save") as signals:
                Group.objects.create(name="one")
            assert [event.object_pk for event in signals] == ORDER
    """
    run(project, code.replace("ORDER", str(order))).assert_outcomes(passed=1)


def test_a_setting_that_stores_wakes_it(project: pytest.Pytester) -> None:
    code = """
        import pytest
        from django.contrib.auth.models import Group
        from signals_demo import flush
        from signals_demo.models import SignalEvent

        @pytest.mark.django_db(transaction=True)
        def test_it(settings):
            Group.objects.create(name="unseen")
            settings.SIGNALS_DEMO = {"RECORD_TESTS": True, "MODE": "inline"}
            Group.objects.create(name="seen")
            settings.SIGNALS_DEMO = {}
            Group.objects.create(name="unseen too")
            flush()
            saved = SignalEvent.objects.filter(signal="post_save")
            assert list(saved.values_list("sender", flat=True)) == ["auth.Group"]
    """
    run(project, code).assert_outcomes(passed=1)


def test_a_setting_of_the_project_that_stores(project: pytest.Pytester) -> None:
    project.makepyfile(settings=SETTINGS + "SIGNALS_DEMO = {'RECORD_TESTS': True}\n")
    code = """
        import sys

        def test_it():
            assert "signals_demo.capture.connect" in sys.modules
    """
    run(project, code).assert_outcomes(passed=1)


def test_woken_inside_a_transaction_it_knows_the_savepoints(project: pytest.Pytester) -> None:
    code = """
        from contextlib import ExitStack

        from django.contrib.auth.models import Group
        from django.db import transaction
        from django.test import TestCase

        class GroupTests(TestCase):
            def test_it(self):
                with ExitStack() as stack, transaction.atomic():
                    with transaction.atomic():
                        from signals_demo.testing import capture_signals

                        block = capture_signals("post_save", sender="auth.Group")
                        signals = stack.enter_context(block)
                        Group.objects.create(name="undone")
                        transaction.set_rollback(True)
                    Group.objects.create(name="kept")
                self.assertEqual([e.outcome for e in signals], ["rolled_back", "committed"])
    """
    run(project, code).assert_outcomes(passed=1)


def test_a_server_that_a_test_starts_records(project: pytest.Pytester, tmp_path: Path) -> None:
    project.makepyfile(
        settings=SETTINGS.replace(":memory:", str(tmp_path / "db.sqlite3")),
        script="""
            import sys
            import django

            django.setup()
            assert "signals_demo.capture.connect" in sys.modules
        """,
    )
    code = """
        import os
        import subprocess
        import sys

        def test_it():
            assert "PYTEST_VERSION" in os.environ
            environment = os.environ | {"DJANGO_SETTINGS_MODULE": "settings"}
            subprocess.run([sys.executable, "script.py"], env=environment, check=True)
    """
    run(project, code).assert_outcomes(passed=1)
