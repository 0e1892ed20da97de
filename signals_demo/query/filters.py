"""The filters of the log, in one table for the list of events, downloads, commands, live page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.utils.translation import gettext_lazy as _

from signals_demo import catalog
from signals_demo.catalog.types import Family, LazyText
from signals_demo.conf import config
from signals_demo.fields import of_key
from signals_demo.models import Origin, Outcome
from signals_demo.query import parsing
from signals_demo.query.predicates import EVERYTHING, NOTHING, Condition, Predicate
from signals_demo.query.search import Search, understand
from signals_demo.serialize.model_info import OWN_LABELS

QUICK_VIEWS: dict[str, tuple[LazyText, tuple[str, ...]]] = {
    "": (_("Everything"), ()),
    "changes": (_("Changes"), catalog.CHANGES),
    "logins": (_("Logins"), ("user_logged_in", "user_logged_out", "user_login_failed")),
    "requests": (
        _("Requests"),
        ("request_started", "request_finished", "got_request_exception"),
    ),
    "errors": (_("Errors"), ("got_request_exception", "user_login_failed")),
    "schema": (_("Schema"), ("pre_migrate", "post_migrate")),
}
"""The signals of each view; of the first, all."""

SPANS: Mapping[str, LazyText] = {
    "5m": _("Last 5 minutes"),
    "1h": _("Last hour"),
    "24h": _("Last 24 hours"),
    "7d": _("Last 7 days"),
    "30d": _("Last 30 days"),
}

Choices = Sequence[tuple[str, LazyText]]
"""Values as people write them, each with a label."""


def _nothing() -> Choices:
    return ()


@dataclass(frozen=True, slots=True)
class EventFilter:
    """One way to choose events. Addresses know it by `name`, commands by `option`.

    `read` turns what people write into a value, or raises `NotUnderstood`. `predicate` says what
    has to hold for a value, and none for a filter by time, whose values are periods. `has_index`
    says whether an index serves it, and `is_single` that the last of several values counts.
    `choices` are offered; any other value that can be read works as well.
    """

    name: str
    label: LazyText
    metavar: str
    help: str
    read: Callable[[str], Any] = str
    predicate: Callable[[Any], Predicate] | None = None
    has_index: Callable[[Any], bool] = lambda value: True
    is_single: bool = False
    choices: Callable[[], Choices] = _nothing
    long_name: str = ""

    @property
    def option(self) -> str:
        """Return the name of the option of commands."""
        return self.long_name or self.name.replace("_", "-")


def _is(field: str) -> Callable[[str], Predicate]:
    return lambda value: [{field: value}]


def _without_index(value: object) -> bool:
    return False


def _of_family(family: str) -> Predicate:
    names = [each.name for each in catalog.built_in().values() if each.family == family]
    return [{"signal": name} for name in names] or NOTHING


def _of_view(view: str) -> Predicate:
    return [{"signal": name} for name in QUICK_VIEWS[view][1]] or EVERYTHING


def _of_object(text: str) -> Predicate:
    label, _space, key = text.partition(" ")
    condition: Condition = of_key("object_pk", text)
    if key:
        condition = {"sender": parsing.sender(label), **of_key("object_pk", key.strip())}
    return [condition]


def _of_actor(text: str) -> Predicate:
    return [{"actor_pk": text}, {"actor": text}]


def _of_actor_key(key: str) -> Predicate:
    return [of_key("actor_pk", key) if key else {"actor_pk": ""}]


def _of_search(search: Search) -> Predicate:
    return search.predicate


def _is_uncommitted(outcome: str) -> bool:
    return outcome in (Outcome.ROLLED_BACK, Outcome.OPEN)  # only these are in the index


def _families() -> Choices:
    present = {known.family for known in catalog.built_in().values()}
    return [(family.value, family.label) for family in Family if family in present]


def _signal_names() -> Choices:
    return [(name, name) for name in (*catalog.built_in(), *config().extra_signals)]


def _models() -> Choices:
    models = apps.get_models(include_auto_created=True)
    labels = sorted({model._meta.label for model in models} - OWN_LABELS)
    return [(label, label) for label in labels]


_TABLE = (
    EventFilter(
        "time",
        _("time"),
        "PERIOD",
        "events from a time until now, or between two times: TIME/TIME",
        read=parsing.period,
        is_single=True,
        choices=lambda: list(SPANS.items()),
    ),
    EventFilter(
        "since",
        _("start"),
        "TIME",
        "events at this time or later",
        read=parsing.since,
        is_single=True,
    ),
    EventFilter(
        "until", _("end"), "TIME", "events before this time", read=parsing.until, is_single=True
    ),
    EventFilter(
        "view",
        _("quick view"),
        "NAME",
        f"a quick view of the admin: {', '.join(filter(None, QUICK_VIEWS))}",
        read=parsing.one_of(list(QUICK_VIEWS)),
        predicate=_of_view,
        is_single=True,
        choices=lambda: [(view, label) for view, (label, _signals) in QUICK_VIEWS.items()],
    ),
    EventFilter(
        "family",
        _("family"),
        "NAME",
        f"a family of signals: {', '.join(Family)}",
        read=parsing.one_of(list(Family)),
        predicate=_of_family,
        choices=_families,
    ),
    EventFilter(
        "signal",
        _("signal"),
        "NAME",
        "a signal, such as post_save",
        read=parsing.signal,
        predicate=_is("signal"),
        choices=_signal_names,
    ),
    EventFilter(
        "sender",
        _("sender"),
        "LABEL",
        "a model, such as auth.User, or another sender",
        read=parsing.sender,
        predicate=_is("sender"),
        choices=_models,
    ),
    EventFilter(
        "object",
        _("object"),
        "OBJECT",
        "an object, such as 'auth.User 5', or a key alone",
        predicate=_of_object,
    ),
    EventFilter(
        "outcome",
        _("outcome"),
        "WORD",
        f"the outcome of its transaction: {', '.join(Outcome.values)}",
        read=parsing.one_of(Outcome.values),
        predicate=_is("outcome"),
        has_index=_is_uncommitted,
        choices=lambda: Outcome.choices,
    ),
    EventFilter(
        "origin",
        _("origin"),
        "KIND",
        f"what started its trace: {', '.join(Origin.values)}",
        read=parsing.one_of(Origin.values),
        predicate=_is("origin"),
        has_index=_without_index,
        choices=lambda: Origin.choices,
    ),
    EventFilter(
        "actor",
        _("actor"),
        "USER",
        "a user's name or key",
        predicate=_of_actor,
        has_index=_without_index,
    ),
    EventFilter(
        "actor_pk",
        _("actor key"),
        "KEY",
        "a user's key alone",
        predicate=_of_actor_key,
        has_index=bool,
    ),
    EventFilter(
        "database",
        _("database"),
        "ALIAS",
        "the alias of the database",
        predicate=_is("database"),
        has_index=_without_index,
    ),
    EventFilter(
        "trace",
        _("trace"),
        "ID",
        "a trace, by its id",
        read=parsing.trace_id,
        predicate=_is("trace_id"),
    ),
    EventFilter(
        "q",
        _("search"),
        "TEXT",
        "a search, as in the admin's search box",
        read=understand,
        predicate=_of_search,
        is_single=True,
        long_name="search",
    ),
)

FILTERS: Mapping[str, EventFilter] = {each.name: each for each in _TABLE}
"""Each filter by its name in addresses."""
