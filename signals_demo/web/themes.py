"""Whether the admin looks as Django made it, or a theme has templates of its own."""

import os

from django.contrib import admin
from django.template.loader import get_template

_OF_DJANGO = os.path.join(os.path.dirname(admin.__file__), "")


def is_djangos(template: str) -> bool:
    """Return whether a template of the admin is Django's own here."""
    origin = getattr(get_template(template), "origin", None)
    return origin is not None and str(origin.name).startswith(_OF_DJANGO)
