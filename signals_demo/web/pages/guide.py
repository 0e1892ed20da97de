"""Django's signals, explained: what each is sent with, when, and when it was last seen here."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from django.db.models import IntegerField, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from signals_demo.catalog import BUILT_IN
from signals_demo.catalog.types import (
    CODE,
    CONNECT_OPTIONS,
    Argument,
    BuiltIn,
    Family,
    LazyText,
    release_name,
)
from signals_demo.conf import config
from signals_demo.models import SignalEvent
from signals_demo.web.base_page import LIST, LogAdmin, render

MOST = 1000
"""How many events of a signal are counted; the rest is "more than"."""

_CODE = re.compile(f"({CODE})")


def view(log: LogAdmin, request: HttpRequest) -> HttpResponse:
    """Show the guide."""
    list_url = log.url_of(LIST)
    topics = _topics(f"{list_url}?{urlencode({'signal': ''})}")
    return render(
        log,
        request,
        "admin/signals_demo/guide.html",
        _("Django's signals"),
        chapters=[
            (family, marked(family.description), list(found))
            for family, found in groupby(topics, _family)
        ],
        options=_explained(CONNECT_OPTIONS),
    )


class _Number(Subquery):
    """The number of rows of a query."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


@dataclass(frozen=True, slots=True)
class Explained:
    """A name, what it means, and when it is there; code in the sentences is marked."""

    name: str
    meaning: SafeString
    when: str


@dataclass(frozen=True, slots=True)
class Topic:
    """A signal as the guide shows it: the catalog's entry, and what the log knows of it."""

    about: BuiltIn
    events_url: str
    last_seen: datetime | None
    latest: int
    """How many events there are of the last 24 hours, at most `MOST` and one."""

    @property
    def css_class(self) -> str:
        """Return the class that gives the family's colour."""
        return f"signals-{self.about.family}"

    @property
    def since(self) -> str:
        """Return the first Django release that has it."""
        return release_name(self.about.since)

    @property
    def sender(self) -> SafeString:
        """Return what the sender is."""
        return marked(self.about.sender)

    @property
    def fires(self) -> SafeString:
        """Return when it fires."""
        return marked(self.about.fires)

    @property
    def silent(self) -> SafeString:
        """Return when it does not, where one might expect it."""
        return marked(self.about.silent)

    @property
    def arguments(self) -> list[Explained]:
        """Return what it is sent with."""
        return _explained(self.about.arguments)

    @property
    def is_recorded(self) -> bool:
        """Return whether the settings have it recorded."""
        return config().enabled and config().wants(self.about.name)

    @property
    def frequency(self) -> str:
        """Return how often it was seen in the last 24 hours, in words."""
        number = number_format(min(self.latest, MOST), force_grouping=True)
        if self.latest > MOST:
            return gettext("More than {number} events in the last 24 hours").format(number=number)
        text = ngettext(
            "{number} event in the last 24 hours",
            "{number} events in the last 24 hours",
            self.latest,
        )
        return text.format(number=number)


def _topics(events_url: str) -> Iterator[Topic]:
    seen = _seen(BUILT_IN)
    for about in BUILT_IN:
        yield Topic(
            about,
            events_url + about.name,
            seen[f"last_{about.name}"],
            seen[f"number_{about.name}"] or 0,
        )


def _seen(signals: Iterable[BuiltIn]) -> dict[str, Any]:
    """Return when each signal was last seen, and how often today. Runs one query."""
    yesterday = timezone.now() - timedelta(hours=24)
    queries: dict[str, Subquery] = {}
    for about in signals:
        events = SignalEvent.objects.filter(signal=about.name).order_by("-occurred_at")
        moments = events.values("occurred_at")
        today = moments.filter(occurred_at__gte=yesterday)
        queries[f"last_{about.name}"] = Subquery(moments[:1])
        queries[f"number_{about.name}"] = _Number(today[: MOST + 1])
    return SignalEvent.objects.at_once(**queries)


def _explained(arguments: Iterable[Argument]) -> list[Explained]:
    return [Explained(each.name, marked(each.meaning), each.when) for each in arguments]


def marked(text: LazyText) -> SafeString:
    """Return one of the catalog's sentences with the code in it marked."""
    pieces = _CODE.split(str(text))
    return mark_safe(
        "".join(
            format_html("<code>{}</code>", piece) if number % 2 else escape(piece)
            for number, piece in enumerate(pieces)
        )
    )


def _family(topic: Topic) -> Family:
    return topic.about.family
