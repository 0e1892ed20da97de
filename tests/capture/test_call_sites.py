"""The line that made a signal fire: the project's own, nearest to it."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django import forms
from django.contrib import auth
from django.db import models
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from project.playground.models import Author, Book, Tag
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


# Methods that call the one that they override pass the call on.


class Stamped(models.Model):
    """A mixin, as packages have them."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)


class TagQuerySet(models.QuerySet["OwnTag"]):
    def create(self, **kwargs: Any) -> Any:
        return super().create(**kwargs)


class TagManager(models.Manager.from_queryset(TagQuerySet)):  # type: ignore[misc]
    def create(self, **kwargs: Any) -> Any:
        return super().create(**kwargs)

    def make(self, name: str) -> Any:
        return self.create(name=name)


class OwnTag(Stamped, Tag):
    objects = TagManager()

    class Meta:
        proxy = True
        app_label = "shapes"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.name == "parent":
            OwnTag(name="child").save()
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        return super().delete(*args, **kwargs)

    def publish(self) -> None:
        self.save()


class TagForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = OwnTag
        fields = ("name",)

    def save(self, commit: bool = True) -> Any:
        return super().save(commit)


@pytest.mark.django_db(transaction=True)
def test_a_save_of_the_models_own_is_not_the_caller() -> None:
    def save() -> None:
        OwnTag(name="a").save()

    assert set(sites(save)) == {line_of(save)}


@pytest.mark.django_db(transaction=True)
def test_a_manager_of_the_models_own_is_not_the_caller() -> None:
    def create() -> None:
        OwnTag.objects.create(name="a")

    def get_or_create() -> None:
        OwnTag.objects.get_or_create(name="b")

    class View:
        def create(self) -> None:
            OwnTag.objects.create(name="c")

        def save(self) -> None:
            OwnTag(name="d").save()

    assert set(sites(create)) == {line_of(create)}
    assert set(sites(get_or_create)) == {line_of(get_or_create)}
    assert set(sites(View().create)) == {line_of(View.create)}
    assert set(sites(View().save)) == {line_of(View.save)}


@pytest.mark.django_db(transaction=True)
def test_other_methods_are_callers() -> None:
    tag = OwnTag.objects.create(name="a")
    assert set(sites(tag.publish, "post_save")) == {line_of(OwnTag.publish)}
    assert sites(lambda: OwnTag.objects.make("b"), "post_save") == [line_of(TagManager.make)]


@pytest.mark.django_db(transaction=True)
def test_a_save_that_saves_another_is_the_caller_of_that() -> None:
    def save() -> None:
        OwnTag(name="parent").save()

    assert sites(save, "post_save") == [line_of(OwnTag.save, 2), line_of(save)]


@pytest.mark.django_db(transaction=True)
def test_a_delete_of_the_models_own_is_not_the_caller() -> None:
    tag = OwnTag.objects.create(name="a")

    def delete() -> None:
        tag.delete()

    assert set(sites(delete, "pre_delete", "post_delete")) == {line_of(delete)}


@pytest.mark.django_db(transaction=True)
def test_a_form_is_not_the_caller() -> None:
    def save() -> None:
        TagForm({"name": "a"}).save()

    assert set(sites(save, "pre_save", "post_save")) == {line_of(save)}


@pytest.mark.django_db(transaction=True)
def test_rows_that_the_models_own_constructor_makes_have_the_line_of_the_loop() -> None:
    for name in "abc":
        Tag.objects.create(name=name)

    def read() -> None:
        for _tag in OwnTag.objects.all():
            pass

    assert set(sites(read)) == {line_of(read)}


@pytest.mark.django_db(transaction=True)
def test_a_packages_line_comes_before_one_of_djangos_and_of_the_models_own(tmp_path: Path) -> None:
    file = tmp_path / "site-packages" / "shelf.py"
    file.parent.mkdir()
    file.write_text(
        "from django.db import connections\n"
        "def fill(form):\n"
        "    form.save()\n"
        "    connections.close_all()\n"
    )
    names: dict[str, Any] = {}
    exec(compile(file.read_text(), str(file), "exec"), names)
    form = forms.modelform_factory(OwnTag, fields=["name"])({"name": "a"})
    # Beyond the start of a thread there is no line of the project.
    thread = threading.Thread(target=names["fill"], args=[form])

    def fill() -> None:
        thread.start()
        thread.join()

    found = sites(fill, "post_save")
    assert [site.rpartition("/")[2] for site in found] == ["shelf.py:3 in fill"]


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


def send_by_hand() -> None:
    models.signals.m2m_changed.send(Tag, instance=Tag(), action="post_add", using="default")
    models.signals.post_save.send(Tag, instance=Tag(), using="default")
    models.signals.pre_delete.send(Tag, instance=Tag(), using="default")


def test_who_sends_a_model_signal_by_hand_makes_it_fire() -> None:
    found = sites(send_by_hand, "m2m_changed", "post_save", "pre_delete")
    assert found == [line_of(send_by_hand, offset) for offset in (1, 2, 3)]


async def in_async_code() -> None:
    author = await Author.objects.acreate(name="Ann")
    await author.asave()
    await (await Author.objects.aget(pk=author.pk)).adelete()


@pytest.mark.django_db(transaction=True)
def test_what_async_code_awaits_is_its_doing() -> None:
    found = sites(lambda: async_to_sync(in_async_code)(), "pre_save", "post_save", "post_delete")
    first, second, third = (line_of(in_async_code, offset) for offset in (1, 2, 3))
    assert found == [first, first, second, second, third]


@pytest.mark.django_db(transaction=True)
def test_what_async_code_loads_is_its_doing() -> None:
    Author.objects.create(name="Ann")
    found = sites(lambda: async_to_sync(in_a_loop)(), "pre_init", "post_init")
    assert set(found) == {line_of(in_a_loop, 1)}


async def in_a_loop() -> None:
    async for _author in Author.objects.all():
        pass


async def linked(book: Book, tag: Tag) -> None:
    await book.tags.aadd(tag)


@pytest.mark.django_db(transaction=True)
def test_what_async_code_links_is_its_doing() -> None:
    book = Book.objects.create(title="Emma", author=Author.objects.create(name="Jane"))
    tag = Tag.objects.create(name="old")
    found = sites(lambda: async_to_sync(linked)(book, tag), "m2m_changed")
    assert found == [line_of(linked)] * 2
