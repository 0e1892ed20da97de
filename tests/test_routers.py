"""The router sends the events to their database, and minds nothing else."""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import router
from django.db.models.query import RawQuerySet
from django.test import override_settings

from signals_demo.models import SignalEvent
from signals_demo.routers import SignalEventRouter

ROUTERS = ["signals_demo.routers.SignalEventRouter"]


@pytest.fixture
def _elsewhere() -> Iterator[None]:
    with override_settings(SIGNALS_DEMO={"DATABASE": "audit"}, DATABASE_ROUTERS=ROUTERS):
        yield


@pytest.mark.usefixtures("_elsewhere")
def test_events_are_read_and_written_where_the_setting_says() -> None:
    assert router.db_for_read(SignalEvent) == "audit"
    assert router.db_for_write(SignalEvent) == "audit"


@pytest.mark.usefixtures("_elsewhere")
def test_other_models_stay_where_they_are() -> None:
    assert router.db_for_read(User) == "default"
    assert router.db_for_write(User) == "default"
    assert SignalEventRouter().db_for_read(User) is None


@pytest.mark.usefixtures("_elsewhere")
def test_the_table_is_made_there_and_nowhere_else() -> None:
    assert router.allow_migrate_model("audit", SignalEvent)
    assert not router.allow_migrate_model("default", SignalEvent)
    assert not router.allow_migrate("default", "signals_demo")
    assert router.allow_migrate("default", "auth")
    assert SignalEventRouter().allow_migrate("default", "auth") is None
    assert SignalEventRouter().allow_migrate("audit", "auth", model_name="user") is None


def test_the_setting_is_read_when_it_is_needed() -> None:
    with override_settings(DATABASE_ROUTERS=ROUTERS):
        assert router.db_for_write(SignalEvent) == "default"
        with override_settings(SIGNALS_DEMO={"DATABASE": "audit"}):
            assert router.db_for_write(SignalEvent) == "audit"


def test_every_model_of_the_app_goes_there() -> None:
    with override_settings(SIGNALS_DEMO={"DATABASE": "audit"}, DATABASE_ROUTERS=ROUTERS):
        for model in apps.get_app_config("signals_demo").get_models():
            assert router.db_for_write(model) == "audit"


@pytest.mark.usefixtures("_elsewhere")
def test_a_raw_query_without_a_model_stays_where_it_is() -> None:
    assert RawQuerySet("SELECT 1").db == "default"
