"""Values are adapted for the driver as Django adapts them."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import DurationField, UUIDField

from signals_demo.rollups.driver_values import adapt_duration, adapt_uuid, datetime_adapter

START = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
MOMENTS = [START + timedelta(microseconds=n) for n in (0, 1, 999_999, 1_000_000, 1_500_000, 0)]


def test_times_are_adapted_as_django_does_also_in_the_same_second() -> None:
    adapt = datetime_adapter(connection)
    expected = [connection.ops.adapt_datetimefield_value(moment) for moment in MOMENTS]
    assert list(map(adapt, MOMENTS)) == expected


@pytest.mark.parametrize("value", [None, timedelta(), timedelta(days=400, microseconds=1)])
def test_durations(value: timedelta | None) -> None:
    expected = DurationField().get_db_prep_value(value, connection)
    assert adapt_duration(connection, value) == expected


def test_uuids() -> None:
    value = uuid.uuid4()
    assert adapt_uuid(connection, value) == UUIDField().get_db_prep_value(value, connection)
