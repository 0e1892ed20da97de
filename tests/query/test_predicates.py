"""Conditions that an index serves, or is kept out of."""

import pytest
from django.db import connection
from django.db.models import Q

from signals_demo.factories import SignalEventFactory
from signals_demo.models import SignalEvent
from signals_demo.query.predicates import (
    EVERYTHING,
    NOTHING,
    Predicate,
    any_of,
    without_index,
)

pytestmark = pytest.mark.django_db


def test_the_values_of_one_field_are_one_condition() -> None:
    assert any_of([{"signal": "post_save"}]) == Q(signal="post_save")
    assert any_of([{"signal": "a"}, {"signal": "b"}]) == Q(signal__in=["a", "b"])
    assert any_of([{"actor_pk": "7"}, {"actor": "7"}]) == Q(actor_pk="7") | Q(actor="7")


@pytest.mark.parametrize(
    ("predicate", "found"),
    [
        (EVERYTHING, [True, True]),
        (NOTHING, [False, False]),
        ([{"object_pk": "5", "sender": "auth.User"}], [True, False]),
        ([{"object_pk": "5"}, {"object_pk": "6"}], [True, True]),
        ([{"object_pk": "6"}, {"sender": "auth.User"}], [True, True]),
    ],
)
def test_rows_are_the_same_with_an_index_and_without(
    predicate: Predicate, found: list[bool]
) -> None:
    user = SignalEventFactory.create(sender="auth.User", object_pk="5")
    group = SignalEventFactory.create(sender="auth.Group", object_pk="6")
    made = SignalEvent.objects.filter(pk__in=[user.pk, group.pk])
    for rows in (made.filter(any_of(predicate)), without_index(made, [predicate])):
        keys = set(rows.values_list("pk", flat=True))
        assert [user.pk in keys, group.pk in keys] == found


@pytest.mark.applies(connection.vendor == "sqlite")
def test_no_index_of_the_fields_is_used() -> None:
    rows = without_index(SignalEvent.objects.order_by(), [[{"sender": "auth.User"}]])
    assert "signals_demo_sender" not in rows.explain()
    assert "signals_demo_sender" in SignalEvent.objects.filter(sender="auth.User").explain()
