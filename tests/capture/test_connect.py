"""What is connected: everything once, what is wanted, and nothing that is not."""

import gc
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db import connection, models
from django.db.migrations.state import ProjectState
from django.db.models import signals
from django.dispatch import Signal
from django.test import override_settings
from django.test.utils import CaptureQueriesContext, isolate_apps

from project.playground.models import Author, Book, Ebook, Order, RareBook, Tag
from signals_demo import catalog, trace
from signals_demo.capture.connect import connect, disconnect
from signals_demo.factories import SignalEventFactory
from signals_demo.models import SignalEvent
from tests.recording import MEMORY, Project, kept, recorded

MODEL_SIGNALS = (
    "pre_init", "post_init", "pre_save", "post_save", "pre_delete", "post_delete", "m2m_changed",
)  # fmt: skip
PATH = "tests.capture.test_connect"

paid = Signal()
also_paid = paid
returned = Signal()


@pytest.fixture(autouse=True)
def _in_memory() -> Iterator[None]:
    with recorded(SINKS=MEMORY):
        yield


def fired(action: Callable[[], object]) -> list[tuple[str, str]]:
    """Return signal and sender of what is recorded of an action."""
    with trace("receivers") as unit:
        action()
    return [(row.signal, row.sender) for row in kept(unit)]


def ours(signal: Signal) -> list[Any]:
    """Return the entries of a signal that belong to this app."""
    return [entry for entry in signal.receivers if str(entry[0][0]).startswith("signals_demo")]


def listeners(model: type[models.Model]) -> set[str]:
    """Return the model signals that anybody listens to for a model."""
    return {name for name in MODEL_SIGNALS if getattr(signals, name).has_listeners(model)}


def made(name: str, label: str = "shapes") -> type[models.Model]:
    """Make a model class while the program runs."""
    meta = type("Meta", (), {"app_label": label})
    with isolate_apps("tests"):
        return type(name, (models.Model,), {"__module__": PATH, "Meta": meta})


# Once.


def test_every_signal_is_connected_once() -> None:
    for name, builtin in catalog.built_in().items():
        assert len(ours(builtin.load())) == 1 + (name == "setting_changed") * 2, name


def test_getting_ready_twice_changes_nothing() -> None:
    before = {name: list(each.load().receivers) for name, each in catalog.built_in().items()}
    for _ in range(2):
        apps.get_app_config("signals_demo").ready()
        connect()
    after = {name: list(each.load().receivers) for name, each in catalog.built_in().items()}
    assert after == before
    assert fired(lambda: Author(pk=1)) == [
        ("pre_init", "playground.Author"), ("post_init", "playground.Author"),
    ]  # fmt: skip


@pytest.mark.parametrize("setting", [{}, {"EXCLUDE_MODELS": ["auth.*"]}], ids=repr)
def test_connecting_twice_records_once(setting: dict[str, Any]) -> None:
    with recorded(SINKS=MEMORY, EXTRA_SIGNALS=[f"{PATH}.paid"], **setting):
        connect()
        connect()
        assert len(fired(lambda: (Author(pk=1), paid.send(sender="shop")))) == 3


def test_disconnecting_leaves_the_receivers_of_others() -> None:
    def listen(**kwargs: Any) -> None:
        """Do nothing."""

    signals.post_save.connect(listen, sender=Author)
    disconnect()
    try:
        assert signals.post_save.has_listeners(Author)
        assert not any(ours(each.load()) for name, each in catalog.built_in().items()
                       if name != "setting_changed")  # fmt: skip
    finally:
        connect()
        signals.post_save.disconnect(listen, sender=Author)
    assert len(ours(signals.post_save)) == 1


# ENABLED, SIGNALS, EXTRA_SIGNALS


def test_switched_off_nothing_is_connected() -> None:
    with override_settings(SIGNALS_DEMO={"ENABLED": False}):
        assert not any(ours(each.load()) for name, each in catalog.built_in().items()
                       if name != "setting_changed")  # fmt: skip
        assert listeners(Author) == set()
        assert fired(lambda: Author(pk=1)) == []
    assert listeners(Author) == set(MODEL_SIGNALS)


def test_only_the_signals_that_are_named_are_connected() -> None:
    with recorded(SINKS=MEMORY, SIGNALS=["post_init", "user_logged_in"], CHANGES=False):
        connected = {name for name, each in catalog.built_in().items() if ours(each.load())}
        # Requests and who acts in them are known whatever is recorded.
        followed = {"request_started", "request_finished", "user_logged_in", "user_logged_out"}
        assert connected == {"post_init", "setting_changed"} | followed
        assert listeners(Author) == {"post_init"}
        assert fired(lambda: Author(pk=1)) == [("post_init", "playground.Author")]
    with recorded(SINKS=MEMORY, SIGNALS=[]):
        assert listeners(Author) == set()
        assert not any(
            ours(each.load())
            for name, each in catalog.built_in().items()
            if name.startswith(("request_", "user_"))
        )


def test_signals_of_a_newer_django_may_be_named() -> None:
    with recorded(SINKS=MEMORY, SIGNALS=["task_enqueued", "post_init"]):
        assert listeners(Author) == {"post_init"}


def test_other_signals_are_recorded_under_their_path() -> None:
    with recorded(SINKS=MEMORY, EXTRA_SIGNALS=[f"{PATH}.paid", f"{PATH}.returned"]):
        assert fired(lambda: (paid.send(sender="shop"), returned.send(sender=Order))) == [
            (f"{PATH}.paid", "shop"), (f"{PATH}.returned", "playground.Order"),
        ]  # fmt: skip
    assert not paid.has_listeners()


@pytest.mark.parametrize(
    "paths",
    [[f"{PATH}.paid", f"{PATH}.also_paid"], [f"{PATH}.paid", f"{PATH}.paid"]],
)
def test_a_signal_with_two_paths_is_recorded_once(paths: list[str]) -> None:
    with recorded(SINKS=MEMORY, EXTRA_SIGNALS=paths):
        assert fired(lambda: paid.send(sender="shop")) == [(f"{PATH}.paid", "shop")]


def test_a_built_in_signal_among_the_others_is_recorded_once() -> None:
    with recorded(SINKS=MEMORY, EXTRA_SIGNALS=["django.db.models.signals.post_init"]):
        assert [signal for signal, _ in fired(lambda: Author(pk=1))] == ["pre_init", "post_init"]


@pytest.mark.parametrize(
    "path", ["no_such_module.paid", f"{PATH}.not_there", f"{PATH}.PATH", "out_of_order.paid"]
)
def test_what_cannot_be_connected_does_not_stop_the_rest(
    path: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "out_of_order.py").write_text("raise RuntimeError\n")
    monkeypatch.syspath_prepend(tmp_path)
    with (
        caplog.at_level(logging.ERROR, "signals_demo"),
        recorded(SINKS=MEMORY, EXTRA_SIGNALS=[path, f"{PATH}.paid"]),
    ):
        assert fired(lambda: paid.send(sender="shop")) == [(f"{PATH}.paid", "shop")]
    assert path in caplog.text


# INCLUDE_MODELS, EXCLUDE_MODELS


@pytest.mark.parametrize(
    ("setting", "heard", "not_heard"),
    [
        ({"EXCLUDE_MODELS": ["playground.Author"]}, [Book, User, Tag], [Author]),
        ({"EXCLUDE_MODELS": ["PLAYGROUND.author"]}, [Book, User], [Author]),
        ({"EXCLUDE_MODELS": ["auth.*", "sessions.Session"]},
         [Book, Author], [User, Group, User.groups.through, Session]),
        ({"EXCLUDE_MODELS": ["Auth.*"]}, [Book], [User, Group]),
        ({"INCLUDE_MODELS": ["playground.*"]}, [Book, Book.tags.through], [User, Session]),
        ({"INCLUDE_MODELS": ["playground.*"], "EXCLUDE_MODELS": ["playground.Tag"]},
         [Book, Book.tags.through], [Tag, User]),
        ({"INCLUDE_MODELS": ["playground.Book"]}, [Book, Book.tags.through],
         [Author, Tag, Ebook, RareBook]),
        ({"EXCLUDE_MODELS": ["playground.Book"]}, [Author, Tag, Ebook, RareBook],
         [Book, Book.tags.through]),
        ({"EXCLUDE_MODELS": ["playground.Book_tags"]}, [Book, Tag], [Book.tags.through]),
        ({"INCLUDE_MODELS": []}, [], [Book, User]),
        ({"EXCLUDE_MODELS": []}, [Book, User], []),
        ({"INCLUDE_MODELS": None}, [Book, User], []),
        ({"INCLUDE_MODELS": ["no.Model"]}, [], [Book, User]),
        ({"INCLUDE_MODELS": ["signals_demo.*"]}, [], [Book, SignalEvent]),
    ],
    ids=repr,
)  # fmt: skip
def test_a_model_that_is_left_out_has_no_receiver_at_all(
    setting: dict[str, Any], heard: list[Any], not_heard: list[Any]
) -> None:
    with recorded(SINKS=MEMORY, **setting):
        for model in not_heard:
            # The playground and Django have receivers of their own for some.
            assert not any(_hears(name, model) for name in MODEL_SIGNALS), model
        for model in heard:
            assert all(_hears(name, model) for name in MODEL_SIGNALS), model


def _hears(name: str, model: type[models.Model]) -> bool:
    keys = {entry[0][1] for entry in ours(getattr(signals, name))}
    return bool(keys & {id(model), id(None)})


def test_has_listeners_says_so_too() -> None:
    with recorded(SINKS=MEMORY, EXCLUDE_MODELS=["playground.Author"]):
        assert listeners(Author) == set()
        assert listeners(Tag) == set(MODEL_SIGNALS)
    assert listeners(Author) == set(MODEL_SIGNALS)


def test_signals_and_models_are_chosen_together() -> None:
    with recorded(
        SINKS=MEMORY, SIGNALS=["post_init"], INCLUDE_MODELS=["playground.Tag"], CHANGES=False
    ):
        assert listeners(Tag) == {"post_init"}
        assert listeners(Author) == set()
        assert fired(lambda: (Tag(pk=1), Author(pk=1))) == [("post_init", "playground.Tag")]


def test_the_other_families_do_not_mind_the_models() -> None:
    with recorded(SINKS=MEMORY, INCLUDE_MODELS=[], EXTRA_SIGNALS=[f"{PATH}.paid"]):
        assert fired(lambda: paid.send(sender=Author)) == [(f"{PATH}.paid", "playground.Author")]


@pytest.mark.django_db(transaction=True)
def test_deletes_of_a_model_that_is_left_out_stay_fast() -> None:
    def deletes() -> list[str]:
        Tag.objects.bulk_create([Tag(name=str(n)) for n in range(3)])
        with CaptureQueriesContext(connection) as captured:
            Tag.objects.all().delete()
        return [query["sql"].partition(" ")[0] for query in captured]

    with override_settings(SIGNALS_DEMO={"ENABLED": False}):
        bare = deletes()
    with recorded(SINKS=MEMORY, EXCLUDE_MODELS=["playground.*"]):
        assert deletes() == bare
    assert "SELECT" in deletes()  # the price of hearing of each row


@pytest.mark.django_db(transaction=True)
def test_tables_of_many_to_many_fields_keep_their_fast_delete() -> None:
    book = Book.objects.create(title="Notes", author=Author.objects.create(name="Ada"))
    tag = Tag.objects.create(name="new")

    def statements() -> list[str]:
        book.tags.add(tag)
        with CaptureQueriesContext(connection) as captured:
            book.tags.through.objects.all().delete()
        return [query["sql"].partition(" ")[0] for query in captured]

    assert "SELECT" not in statements()

    def listen(**kwargs: Any) -> None:
        """Do nothing."""

    signals.post_delete.connect(listen)
    try:
        assert "SELECT" in statements()  # as without the app
    finally:
        signals.post_delete.disconnect(listen)


# Models that are made later.


@pytest.mark.parametrize(
    ("setting", "is_heard"),
    [
        ({}, True),
        ({"EXCLUDE_MODELS": ["auth.*"]}, True),
        ({"EXCLUDE_MODELS": ["shapes.Late"]}, False),
        ({"INCLUDE_MODELS": ["shapes.*"]}, True),
        ({"INCLUDE_MODELS": ["shapes.Late"]}, True),
        ({"INCLUDE_MODELS": ["auth.*"]}, False),
    ],
    ids=repr,
)
def test_a_model_that_is_made_later_is_chosen_like_the_others(
    setting: dict[str, Any], is_heard: bool
) -> None:
    with recorded(SINKS=MEMORY, **setting):
        late = made("Late")
        assert listeners(late) == (set(MODEL_SIGNALS) if is_heard else set())
        found = fired(lambda: late(pk=1))
        assert found == [(name, "shapes.Late") for name in MODEL_SIGNALS[:2]] * is_heard
    assert listeners(late) == set(MODEL_SIGNALS)


def test_labels_of_apps_are_taken_in_any_case() -> None:
    with recorded(SINKS=MEMORY, EXCLUDE_MODELS=["Shapes.*"]):
        assert listeners(made("Late", label="Shapes")) == set()
        assert listeners(made("Late", label="shapes")) == set()
        assert listeners(made("Late", label="shapes2")) == set(MODEL_SIGNALS)


def test_the_many_to_many_table_of_such_a_model_goes_with_it() -> None:
    with recorded(SINKS=MEMORY, INCLUDE_MODELS=["shapes.Late"]):
        with isolate_apps("tests"):
            late: Any = type("Late", (models.Model,), {
                "__module__": PATH,
                "Meta": type("Meta", (), {"app_label": "shapes"}),
                "friends": models.ManyToManyField("self"),
            })  # fmt: skip
        assert listeners(late.friends.through) == set(MODEL_SIGNALS)


@pytest.mark.parametrize(
    ("setting", "is_heard"),
    [
        ({"EXCLUDE_MODELS": ["sessions.*"]}, True),
        ({"INCLUDE_MODELS": ["playground.Author"]}, True),
        ({"EXCLUDE_MODELS": ["playground.Author"]}, False),
    ],
    ids=repr,
)
def test_the_models_of_a_migration_are_chosen_like_the_others(
    setting: dict[str, Any], is_heard: bool
) -> None:
    with recorded(SINKS=MEMORY, **setting):
        historical = ProjectState.from_apps(apps).apps
        author = historical.get_model("playground", "Author")
        book = historical.get_model("playground", "Book")
        assert author is not Author
        assert _hears("post_save", author) is is_heard
        assert _hears("post_save", book) is ("INCLUDE_MODELS" not in setting)
        assert len(fired(lambda: author(pk=1))) == 2 * is_heard
        event = historical.get_model("signals_demo", "SignalEvent")
        assert listeners(event) == set()


def test_models_that_are_gone_leave_nothing_behind() -> None:
    with recorded(SINKS=MEMORY, EXCLUDE_MODELS=["auth.*"]):
        gc.collect()
        made("First")  # connecting sweeps out what is dead
        before = len(ours(signals.post_save))
        for number in range(200):
            made(f"Late{number}")
        gc.collect()
        made("Last")
        gc.collect()
        made("Last")
        assert len(ours(signals.post_save)) < before + 20


def test_a_class_in_the_place_of_one_that_is_gone_is_heard_or_not_by_its_own_name() -> None:
    with recorded(SINKS=MEMORY, EXCLUDE_MODELS=["shapes.Unwanted"]):
        for _ in range(10):
            wanted = made("Wanted")
            assert len(fired(lambda model=wanted: model(pk=1))) == 2  # type: ignore[misc]
            del wanted
            gc.collect()
            unwanted = made("Unwanted")
            assert not _records(unwanted)
            del unwanted


def _records(model: type[models.Model]) -> bool:
    return bool(fired(lambda: model(pk=1)))


def test_without_a_choice_of_models_nothing_watches_classes_being_made() -> None:
    assert len(ours(signals.class_prepared)) == 1
    with recorded(SINKS=MEMORY, EXCLUDE_MODELS=["auth.*"], SIGNALS=["user_logged_in"]):
        assert ours(signals.class_prepared) == []
    with recorded(SINKS=MEMORY, EXCLUDE_MODELS=["auth.*"], SIGNALS=["post_save"]):
        assert len(ours(signals.class_prepared)) == 1


# Following the setting.


def test_a_change_of_the_setting_connects_anew_and_back() -> None:
    everything = set(MODEL_SIGNALS)
    with recorded(SINKS=MEMORY, EXCLUDE_MODELS=["playground.Author"]):
        assert listeners(Author) == set()
        with recorded(SINKS=MEMORY, INCLUDE_MODELS=["playground.Author"]):
            assert (listeners(Author), listeners(Tag)) == (everything, set())
            with recorded(SINKS=MEMORY):
                assert (listeners(Author), listeners(Tag)) == (everything, everything)
            assert (listeners(Author), listeners(Tag)) == (everything, set())
        assert (listeners(Author), listeners(Tag)) == (set(), everything)
    assert (listeners(Author), listeners(Tag)) == (everything, everything)


def test_a_change_of_another_setting_connects_nothing_anew() -> None:
    before = list(signals.post_save.receivers)
    with override_settings(USE_TZ=False):
        assert signals.post_save.receivers == before


def test_the_change_itself_is_recorded_once() -> None:
    def change() -> None:
        with recorded(SINKS=MEMORY, FOLD_AFTER=3):
            pass

    assert [signal for signal, _ in fired(change)] == ["setting_changed"] * 2


# The record itself.


def test_the_record_is_never_recorded() -> None:
    assert fired(lambda: SignalEvent(pk=1)) == []
    with recorded(SINKS=MEMORY, INCLUDE_MODELS=["signals_demo.SignalEvent"]):
        assert listeners(SignalEvent) == set()


@pytest.mark.django_db(transaction=True)
def test_reading_and_deleting_the_record_is_not_recorded() -> None:
    with recorded():
        Author.objects.create(name="Ada")

        def read() -> None:
            list(SignalEvent.objects.all())
            SignalEventFactory.create().save()
            SignalEvent.objects.all().delete()

        with recorded(SINKS=MEMORY):
            assert fired(read) == []


# Django's test tools, which a site at work does not load.

LOADED = """
    import sys
    from django.core.checks import run_checks

    run_checks()
    Group(name="editors")
    print([name for name in ("django.test", "unittest", "psycopg") if name in sys.modules])
"""
RENDERED = """
    from django.template import Context, Template
    from signals_demo.testing import capture_signals

    with capture_signals("template_rendered") as signals:
        pass
    from django.test.utils import setup_test_environment

    setup_test_environment()
    Template("before").render(Context())
    with capture_signals("template_rendered") as signals:
        Template("now").render(Context())
    print(signals.names)
"""


@pytest.mark.processes
def test_a_site_at_work_loads_no_test_tools_and_no_driver(tmp_path: Path) -> None:
    assert Project.make(tmp_path).run(LOADED).stdout == "[]\n"


@pytest.mark.processes
def test_they_are_loaded_to_record_tests(tmp_path: Path) -> None:
    done = Project.make(tmp_path).run(LOADED, setting={"RECORD_TESTS": True})
    assert done.stdout == "['django.test', 'unittest']\n"


@pytest.mark.processes
def test_their_signals_are_captured_however_late_they_are_loaded(tmp_path: Path) -> None:
    assert Project.make(tmp_path).run(RENDERED).stdout == "['template_rendered']\n"
