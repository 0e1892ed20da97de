"""What `manage.py check` says: one message for each mistake, with how to fix it."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.core.checks import Warning as CheckWarning
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connections, models
from django.dispatch import Signal
from django.test import override_settings

from signals_demo.checks import check_settings
from signals_demo.routers import SignalEventRouter
from signals_demo.sinks import BaseSink
from tests.recording import Project
from tests.test_conf import WRONG

ROUTER = "signals_demo.routers.SignalEventRouter"


def said(setting: Any, **settings: Any) -> list[CheckMessage]:
    """Return what the checks of this app say of a setting."""
    with override_settings(SIGNALS_DEMO=setting, **settings):
        return run_checks(tags=["signals_demo"])


def only(setting: Any, **settings: Any) -> CheckMessage:
    """Return the one thing that they say."""
    messages = said(setting, **settings)
    assert len(messages) == 1, messages
    assert messages[0].hint
    return messages[0]


WAL = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"}


@pytest.mark.parametrize(
    ("options", "name", "is_said"),
    [
        ({}, "db.sqlite3", True),
        ({"timeout": 20}, "db.sqlite3", True),
        ({"transaction_mode": "IMMEDIATE"}, "db.sqlite3", True),
        ({"init_command": WAL["init_command"]}, "db.sqlite3", True),
        (WAL, "db.sqlite3", False),
        (WAL | {"transaction_mode": "exclusive"}, "db.sqlite3", False),
        ({}, ":memory:", False),
    ],
)
@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.applies(connections["default"].vendor == "sqlite")
def test_the_options_that_keep_writers_on_sqlite_apart(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], name: str, is_said: bool, debug: bool
) -> None:
    database = connections["default"].settings_dict
    monkeypatch.setitem(database, "OPTIONS", options)
    monkeypatch.setitem(database, "NAME", name)
    with override_settings(DEBUG=debug):
        usual = run_checks(tags=["signals_demo"])
        deployed = run_checks(tags=["signals_demo"], include_deployment_checks=True)
    assert [each.id for each in deployed] == ["signals_demo.I001"] * is_said
    assert usual == ([] if debug else deployed)  # a new project is not bothered
    assert all("IMMEDIATE" in (each.hint or "") and "WAL" in each.hint for each in deployed)


class Elsewhere:
    def db_for_write(self, model: type[models.Model], **hints: Any) -> str | None:
        return "audit" if model._meta.app_label == "signals_demo" else None


class Nowhere:
    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return False if app_label == "signals_demo" else None


class Sink(BaseSink):
    def store(self, rows: Any) -> None:
        """Store nothing."""

    def check(self) -> list[CheckMessage]:
        return [CheckWarning("The bottle leaks.", hint="Take another.", id="bottle.W001")]


class BadSink(Sink):
    def __init__(self, alias: str, options: Any) -> None:
        raise ValueError("no such bottle")


class BadCheck(Sink):
    def check(self) -> list[CheckMessage]:
        raise KeyError("bottle")


class Unfinished(BaseSink):
    pass


paid = Signal()


@pytest.fixture
def _audit_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings, "audit", connections.settings["default"])


@pytest.fixture
def _broken_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_signals.py").write_text("raise RuntimeError('out of order')\n")
    (tmp_path / "misspelt_signals.py").write_text("paid = Signal(\n")
    monkeypatch.syspath_prepend(tmp_path)


def test_a_right_setting_is_nothing_to_speak_of() -> None:
    assert said({}) == []
    assert said({"SIGNALS": ["post_save", "post_init"], "EXCLUDE_MODELS": ["auth.*"],
                 "INCLUDE_MODELS": ["playground.book", "playground.Book_tags"],
                 "EXTRA_SIGNALS": ["tests.test_checks.paid"]}) == []  # fmt: skip


@pytest.mark.parametrize(("key", "value"), WRONG, ids=lambda value: repr(value)[:10])
def test_each_wrong_value_is_one_error_that_names_its_key(key: str, value: Any) -> None:
    message = only({key: value})
    assert message.id == "signals_demo.E001"
    assert message.is_serious()
    assert key in message.msg


@pytest.mark.parametrize("setting", [None, [], "inline", 5, True, {None: 1}, {5: 1}, {"": 1},
                                     {("a",): 1}, {"ENABLE": True}])  # fmt: skip
def test_a_setting_of_another_shape_is_one_error(setting: Any) -> None:
    message = only(setting)
    assert message.id == "signals_demo.E001"
    assert "SIGNALS_DEMO" in message.msg


def test_each_of_several_mistakes_is_said() -> None:
    messages = said({"ENABLE": True, "MODE": "fast", "DATABASE": "nowhere", "STRICT": math.nan,
                     "EXCLUDE_MODELS": ["shop.Order"]})  # fmt: skip
    assert len(messages) == 5


def test_a_mistake_stops_the_command_and_shows_no_traceback() -> None:
    with (
        override_settings(SIGNALS_DEMO={"MODE": "fast"}),
        pytest.raises(SystemCheckError, match=r"(?s)SIGNALS_DEMO\['MODE'\].*HINT: .*inline"),
    ):
        call_command("check", tags=["signals_demo"])


@pytest.mark.processes
@pytest.mark.parametrize(
    "setting",
    [None, [], {"SIGNALZ": 1}, {"MODE": 1}, {"REDACT": ["("]}, {"EXTRA_SIGNALS": ["no.signal"]},
     {"EXTRA_SIGNALS": ["views.no"]}, {"DATABASE": "no"}, {"INCLUDE_MODELS": ["no.Model"]},
     {"SINKS": {"a": {"BACKEND": "no.Sink"}}}],
)  # fmt: skip
def test_manage_py_check_says_it_whole(setting: Any, tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    done = project.call("manage.py", "check", SIGNALS_DEMO=json.dumps(setting))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.count("signals_demo.E00") == 1
    assert "HINT" in done.stderr


# EXTRA_SIGNALS


@pytest.mark.parametrize(
    "path", ["no_such_module.paid", "tests.test_checks.not_there", "tests.not_there.paid",
             "broken_signals.paid", "misspelt_signals.paid"],
)  # fmt: skip
@pytest.mark.usefixtures("_broken_module")
def test_an_extra_signal_has_to_be_importable(path: str) -> None:
    message = only({"EXTRA_SIGNALS": [path]})
    assert message.id == "signals_demo.E002"
    assert repr(path) in message.msg


@pytest.mark.parametrize("path", ["tests.test_checks.Elsewhere", "tests.test_checks.ROUTER"])
def test_an_extra_signal_has_to_be_a_signal(path: str) -> None:
    message = only({"EXTRA_SIGNALS": [path]})
    assert message.id == "signals_demo.E002"
    assert "not a django.dispatch.Signal" in message.msg


@pytest.mark.parametrize(
    "path", ["django.db.models.signals.post_save", "django.test.signals.setting_changed"]
)
def test_an_extra_signal_may_not_be_a_built_in_one(path: str) -> None:
    message = only({"EXTRA_SIGNALS": [path]})
    assert message.id == "signals_demo.E002"
    assert "built-in" in message.msg
    assert "SIGNALS" in str(message.hint)


# INCLUDE_MODELS, EXCLUDE_MODELS


@pytest.mark.parametrize("key", ["INCLUDE_MODELS", "EXCLUDE_MODELS"])
@pytest.mark.parametrize(
    ("label", "fix"),
    [("playground.Bok", "'playground.Book'"), ("playgrund.*", "'playground.*'"),
     ("nothing.Like", "'app.*'"), ("shapes.Note", "'app.*'")],
)  # fmt: skip
def test_a_model_has_to_exist(key: str, label: str, fix: str) -> None:
    message = only({key: [label]})
    assert message.id == "signals_demo.E003"
    assert key in message.msg
    assert repr(label) in message.msg
    assert fix in str(message.hint)


# EXCLUDE_FIELDS


@pytest.mark.parametrize(
    ("fields", "problem", "fix"),
    [
        ({"playground.Bok": ["title"]}, "'playground.bok'", "'playground.Book'"),
        ({"nothing.Like": ["title"]}, "'nothing.like'", "'app.Model'"),
        ({"playground.Book": ["titel"]}, "'titel'", "'title'"),
        ({"playground.Book": ["zzz"]}, "'zzz'", "copies"),
        ({"playground.Book": ["tags"]}, "'tags'", "title"),
    ],
)
def test_a_field_has_to_exist(fields: dict[str, list[str]], problem: str, fix: str) -> None:
    message = only({"EXCLUDE_FIELDS": fields})
    assert message.id == "signals_demo.E008"
    assert "EXCLUDE_FIELDS" in message.msg
    assert problem in message.msg
    assert fix in str(message.hint)


def test_fields_that_exist_are_fine() -> None:
    names = {"playground.book": ["title", "author_id"], "playground.*": ["anything"]}
    assert said({"EXCLUDE_FIELDS": names}) == []


# DATABASE


def test_a_database_has_to_exist() -> None:
    message = only({"DATABASE": "audit"})
    assert message.id == "signals_demo.E004"
    assert "'default'" in str(message.hint)


@pytest.mark.usefixtures("_audit_database")
def test_another_database_needs_a_router() -> None:
    message = only({"DATABASE": "audit"})
    assert message.id == "signals_demo.E005"
    assert ROUTER in str(message.hint)


@pytest.mark.usefixtures("_audit_database")
@pytest.mark.parametrize("router", [ROUTER, SignalEventRouter(), "tests.test_checks.Elsewhere"])
def test_any_router_that_sends_the_events_there_will_do(router: Any) -> None:
    assert said({"DATABASE": "audit"}, DATABASE_ROUTERS=[router]) == []


@pytest.mark.usefixtures("_audit_database")
@pytest.mark.parametrize(
    ("alias", "routers"),
    [
        ("default", ["tests.test_checks.Elsewhere"]),
        ("default", ["tests.test_checks.Elsewhere", ROUTER]),
        ("default", ["tests.test_checks.Nowhere"]),
        ("audit", ["tests.test_checks.Nowhere", ROUTER]),
    ],
)
def test_a_router_that_keeps_the_events_from_there_is_said(alias: str, routers: Any) -> None:
    message = only({"DATABASE": alias}, DATABASE_ROUTERS=routers)
    assert message.id == "signals_demo.E005"


# SINKS


@pytest.mark.parametrize(
    ("params", "said_of_it"),
    [
        ({"BACKEND": "no_such_module.Sink"}, "no_such_module"),
        ({"BACKEND": "tests.test_checks.NoSink"}, "NoSink"),
        ({"BACKEND": "tests.test_checks.Elsewhere"}, "subclass"),
        ({"BACKEND": "tests.test_checks.ROUTER"}, "subclass"),
        ({"BACKEND": "tests.test_checks.Unfinished"}, "abstract"),
        ({"BACKEND": "tests.test_checks.BadSink"}, "no such bottle"),
        ({"BACKEND": "tests.test_checks.BadCheck"}, "bottle"),
        ({"BACKEND": "signals_demo.sinks.database.DatabaseSink", "OPTIONS": {"a": 1}}, "options"),
        ({"BACKEND": "signals_demo.sinks.memory.MemorySink", "OPTIONS": {"LIMIT": "a"}}, "LIMIT"),
        ({"BACKEND": "signals_demo.sinks.memory.MemorySink", "OPTIONS": {"LIMT": 5}}, "LIMIT"),
    ],
)
def test_a_sink_that_cannot_be_used_is_said(params: Any, said_of_it: str) -> None:
    message = only({"SINKS": {"bottle": params}})
    assert message.id == "signals_demo.E006"
    assert "SINKS" in message.msg
    assert "'bottle'" in message.msg
    assert said_of_it in message.msg


def test_a_sink_speaks_for_itself() -> None:
    assert only({"SINKS": {"a": {"BACKEND": "tests.test_checks.Sink"}}}).id == "bottle.W001"


@pytest.mark.parametrize("key", ["ACTOR", "CLIENT_ADDRESS"])
@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("nowhere.who", "No module named 'nowhere'"),
        ("tests.test_checks.nobody", 'does not define a "nobody"'),
        ("tests.test_checks.__name__", "is a str, not a function"),
    ],
)
def test_a_function_of_the_project_has_to_be_there(key: str, path: str, problem: str) -> None:
    message = only({key: path})
    assert message.id == "signals_demo.E009"
    assert problem in message.msg
    assert said({key: "builtins.str"}) == []


# Warnings.


def test_asgi_without_the_middleware_is_warned_of() -> None:
    message = only({}, ASGI_APPLICATION="project.asgi.application", MIDDLEWARE=[])
    assert message.id == "signals_demo.W002"
    assert "signals_demo.middleware.SignalTraceMiddleware" in str(message.hint)
    assert said({}, ASGI_APPLICATION="project.asgi.application") == []
    assert said({}, MIDDLEWARE=[]) == []


def test_what_is_checked_is_what_is_in_force() -> None:
    with override_settings(SIGNALS_DEMO={"MODE": "fast"}):
        assert len(run_checks(tags=["signals_demo"])) == 1
    assert run_checks(tags=["signals_demo"]) == []


def test_check_says_what_is_wrong_with_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "journal"

    def found() -> list[CheckMessage]:
        return [one for one in check_settings() if one.id == "signals_demo.E007"]

    with override_settings(SIGNALS_DEMO={"JOURNAL_DIR": folder}):
        assert [str(folder) in one.msg for one in found()] == [True]
    with override_settings(SIGNALS_DEMO={"JOURNAL_DIR": tmp_path / "made" / "later"}):
        assert found() == []
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
