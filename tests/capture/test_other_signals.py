"""Migrations: one group per command, and signals that are sent by hand."""

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.sql import emit_post_migrate_signal
from django.db.models.signals import post_migrate, pre_migrate

from project.playground.models import Author
from signals_demo import trace
from tests.capture.firings import shape
from tests.recording import recorded, stored


@pytest.mark.django_db(transaction=True)
def test_migrating_is_one_group_per_command() -> None:
    with trace("migrating") as unit:
        call_command("migrate", verbosity=0)
        Author.objects.create(name="Ada")
    rows = stored(unit)
    signals = [row.signal for row in rows if row.signal.endswith("_migrate")]
    number = signals.count("pre_migrate")
    assert number > 3
    assert signals == ["pre_migrate"] * number + ["post_migrate"] * number
    assert {row.depth for row in rows if row.signal.endswith("_migrate")} == {0}
    assert {row.duration is None for row in rows if row.signal == "post_migrate"} == {False}
    assert shape(rows)[-2:] == [(0, "pre_save Author"), (0, "post_save Author")]


@pytest.mark.django_db(transaction=True)
def test_migration_signals_sent_by_hand_stand_alone() -> None:
    app = apps.get_app_config("playground")
    sent = {"app_config": app, "verbosity": 0, "interactive": False, "using": "default"}
    with trace("by hand") as unit:
        pre_migrate.send(app, **sent, apps=apps, plan=[])
        post_migrate.send(app, **sent, apps=apps, plan=[])
        Author.objects.create(name="Ada")
    rows = stored(unit)
    assert {row.depth for row in rows} == {0}
    assert [row.signal for row in rows if row.signal.endswith("_migrate")] == [
        "pre_migrate",
        "post_migrate",
    ]
    assert shape(rows)[-2:] == [(0, "pre_save Author"), (0, "post_save Author")]


@pytest.mark.django_db(transaction=True)
def test_without_post_migrate_a_migration_does_not_stop_the_writer() -> None:
    with recorded(SIGNALS=["pre_migrate", "post_save"]), trace("migrating") as unit:
        call_command("migrate", verbosity=0)
        Author.objects.create(name="Ada")
        assert [row.signal for row in stored(unit)][-1] == "post_save"


@pytest.mark.django_db(transaction=True)
def test_flushing_the_database_sends_post_migrate_alone() -> None:
    with trace("flush") as unit:
        emit_post_migrate_signal(verbosity=0, interactive=False, db="default")
    rows = [row for row in stored(unit) if row.signal == "post_migrate"]
    assert rows
    assert {(row.depth, row.duration) for row in rows} == {(0, None)}
