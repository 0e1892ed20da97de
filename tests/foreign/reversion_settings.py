"""The settings of django-reversion's tests, with the database servers of our own."""

import django
from test_project.settings import *
from test_project.settings import DATABASES

_NAME = f"foreign_{django.get_version().replace('.', '_')}"  # two Djangos may run at a time
for _alias, _user in {"postgres": "postgres", "mysql": "root"}.items():
    DATABASES[_alias] |= {"NAME": _NAME, "HOST": "127.0.0.1", "USER": _user}
