"""A value as its field would store it."""

import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.postgres.fields import (
    ArrayField,
    BigIntegerRangeField,
    DateRangeField,
    DateTimeRangeField,
    DecimalRangeField,
    HStoreField,
    IntegerRangeField,
)
from django.db import models
from django.db.backends.postgresql.psycopg_any import (
    DateRange,
    DateTimeTZRange,
    NumericRange,
)
from django.utils.functional import lazystr
from django.utils.translation import gettext_lazy, override

from signals_demo.serialize.same import same
from signals_demo.serialize.stored import FAILED, hold_lazy, serialized, stored, unasked

DAY = datetime.date(2026, 1, 1)
NEXT = datetime.date(2026, 1, 2)
NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)

pytestmark = pytest.mark.one_database


@pytest.mark.parametrize(
    ("field", "old", "new"),
    [
        (IntegerRangeField(), NumericRange(1, 5), NumericRange(1, 4, "[]")),
        (IntegerRangeField(), NumericRange(1, 5), NumericRange(0, 5, "()")),
        (IntegerRangeField(), NumericRange(1, 5), (1, 5)),
        (IntegerRangeField(), NumericRange(1, 5), ["1", "5"]),
        (IntegerRangeField(), NumericRange(1, 5), "[1, 5)"),
        (IntegerRangeField(), NumericRange(empty=True), NumericRange(3, 3)),
        (IntegerRangeField(), NumericRange(None, 5), NumericRange(None, 4, "[]")),
        (BigIntegerRangeField(), NumericRange(2**40, None), NumericRange(2**40 - 1, None, "()")),
        (DateRangeField(), DateRange(DAY, NEXT), DateRange(DAY, DAY, "[]")),
        (DateRangeField(), DateRange(DAY, NEXT), ("2026-01-01", "2026-01-02")),
        (DecimalRangeField(), NumericRange(Decimal(1), Decimal(2)), NumericRange("1.0", "2.0")),
        (DateTimeRangeField(), DateTimeTZRange(NOON, None),
         DateTimeTZRange("2026-01-01T13:00:00+01:00", None)),
        (ArrayField(models.IntegerField()), [1, 2], ("1", 2.0)),
        (ArrayField(models.DecimalField(decimal_places=2)), [Decimal(1), None], ["1.00", None]),
        (ArrayField(ArrayField(models.CharField())), [["1"]], [[1]]),
        (HStoreField(), {"a": "1"}, {"a": 1}),
        (models.SlugField(), "a", lazystr("a")),
        (models.DecimalField(decimal_places=2), Decimal("1.00"), 1.0),
        (models.DurationField(), datetime.timedelta(1), datetime.timedelta(hours=24)),
        (models.DateTimeField(), NOON, "2026-01-01T12:00:00Z"),
        (models.JSONField(), {"a": (1,)}, {"a": [1]}),
    ],
)  # fmt: skip
def test_the_same_is_stored(field: Any, old: Any, new: Any) -> None:
    first, second = stored(field, old), stored(field, new)
    assert FAILED not in (first, second)
    assert same(first, second)


@pytest.mark.parametrize(
    ("field", "old", "new"),
    [
        (IntegerRangeField(), NumericRange(1, 5), NumericRange(1, 5, "[]")),
        (DecimalRangeField(), NumericRange(1, 5), NumericRange(1, 5, "[]")),
        (DecimalRangeField(), NumericRange(1, 1, "[]"), NumericRange(1, 1)),
        (IntegerRangeField(), NumericRange(1, None), NumericRange(None, None)),
        (ArrayField(models.IntegerField()), [1, 2], [2, 1]),
        (models.DecimalField(decimal_places=2), Decimal("1.00"), "1.01"),
    ],
)
def test_another_value_is_stored(field: Any, old: Any, new: Any) -> None:
    assert not same(stored(field, old), stored(field, new))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (models.IntegerField(), "many"),
        (models.IntegerField(), object()),
        (models.DecimalField(decimal_places=2), "1,5"),
        (models.JSONField(), {1, 2}),
        (models.JSONField(), object()),
        (ArrayField(models.IntegerField()), ["x"]),
        (models.BooleanField(), "perhaps"),
    ],
)
def test_what_a_field_refuses_fails_quietly(field: Any, value: Any) -> None:
    assert stored(field, value) is FAILED


def test_a_lazy_text_keeps_its_language() -> None:
    with override("de"):
        held = hold_lazy(gettext_lazy("Monday"))
    with override("fr"):
        assert stored(models.CharField(), held) == "Montag"


def test_the_project_is_not_asked_where_it_must_not_be() -> None:
    class Own(models.CharField):  # type: ignore[type-arg]
        def get_prep_value(self, value: Any) -> Any:
            raise AssertionError

    own = Own()
    own.set_attributes_from_name("own")
    with unasked() as fields:
        assert stored(models.IntegerField(), "7") == 7
        assert not fields.any
    with unasked() as fields:
        assert stored(own, "7") is FAILED
        assert stored(models.CharField(), object()) is FAILED
        assert serialized(own, "7") is FAILED
    assert fields.any
    assert serialized(own, 7) == "7"
