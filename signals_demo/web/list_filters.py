"""The filters beside the list of events: what `query.filters` has, as the admin shows it."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from signals_demo.models import SignalEvent
from signals_demo.query.filters import FILTERS, Choices, EventFilter
from signals_demo.query.parsing import period
from signals_demo.web.themes import is_djangos
from signals_demo.web.times import in_short

VIEW_VAR = "view"

_SHOWN_ELSEWHERE = (VIEW_VAR, SEARCH_VAR)  # as tabs, and in a box
_FOLDED = ("signal", "sender")  # have long lists
_FILTER = "admin/filter.html"


class SidebarFilter(admin.SimpleListFilter):
    """A filter of the table. It is not there if it has no choices and is not used."""

    filter: ClassVar[EventFilter]

    @property
    def template(self) -> str:  # type: ignore[override]
        """Return a template that folds long lists; where a theme has one, that of the theme."""
        return "admin/signals_demo/signalevent/filter.html" if is_djangos(_FILTER) else _FILTER

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        value = self.value()
        return self.filter.choices() or ([] if value is None else [(value, self._label(value))])

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[SignalEvent]
    ) -> QuerySet[SignalEvent]:
        """Leave choosing to `EventList`, which reads the whole address at once."""
        return queryset

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        yield from super().choices(changelist)
        value = self.value()
        if value is not None and value not in dict(self.lookup_choices):
            yield {
                "selected": True,
                "query_string": changelist.get_query_string({self.filter.name: value}),
                "display": self._label(value),
            }

    @property
    def is_open(self) -> bool:
        """Return whether the choices are shown unasked."""
        return self.filter.name not in _FOLDED or self.value() is not None

    def _label(self, value: str) -> str:
        return in_short(period(value)) if self.filter.name == "time" else value


def _sidebar_filter(each: EventFilter) -> type[SidebarFilter]:
    named = {"filter": each, "title": each.label, "parameter_name": each.name}
    return type(f"{each.name.title()}Filter", (SidebarFilter,), named)


SIDEBAR = tuple(
    _sidebar_filter(each) for each in FILTERS.values() if each.name not in _SHOWN_ELSEWHERE
)
