"""The filters beside the list of events. Their choices cost no query."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from signals_demo import catalog
from signals_demo.catalog.types import Family, LazyText
from signals_demo.conf import config
from signals_demo.models import Origin, Outcome, SignalEvent
from signals_demo.query.filters import NotUnderstood, Period, period
from signals_demo.query.predicates import Filter, any_of
from signals_demo.query.scan import Scan
from signals_demo.serialize.model_info import OWN_LABELS
from signals_demo.web.presentation import in_short

Choices = Sequence[tuple[str, LazyText]]


class ChoiceFilter(admin.SimpleListFilter):
    """A filter by one of its choices; any other value in the address is an error."""

    # Long lists stay folded until they are used; the admin's own template opens every one.
    template = "admin/signals_demo/signalevent/filter.html"
    folded = False

    def chosen(self) -> str | None:
        """Return the value in the address, None without one."""
        value: str | None = self.value()
        if value is None or value in dict(self.lookup_choices):
            return value
        raise IncorrectLookupParameters

    def conditions(self, value: str) -> Filter:
        """Return what has to hold for an event that is shown."""
        raise NotImplementedError

    def is_served(self, value: str) -> bool:
        """Return whether there is an index for this filter."""
        return False

    def add_to(self, chosen: Scan) -> None:
        """Add this filter to those that are chosen, if it is."""
        value = self.chosen()
        if value is not None:
            filters = chosen.served if self.is_served(value) else chosen.others
            filters.append(self.conditions(value))

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[SignalEvent]
    ) -> QuerySet[SignalEvent]:
        value = self.chosen()
        return queryset if value is None else queryset.filter(any_of(self.conditions(value)))

    @property
    def is_open(self) -> bool:
        """Return whether the choices are shown unasked."""
        return not self.folded or self.value() is not None


class FamilyFilter(ChoiceFilter):
    """Events of one family of signals."""

    title = _("family")
    parameter_name = "family"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        present = {known.family for known in catalog.built_in().values()}
        return [(family.value, family.label) for family in Family if family in present]

    def conditions(self, value: str) -> Filter:
        signals = catalog.built_in().values()
        return [{"signal": known.name} for known in signals if known.family == value]

    def is_served(self, value: str) -> bool:
        return True


class FieldFilter(ChoiceFilter):
    """Events with one value of the field that the parameter is named after."""

    def conditions(self, value: str) -> Filter:
        return [{str(self.parameter_name): value}]


class OpenFieldFilter(FieldFilter):
    """By a field with an index; a value that is no longer among the choices still works."""

    folded = True

    def is_served(self, value: str) -> bool:
        return True

    def chosen(self) -> str | None:
        """Return the value in the address, None without one."""
        value: str | None = self.value()
        if value and "\0" in value:  # PostgreSQL refuses to compare with it
            raise IncorrectLookupParameters
        return value

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        yield from super().choices(changelist)
        value = self.value()
        if value is not None and value not in dict(self.lookup_choices):
            yield {
                "selected": True,
                "query_string": changelist.get_query_string({str(self.parameter_name): value}),
                "display": self.shown(value),
            }

    def shown(self, value: str) -> str:
        """Return what a value that is not among the choices is called."""
        return value


def _period(text: str) -> Period:
    try:
        return period(text)
    except NotUnderstood as error:
        raise IncorrectLookupParameters from error


class TimeFilter(OpenFieldFilter):
    """Events of the last minutes, hours or days, or of a period that the overview leads to."""

    folded = False

    title = _("time")
    parameter_name = "time"
    SPANS: ClassVar[dict[str, tuple[LazyText, timedelta]]] = {
        "5m": (_("Last 5 minutes"), timedelta(minutes=5)),
        "1h": (_("Last hour"), timedelta(hours=1)),
        "24h": (_("Last 24 hours"), timedelta(hours=24)),
        "7d": (_("Last 7 days"), timedelta(days=7)),
        "30d": (_("Last 30 days"), timedelta(days=30)),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(value, label) for value, (label, _span) in self.SPANS.items()]

    def add_to(self, chosen: Scan) -> None:
        value = self.chosen()
        if value is not None:
            chosen.since, chosen.until = _period(value)

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[SignalEvent]
    ) -> QuerySet[SignalEvent]:
        chosen = Scan()
        self.add_to(chosen)
        return queryset.filter(chosen.period)

    def shown(self, value: str) -> str:
        return in_short(*_period(value))


class SignalFilter(OpenFieldFilter):
    """Events of one signal."""

    title = _("signal")
    parameter_name = "signal"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(name, name) for name in (*catalog.built_in(), *config().extra_signals)]


class SenderFilter(OpenFieldFilter):
    """Events of one model."""

    title = _("model")
    parameter_name = "sender"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        models = apps.get_models(include_auto_created=True)
        labels = sorted({model._meta.label for model in models} - OWN_LABELS)
        return [(label, label) for label in labels]


class OutcomeFilter(FieldFilter):
    """Events by what became of their transaction."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return Outcome.choices

    def is_served(self, value: str) -> bool:
        return value in (Outcome.ROLLED_BACK, Outcome.OPEN)  # only these are in the index


class OriginFilter(FieldFilter):
    """Events by what started their unit of work."""

    title = _("origin")
    parameter_name = "origin"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return Origin.choices


class ActorFilter(OpenFieldFilter):
    """Events of one user, by key; the page of that user leads here, so it offers no choices."""

    title = _("actor")
    parameter_name = "actor_pk"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        value = self.value()
        return [] if value is None else [(value, value)]


FILTERS = (
    TimeFilter,
    FamilyFilter,
    SignalFilter,
    SenderFilter,
    OutcomeFilter,
    OriginFilter,
    ActorFilter,
)
