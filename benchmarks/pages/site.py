"""One site with one variant: `python -m benchmarks.pages.site WORD`, run by `benchmarks.pages`.

`make` makes the tables and the contents, and prints the pages and the key of a session of the
administrator; `stored` prints how many events are stored, and in how many bytes; `import` prints
the seconds that an import of products takes.
"""

import json
import os
import sys
import time
from importlib import import_module
from typing import Any

from benchmarks.pages.base import NAME


def make() -> dict[str, Any]:
    from django.contrib.auth import get_user_model
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command

    call_command("migrate", verbosity=0, run_syncdb=True)
    user = get_user_model().objects.create_superuser("ada", "ada@example.com", "analytical")
    session = SessionStore()
    session["_auth_user_id"] = str(user.pk)
    session["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
    session["_auth_user_hash"] = user.get_session_auth_hash()
    session.create()
    return {"pages": _contents().make(), "session": session.session_key}


def stored() -> tuple[int, int]:
    from django.apps import apps
    from django.db import connection

    size = 0
    with connection.cursor() as cursor:
        for model in apps.get_app_config("signals_demo").get_models():
            cursor.execute("SELECT pg_total_relation_size(%s)", [model._meta.db_table])
            size += cursor.fetchone()[0]
    return apps.get_model("signals_demo.SignalEvent").objects.count(), size


def import_products() -> float:
    contents = _contents()
    began = time.perf_counter()
    contents.sell(contents.IMPORTED)
    return time.perf_counter() - began


def _contents() -> Any:
    return import_module(f"benchmarks.pages.{NAME}.contents")


WORDS = {"make": make, "stored": stored, "import": import_products}


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = f"benchmarks.pages.{NAME}.settings"
    import django

    django.setup()
    print(json.dumps(WORDS[sys.argv[1]]()))
