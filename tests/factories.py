"""The users of the tests; events are made by `signals_demo.factories`."""

import factory
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from factory.django import DjangoModelFactory


class UserFactory(DjangoModelFactory[AbstractUser]):
    class Meta:
        model = get_user_model()

    username = factory.Sequence(lambda n: f"user{n}")
