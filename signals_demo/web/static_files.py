"""The addresses of our style sheets and scripts, also before `collectstatic` has run."""

from django.conf import settings
from django.templatetags.static import static

_FOLDER = "signals_demo/"


def file_url(name: str) -> str:
    """Return the address of a file.

    A storage with a manifest refuses what is not in it. A page without its looks is better than
    none, above all the page "History" of an admin of the project.
    """
    try:
        return static(_FOLDER + name)
    except ValueError:
        return f"{settings.STATIC_URL}{_FOLDER}{name}"


def are_collected() -> bool:
    """Return whether the storage knows our files."""
    try:
        static(f"{_FOLDER}events.css")
    except ValueError:
        return False
    return True
