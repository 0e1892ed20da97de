"""Tells the requests by which the live page asks for news, which must not be news themselves."""

from django.conf import settings
from django.urls import Resolver404, resolve
from django.utils.translation import get_language_from_path, override

ROUTE = "live/events/"
NAME = "live_events"

_ENDING = f"/signals_demo/signalevent/{ROUTE}"
_URL_NAME = f"signals_demo_signalevent_{NAME}"


def is_poll(method: str, path: str) -> bool:
    """Return whether a request is such a one, by its method and its path within the site."""
    # Every request comes by here; hardly any gets past this line.
    return path.endswith(_ENDING) and method in ("GET", "HEAD") and _leads_to_us(path)


def _leads_to_us(path: str) -> bool:
    """Return whether it leads to our view: the ending alone might be anybody's."""
    try:
        with override(get_language_from_path(path)):  # the address may begin with a language
            return resolve(path, settings.ROOT_URLCONF).url_name == _URL_NAME
    except Resolver404:
        return False
