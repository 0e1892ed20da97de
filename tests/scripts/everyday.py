"""Print the SQL of everyday host code, as JSON. Runs in a project made by startproject."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import django
from django.db import connection

django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

JOINED = datetime(2030, 1, 1, tzinfo=UTC)
operations: dict[str, Callable[[], object]] = {
    "create": lambda: Group.objects.create(name="Editors"),
    "create a user": lambda: User.objects.create(username="ada", date_joined=JOINED),
    "get": lambda: Group.objects.get(name="Editors"),
    "list": lambda: list(Group.objects.all()),
    "list with only one field": lambda: [group.name for group in Group.objects.only("name")],
    "update": lambda: Group.objects.get(name="Editors").save(),
    "get_or_create": lambda: Group.objects.get_or_create(name="Writers"),
    "update_or_create": lambda: Group.objects.update_or_create(
        name="Writers", defaults={"name": "Authors"}
    ),
    "bulk_create": lambda: Group.objects.bulk_create([Group(name="One"), Group(name="Two")]),
    "update in the database": lambda: Group.objects.filter(name="One").update(name="Three"),
    "clear an empty relation": lambda: User.objects.get(username="ada").groups.clear(),
    "add to a relation": lambda: User.objects.get(username="ada").groups.add(
        Group.objects.get(name="Authors")
    ),
    "clear a relation": lambda: User.objects.get(username="ada").groups.clear(),
    "page": lambda: Client(SERVER_NAME="localhost").get("/admin/login/"),
    "delete": lambda: Group.objects.get(name="Editors").delete(),
    "delete many": lambda: Group.objects.filter(name__in=["Two", "Three"]).delete(),
    "delete a user": lambda: User.objects.get(username="ada").delete(),
}
queries = {}
for name, operation in operations.items():
    with CaptureQueriesContext(connection) as captured:
        operation()
    queries[name] = [query["sql"] for query in captured]
print(json.dumps(queries))
