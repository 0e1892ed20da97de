"""Queries whose failure leaves the project's transaction usable."""

import pytest
from django.db import DatabaseError, connection, transaction

from signals_demo.models import SignalEvent
from signals_demo.query.isolated import isolated


def _fail() -> None:
    with pytest.raises(DatabaseError), isolated("default"), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM there_is_no_such_table")


@pytest.mark.django_db(transaction=True)
def test_a_failure_leaves_a_transaction_usable() -> None:
    with transaction.atomic():
        _fail()
        assert SignalEvent.objects.count() >= 0


@pytest.mark.django_db(transaction=True)
def test_without_a_transaction_it_opens_none() -> None:
    _fail()
    with isolated("default"):
        assert not connection.in_atomic_block
