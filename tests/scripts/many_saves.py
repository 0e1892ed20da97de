"""Save a model 2,000 times and wait for the record. Runs in a project made by startproject."""

import sys

import django
from django.db import transaction

django.setup()

from django.contrib.auth.models import Group  # noqa: E402

from signals_demo import flush  # noqa: E402

group = Group(name="Editors")
with transaction.atomic():
    for number in range(2_000):
        group.name = f"Editors {number}"
        group.save()
sys.exit(0 if flush(timeout=60) else "The record did not catch up with the saves.")
