"""The users of the tests; events are made by `signals_demo.factories`, and stored here."""

from collections.abc import Iterable

import factory
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from factory.django import DjangoModelFactory

from signals_demo.models import SignalEvent


class UserFactory(DjangoModelFactory[AbstractUser]):
    class Meta:
        model = get_user_model()

    username = factory.Sequence(lambda n: f"user{n}")


def store(events: Iterable[SignalEvent]) -> list[int]:
    """Store events that were built, all at once, and return their keys."""
    return [event.pk for event in SignalEvent.objects.bulk_create(events)]
