"""The fixture `capsignals`, in projects of others that pytest runs in a process of their own."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import signals_demo
from tests.forkserver import fork_server
from tests.servers import clean_environment

pytestmark = pytest.mark.processes

pytest_plugins = ["pytester"]

SETTINGS = """
SECRET_KEY = "protects nothing"
INSTALLED_APPS = ["signals_demo", "django.contrib.auth", "django.contrib.contenttypes"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
USE_TZ = True
"""
# Plugins of ours that a project does not have, and that take half the time of a run to load.
NO_PLUGINS = "-p no:faker -p no:randomly -p no:syrupy -p no:inline_snapshot -p no:hypothesispytest"
MADE = '["pre_init", "post_init", "pre_save", "post_save"]'


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose tests see nothing of ours."""
    where = Path(signals_demo.__file__).resolve().parent.parent
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTEST_ADDOPTS", NO_PLUGINS)
    monkeypatch.setenv("PYTHONPATH", f"{pytester.path}{os.pathsep}{where}")
    pytester.makepyfile(settings=SETTINGS)
    pytester.makeini("[pytest]\nDJANGO_SETTINGS_MODULE = settings\nfilterwarnings = error\n")
    return pytester


def run(project: pytest.Pytester, code: str, *options: str) -> pytest.RunResult:
    project.makepyfile(test_it=code)
    options = ("-p", "no:cacheprovider", *options)
    if "no:django" in options:  # these see whether Django is imported
        return project.runpytest_subprocess(*options, timeout=120)
    command = ["-m", "pytest", f"--basetemp={project.path / 'temporary'}", *options]
    return forked(project, *command)


def forked(project: pytest.Pytester, *command: str) -> pytest.RunResult:
    """Run a script or a module in a process that begins with Django and pytest imported."""
    began = time.perf_counter()
    done = fork_server("pytest").run(*command, cwd=project.path, env=os.environ, timeout=120)
    lines = done.stdout.splitlines(), done.stderr.splitlines()
    return pytest.RunResult(done.returncode, *lines, time.perf_counter() - began)


def test_everything_that_fires_during_the_test(project: pytest.Pytester) -> None:
    code = f"""
        import pytest
        from django.contrib.auth.models import Group

        @pytest.fixture
        def group(db):
            return Group.objects.create(name="before")

        def test_what_fires(capsignals, group):
            Group.objects.create(name="now")
            assert capsignals.names == {MADE}
            assert "post_save auth.Group (created)" in capsignals.tree()

        def test_another_test(db, capsignals):
            assert capsignals.names == []
            capsignals.clear()

        def test_a_part_of_it(db, capsignals):
            with capsignals.capturing("post_save", sender="auth.Group") as signals:
                Group.objects.create(name="now")
            assert len(signals) == 1

        def test_asked_for_in_the_middle(db, request):
            Group.objects.create(name="before")
            signals = request.getfixturevalue("capsignals")
            Group.objects.create(name="now")
            assert signals.names == {MADE}
    """
    run(project, code).assert_outcomes(passed=4)


def test_old_values_of_what_was_made_before(project: pytest.Pytester) -> None:
    code = """
        import pytest
        from django.contrib.auth.models import Group

        @pytest.fixture(scope="module")
        def group(django_db_setup, django_db_blocker):
            with django_db_blocker.unblock():
                yield (group := Group.objects.create(name="old"))
                group.delete()

        def test_another(db):
            Group.objects.create(name="wakes nobody")

        def test_it(group, db, capsignals):
            group.name = "new"
            group.save()
            assert capsignals.filter("post_save")[0].changes == {"name": ["old", "new"]}
    """
    run(project, code, "-p", "no:randomly").assert_outcomes(passed=2)


def test_in_classes_and_in_doctests(project: pytest.Pytester) -> None:
    code = f'''
        """
        >>> 1 + 1
        2
        """
        import pytest
        from django.contrib.auth.models import Group
        from django.test import TestCase

        class PlainTests:
            pass

        class GroupTests(TestCase):
            @pytest.fixture(autouse=True)
            def _signals(self, capsignals):
                self.signals = capsignals

            @classmethod
            def setUpTestData(cls):
                Group.objects.create(name="before")

            def test_it(self):
                Group.objects.create(name="now")
                assert self.signals.names == {MADE}
    '''
    run(project, code, "--doctest-modules").assert_outcomes(passed=2)


def test_with_xdist(project: pytest.Pytester) -> None:
    code = f"""
        import pytest
        from django.contrib.auth.models import Group

        @pytest.mark.parametrize("number", range(20))
        def test_what_fires(db, capsignals, number):
            Group.objects.create(name="now")
            assert capsignals.names == {MADE}
    """
    run(project, code, "-n", "2").assert_outcomes(passed=20)


def test_the_app_is_not_installed(project: pytest.Pytester) -> None:
    project.makepyfile(settings=SETTINGS.replace('"signals_demo", ', ""))
    found = run(project, "def test_it(capsignals): pass\n\ndef test_other(): pass\n")
    found.assert_outcomes(passed=1, errors=1)
    found.stdout.fnmatch_lines(["*'capsignals' needs 'signals_demo' in INSTALLED_APPS*"])


def test_django_is_not_set_up(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\n")
    found = run(project, "def test_it(capsignals): pass\n", "-p", "no:django")
    found.assert_outcomes(errors=1)
    found.stdout.fnmatch_lines(["*and Django set up. pytest-django sets it up if*"])


def test_the_app_is_switched_off(project: pytest.Pytester) -> None:
    project.makepyfile(settings=f'{SETTINGS}SIGNALS_DEMO = {{"ENABLED": False}}\n')
    found = run(project, "def test_it(capsignals): capsignals.names\n\ndef test_unused(): pass\n")
    found.assert_outcomes(passed=1, failed=1)
    found.stdout.fnmatch_lines(["*No signal can be captured: SIGNALS_DEMO?'ENABLED'? is False*"])


def test_it_is_listed_with_what_it_gives(project: pytest.Pytester) -> None:
    project.runpytest_subprocess("--fixtures").stdout.fnmatch_lines(["capsignals*", "*fires*"])


def test_loading_the_plugin_imports_no_django() -> None:
    code = (
        "import sys, signals_demo.pytest_plugin; print([n for n in sys.modules if 'django' in n])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_a_project_without_django_runs_without_it(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\n")
    code = "import sys\n\ndef test_it():\n    assert 'django' not in sys.modules\n"
    run(project, code, "-p", "no:django").assert_outcomes(passed=1)


def test_the_package_names_what_it_exports() -> None:
    code = "import signals_demo; print(signals_demo.trace, signals_demo.suppress)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "api.trace" in done.stdout, done.stderr
    with pytest.raises(AttributeError, match="no attribute 'frobnicate'"):
        signals_demo.frobnicate  # noqa: B018
