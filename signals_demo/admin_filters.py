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
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from signals_demo import catalog
from signals_demo.builtin import Family, LazyText
from signals_demo.conf import config
from signals_demo.models import Origin, Outcome, SignalEvent

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

    @property
    def is_open(self) -> bool:
        """Return whether the choices are shown unasked."""
        return not self.folded or self.value() is not None


class TimeFilter(ChoiceFilter):
    """Events of the last minutes, hours or days."""

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

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[SignalEvent]
    ) -> QuerySet[SignalEvent]:
        if chosen := self.chosen():
            return queryset.filter(occurred_at__gte=timezone.now() - self.SPANS[chosen][1])
        return queryset


class FamilyFilter(ChoiceFilter):
    """Events of one family of signals."""

    title = _("family")
    parameter_name = "family"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        present = {known.family for known in catalog.built_in().values()}
        return [(family.value, family.label) for family in Family if family in present]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[SignalEvent]
    ) -> QuerySet[SignalEvent]:
        if chosen := self.chosen():
            signals = catalog.built_in().values()
            names = [known.name for known in signals if known.family == chosen]
            return queryset.filter(signal__in=names)
        return queryset


class FieldFilter(ChoiceFilter):
    """Events with one value of the field that the parameter is named after."""

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[SignalEvent]
    ) -> QuerySet[SignalEvent]:
        chosen = self.chosen()
        if chosen is None:
            return queryset
        return queryset.filter(**{str(self.parameter_name): chosen})


class OpenFieldFilter(FieldFilter):
    """As `FieldFilter`, but a value that is no longer among the choices still works."""

    folded = True

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
                "display": value,
            }


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
        labels = sorted(model._meta.label for model in models if model is not SignalEvent)
        return [(label, label) for label in labels]


class OutcomeFilter(FieldFilter):
    """Events by what became of their transaction."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return Outcome.choices


class OriginFilter(FieldFilter):
    """Events by what started their unit of work."""

    title = _("origin")
    parameter_name = "origin"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return Origin.choices


class ActorFilter(OpenFieldFilter):
    """Events of one user, by key; the list itself leads here, so it offers no choices."""

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
