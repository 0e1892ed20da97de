"""Who is behind an event, as lists show it: a user, a name that was tried, or an address."""

from collections.abc import Iterable

from django.contrib.auth import get_user_model
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from signals_demo.catalog.types import Family
from signals_demo.models import SignalEvent, SignalTrace
from signals_demo.serialize.redaction import MASK
from signals_demo.serialize.requests import USER_NAMES
from signals_demo.web.links import Links
from signals_demo.web.names import family, shortened


def name_keys(listed: Iterable[SignalEvent | SignalTrace]) -> None:
    """Have what knows only its actor's key show the name that others of a list have for it.

    Of a request in which nobody looked at the user, the session says the key and no name.
    """
    listed = list(listed)
    names = {one.actor_pk: one.actor for one in reversed(listed) if one.actor_pk and one.actor}
    for one in listed:
        one.actor = one.actor or names.get(one.actor_pk, "")


def name_tried(event: SignalEvent) -> str:
    """Return the name that a login was tried with, of a user that there may not be.

    It is in the credentials; packages that lock users out send it as an argument of its own.
    """
    given = event.arguments
    if isinstance(given.get("credentials"), dict):
        given = given["credentials"]
    elif event.object_pk or family(event.signal) is not None:
        return ""
    names = (get_user_model().USERNAME_FIELD, *sorted(USER_NAMES, reverse=True))
    tried = (given.get(name) for name in names)
    return next((text for text in tried if isinstance(text, str) and text not in ("", MASK)), "")


def who(event: SignalEvent, links: Links) -> SafeString | str:
    """Return who did it, with a link to all that this user did, and from where if that matters."""
    name = _name(event, links)
    # Of an unknown visitor it is all that is known, of a login what one looks for.
    if event.remote_address and (not name or _is_login(event)):
        address = format_html('<span class="signals-quiet">{}</span>', event.remote_address)
        return format_html("{} {}", name, address) if name else address
    return name


def _is_login(event: SignalEvent) -> bool:
    return family(event.signal) is Family.AUTH or bool(name_tried(event))


def _name(event: SignalEvent, links: Links) -> SafeString | str:
    name = event.actor or event.actor_pk
    if url := links.person(event):
        return format_html('<a href="{}">{}</a>', url, name)
    if name:
        return format_html("{}", name)
    if tried := name_tried(event):
        return format_html(
            '<span class="signals-tried" title="{}">{}</span>',
            gettext("the name that was tried"),
            shortened(tried),
        )
    return ""
