"""The catalog against the installed Django: complete, loadable, and true."""

import os
import re
import runpy
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import django
import pytest
from asgiref.sync import async_to_sync
from django.contrib import auth
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.core.management.sql import emit_post_migrate_signal
from django.db import connection, models
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import AsyncClient, Client, override_settings
from django.test.utils import isolate_apps
from django.urls import path, reverse
from django.utils.autoreload import StatReloader
from django.utils.module_loading import import_string

from signals_demo import catalog
from signals_demo.catalog import BUILT_IN, BuiltIn, Family, built_in
from signals_demo.testing import capture_signals

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


def works(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def fails(request: HttpRequest) -> HttpResponse:
    raise ValueError


urlpatterns = [path("works/", works), path("fails/", fails)]


@dataclass
class Firing:
    sender: Any
    arguments: dict[str, Any]


@contextmanager
def firings(name: str) -> Iterator[list[Firing]]:
    """Collect what one built-in signal is sent with."""
    seen: list[Firing] = []

    def collect(sender: Any, signal: Signal, **arguments: Any) -> bool:
        seen.append(Firing(sender, arguments))
        return True  # file_changed: do not reload

    built_in()[name].load().connect(collect, weak=False, dispatch_uid=collect)
    try:
        yield seen
    finally:
        built_in()[name].load().disconnect(dispatch_uid=collect)


def log_in_and_out() -> None:
    User.objects.create_user("ada", password="right")
    client = Client()
    assert not client.login(username="ada", password="wrong")
    assert client.login(username="ada", password="right")
    client.logout()


def save_and_delete() -> None:
    group = Group.objects.create(name="editors")
    group.save()
    group.delete()


def change_relation() -> None:
    group = Group.objects.create(name="editors")
    group.permissions.set(Permission.objects.all()[:2])
    group.permissions.clear()


@isolate_apps("tests")
def define_model() -> None:
    class Leaf(models.Model):  # noqa: DJ008
        class Meta:
            app_label = "tests"


def migrate() -> None:
    call_command("migrate", verbosity=0)
    # As the flush command does it.
    emit_post_migrate_signal(verbosity=0, interactive=False, db="default")


def request_pages() -> None:
    client = Client(raise_request_exception=False)
    assert client.get("/works/").status_code == 200
    assert client.get("/fails/").status_code == 500
    async_to_sync(AsyncClient().get)("/works/")


def use_test_tools() -> None:
    with override_settings(SITE_NAME="Playground"):
        Template("{{ name }}").render(Context({"name": "Ada"}))


def connect_to_database() -> None:
    other = connection.copy()
    other.connect()
    other.close()


def work() -> str:
    return "done"


def run_task() -> None:
    import_module("django.tasks").task(work).enqueue()


def start_reloader() -> None:
    reloader = StatReloader()
    reloader.stop()  # so that run() ends after its start
    reloader.run(threading.current_thread())


def change_file() -> None:
    StatReloader().notify_file_changed(Path("views.py"))


FIRE: dict[Family, Callable[[], None]] = {
    Family.AUTH: log_in_and_out,
    Family.MODEL: save_and_delete,
    Family.MANAGEMENT: migrate,
    Family.REQUEST: request_pages,
    Family.TEST: use_test_tools,
    Family.DATABASE: connect_to_database,
    Family.TASK: run_task,
    Family.AUTORELOAD: start_reloader,
}
FIRE_BY_NAME = {
    "m2m_changed": change_relation,
    "class_prepared": define_model,
    "file_changed": change_file,
}

each_signal = pytest.mark.parametrize("signal", built_in().values(), ids=lambda s: s.name)


def test_holds_every_signal_in_django() -> None:
    root = Path(django.__file__).parent
    found = {}
    for file in root.rglob("*.py"):
        for name in re.findall(r"^(\w+) = (?:Model)?Signal\(", file.read_text(), re.MULTILINE):
            module = ".".join(["django", *file.relative_to(root).with_suffix("").parts])
            found[name] = import_string(f"{module}.{name}")
    assert {name: signal.load() for name, signal in built_in().items()} == found


def test_holds_as_many_as_this_django_has() -> None:
    assert len(built_in()) == (24 if django.VERSION >= (6, 0) else 21)
    assert sum(signal.documented for signal in built_in().values()) == len(built_in()) - 2


@each_signal
def test_path_leads_to_the_signal(signal: BuiltIn) -> None:
    assert isinstance(signal.load(), Signal)
    assert signal.load() is import_string(signal.path)


def test_get() -> None:
    assert catalog.get("post_save") is built_in()["post_save"]
    assert catalog.get("post_safe") is None


def test_signals_of_a_newer_django_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(django, "VERSION", (5, 2, 0, "final", 0))
    assert [signal.name for signal in BUILT_IN if not signal.available] == [
        "task_enqueued",
        "task_started",
        "task_finished",
    ]
    m2m_changed = next(signal for signal in BUILT_IN if signal.name == "m2m_changed")
    assert "raw" not in m2m_changed.argument_names
    monkeypatch.setattr(django, "VERSION", (6, 1, 0, "final", 0))
    assert m2m_changed.argument_names[-1] == "raw"


def test_families_stand_together_and_in_order() -> None:
    assert [signal.family for signal in BUILT_IN] == sorted(
        (signal.family for signal in BUILT_IN), key=list(Family).index
    )
    for family in Family:
        assert str(family.label)
        assert str(family.description).endswith(".")


@pytest.mark.parametrize("signal", BUILT_IN, ids=lambda s: s.name)
def test_facts_are_well_formed(signal: BuiltIn) -> None:
    assert signal.path.endswith(f".{signal.name}")
    assert (1, 0) <= signal.since <= (6, 1)
    page, _, anchor = signal.url.partition("#")
    assert re.fullmatch(r"https://docs\.djangoproject\.com/en/stable/ref/[a-z/-]+/", page)
    assert anchor == (signal.path if signal.documented else "django-admin-runserver")
    for text in (signal.sender, signal.fires, signal.silent):
        assert re.fullmatch(r"[\w(].*[^ ]\.", str(text)), text
        assert "  " not in str(text)
    for argument in signal.arguments:
        assert str(argument.meaning).endswith(".")


def test_a_pair_is_opened_before_it_is_closed() -> None:
    names = [signal.name for signal in BUILT_IN]
    pairs = {signal.closes: signal.name for signal in BUILT_IN if signal.closes}
    assert pairs == {
        "pre_init": "post_init",
        "pre_save": "post_save",
        "pre_delete": "post_delete",
        "pre_migrate": "post_migrate",
        "request_started": "request_finished",
        "task_started": "task_finished",
    }
    assert all(names.index(opening) < names.index(pairs[opening]) for opening in pairs)


@pytest.mark.django_db
@pytest.mark.urls(__name__)
@each_signal
def test_is_sent_with_these_arguments(signal: BuiltIn) -> None:
    with firings(signal.name) as seen:
        FIRE_BY_NAME.get(signal.name, FIRE[signal.family])()
    sent = [set(firing.arguments) for firing in seen]
    assert set.union(*sent) == set(signal.argument_names)
    sometimes = {argument.name for argument in signal.arguments if not argument.always}
    assert set.intersection(*sent) == set(signal.argument_names) - sometimes


@each_signal
@pytest.mark.parametrize("kind", ["connect_example", "receiver_example"])
def test_examples_connect_a_receiver(signal: BuiltIn, kind: str) -> None:
    source = getattr(signal, kind)
    namespace: dict[str, Any] = {}
    exec(compile(source, signal.name, "exec"), namespace)
    sender = eval(signal.example_sender[1], namespace)
    uid = f"on_{signal.name}"
    assert signal.load().disconnect(sender=sender, dispatch_uid=uid)
    namespace[uid](sender, signal=signal.load(), **dict.fromkeys(signal.argument_names))


@pytest.mark.django_db
def test_sender_of_a_failed_login_is_compared_by_identity(
    capsys: pytest.CaptureFixture[str],
) -> None:
    signal = built_in()["user_login_failed"]
    with firings(signal.name) as seen:
        namespace: dict[str, Any] = {}
        exec(signal.connect_example, namespace)
        auth.authenticate(username="ada", password="wrong")
        auth_name = auth.__name__
        assert signal.load().disconnect(sender=auth_name, dispatch_uid="on_user_login_failed")
    assert seen[0].sender is auth_name
    assert seen[0].arguments["credentials"]["password"] != "wrong"
    assert capsys.readouterr().out == "user_login_failed django.contrib.auth\n"


@pytest.mark.django_db
def test_what_saves_without_a_signal() -> None:
    group = Group.objects.create(name="editors")
    with capture_signals("pre_save", "post_save") as saves:
        Group.objects.bulk_create([Group(name="writers")])
        Group.objects.bulk_update([group], ["name"])
        Group.objects.filter(pk=group.pk).update(name="readers")
        group.save(update_fields=[])
        group.permissions.add(Permission.objects.all()[0])
    assert saves.names == []


@pytest.mark.django_db
def test_what_deletes_without_a_signal() -> None:
    group = Group.objects.create(name="editors")
    group.permissions.add(Permission.objects.all()[0])
    with capture_signals("pre_delete", "m2m_changed") as signals:
        group.delete()
    assert signals.tree() == "pre_delete auth.Group"


@pytest.mark.django_db
def test_right_password_of_a_user_without_access_is_no_failed_login() -> None:
    User.objects.create_user("ada", password="right")
    credentials = {"username": "ada", "password": "right"}
    with capture_signals(family="auth") as signals:
        assert Client().post(reverse("admin:login"), credentials).status_code == 200
    assert signals.names == []


@pytest.mark.processes
def test_is_read_without_apps_and_without_the_test_package() -> None:
    """As `AppConfig.__init__` and a production server have it."""
    program = (
        "import sys; from django.conf import settings; settings.configure()\n"
        "from django.apps import apps\n"
        "from signals_demo.catalog import built_in\n"
        "for name, signal in built_in().items():\n"
        "    if name != 'template_rendered': signal.load()\n"
        "assert 'django.test' not in sys.modules\n"
        "built_in()['template_rendered'].load()\n"
        "assert 'django.contrib.auth.models' not in sys.modules and not apps.ready\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


def test_reference_page_is_current() -> None:
    page = runpy.run_path(str(DOCS / "make_signals.py"))["page"]()
    assert page == (DOCS / "signals.md").read_text(encoding="utf-8"), (
        "the catalog has changed: run `python docs/make_signals.py`"
    )
