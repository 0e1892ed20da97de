"""The line that made a signal fire: the project's own, nearest to it."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib import auth
from django.db import models
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from project.playground.models import Author, Book
from signals_demo import flush
from signals_demo.sinks.memory import MemorySink
from signals_demo.testing import capture_signals
from tests.recording import MEMORY, Project, recorded

HERE = "tests/capture/test_call_sites.py"
rang = Signal()


@pytest.fixture(autouse=True)
def _in_memory() -> Iterator[None]:
    with recorded(SINKS=MEMORY, EXTRA_SIGNALS=["tests.capture.test_call_sites.rang"]):
        yield


def sites(action: Callable[[], object], *signals: str) -> list[str]:
    """Return the call sites of what an action fires."""
    with capture_signals(*signals) as captured:
        action()
    return [event.call_site for event in captured]


def ring() -> None:
    rang.send(sender="bell")


def line_of(function: Callable[..., object], offset: int = 1) -> str:
    code = function.__code__
    return f"{HERE}:{code.co_firstlineno + offset} in {code.co_qualname}"


def view(request: HttpRequest) -> HttpResponse:
    rang.send(sender="view")
    return HttpResponse()


urlpatterns = [path("ring/", view)]


class Bell:
    def ring(self) -> None:
        rang.send(sender="bell")


def test_it_is_the_line_that_sends() -> None:
    assert sites(ring) == [line_of(ring)]


def test_a_method_is_named_with_its_class() -> None:
    assert sites(Bell().ring)[0].endswith(" in Bell.ring")


def test_helpers_do_not_hide_who_called_the_orm() -> None:
    def make() -> None:
        Author(name="Ada")

    assert set(sites(make)) == {line_of(make)}


@pytest.mark.django_db(transaction=True)
def test_every_signal_of_a_save_has_the_line_of_the_save() -> None:
    def save() -> None:
        Author.objects.create(name="Ada")

    assert sites(save) == [line_of(save)] * 4


@pytest.mark.django_db(transaction=True)
def test_a_queryset_is_used_where_it_is_evaluated() -> None:
    Author.objects.create(name="Ada")
    authors = Author.objects.all()

    def use() -> None:
        for _author in authors:
            pass

    assert sites(use) == [line_of(use)] * 2


@pytest.mark.django_db(transaction=True)
def test_a_delete_has_the_line_of_the_delete_for_all_that_it_takes_along() -> None:
    author = Author.objects.create(name="Ada")
    Book.objects.create(title="Engines", author=author)

    def delete() -> None:
        author.delete()

    assert set(sites(delete, "pre_delete", "post_delete")) == {line_of(delete)}


@pytest.mark.django_db(transaction=True)
def test_a_receiver_of_the_project_is_a_caller_like_any_other() -> None:
    def also(instance: Author, **kwargs: Any) -> None:
        rang.send(sender="receiver")

    models.signals.post_save.connect(also, sender=Author)
    try:
        found = sites(
            lambda: Author.objects.create(name="Ada"), "tests.capture.test_call_sites.rang"
        )
    finally:
        models.signals.post_save.disconnect(also, sender=Author)
    assert found == [line_of(also)]


@pytest.mark.django_db(transaction=True)
def test_what_django_does_on_the_way_has_the_line_that_asked_for_it() -> None:
    def log_in() -> None:
        auth.authenticate(username="ada", password="wrong")

    assert sites(log_in, "user_login_failed") == [line_of(log_in)]


@override_settings(ROOT_URLCONF="tests.capture.test_call_sites", MIDDLEWARE=[])
@pytest.mark.django_db(transaction=True)
def test_what_lies_beyond_a_request_is_not_its_cause() -> None:
    MemorySink.rows.clear()
    Client().get("/ring/")
    assert flush()
    found = {row.signal: row.call_site for row in list(MemorySink.rows)}
    assert found["tests.capture.test_call_sites.rang"] == line_of(view)
    assert HERE not in found["request_started"] + found["request_finished"]


def test_a_thread_begins_at_its_function() -> None:
    found: list[str] = []

    def run() -> None:
        found.extend(sites(ring))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [line_of(ring)]


def test_code_without_a_file_is_named_as_python_does() -> None:
    code = "from tests.capture.test_call_sites import rang\nrang.send(sender='text')\n"
    assert sites(lambda: exec(compile(code, "<console>", "exec"), {})) == [
        "<console>:2 in <module>"
    ]


def test_a_project_inside_its_own_virtual_environment_is_told_from_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "venv" / "lib" / "site-packages"
    package.mkdir(parents=True)
    (package / "a_package.py").write_text("def call(function):\n    function()\n")
    (package / "a_sender.py").write_text(
        "from tests.capture.test_call_sites import rang\n\n\n"
        "def ring():\n    rang.send(sender='package')\n"
    )
    monkeypatch.syspath_prepend(package)
    import a_package
    import a_sender

    def through() -> None:
        a_package.call(a_sender.ring)

    assert sites(through) == [line_of(through)]


@pytest.mark.processes
def test_without_a_line_of_the_project_a_package_answers(tmp_path: Path) -> None:
    package = tmp_path / "site-packages"
    package.mkdir()
    (package / "a_worker.py").write_text(
        "from django.contrib.auth.models import Group\n\n\ndef work():\n    Group(name='a')\n"
    )
    project = Project.migrated(tmp_path / "project")
    project.run(
        """
        import os, sys, threading
        sys.path.append(os.environ["PACKAGE"])
        import a_worker
        thread = threading.Thread(target=a_worker.work)
        thread.start()
        thread.join()
        Group.objects.create(name="b")
        """,
        PACKAGE=str(package),
    )
    rows = project.events("sender = 'auth.Group' AND signal <> 'class_prepared'")
    found = [row["call_site"] for row in rows]
    assert found[:2] == ["a_worker.py:5 in work"] * 2
    assert set(found[2:]) == {f"script.py:{_line_of(project, 'create')} in <module>"}


def _line_of(project: Project, text: str) -> int:
    lines = (project.folder / "script.py").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_they_can_be_switched_off() -> None:
    with recorded(
        SINKS=MEMORY, CALL_SITES=False, EXTRA_SIGNALS=["tests.capture.test_call_sites.rang"]
    ):
        assert sites(ring) == [""]
