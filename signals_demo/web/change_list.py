"""The list of events in the admin: a page of it costs the same, however many events there are."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from signals_demo.query.filters import QUICK_VIEWS
from signals_demo.query.keyset import AS_FIRED, LAST, NEWEST_FIRST, Cursor, NotACursor, Order
from signals_demo.query.parsing import NotUnderstood
from signals_demo.query.scan import Scan
from signals_demo.query.search import Search
from signals_demo.query.selection import Selection, from_address
from signals_demo.web.actors import name_keys
from signals_demo.web.list_filters import VIEW_VAR
from signals_demo.web.object_names import Reader, name_objects

AFTER_VAR, BEFORE_VAR = "after", "before"


class EventList(ChangeList):
    """A page of events that begins at a place among them, not at a number, and counts none.

    `stopped` says that it looked through so many events that it ended before it was full.
    """

    selection: Selection | None = None
    """None for a search that is not understood; `not_understood` then says so."""
    not_understood = view = trace_id = ""
    search: Search | None = None
    stopped = False
    previous_url = next_url = first_url = ""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> Any:
        """Return the events that the address selects."""
        # The links to other lists lead to their beginning.
        self._after, self._before = (self._taken(name) for name in (AFTER_VAR, BEFORE_VAR))
        events = super().get_queryset(request, exclude_parameters)
        try:
            self.selection = chosen = from_address(request.GET)
        except NotUnderstood as error:
            if error.name != SEARCH_VAR:
                messages.warning(request, str(error), fail_silently=True)
                raise IncorrectLookupParameters from error
            self.not_understood = error.message
            return events.none()
        self.search, self.view, self.trace_id = chosen.search, chosen.view, chosen.trace_id
        return events.filter(chosen.condition())

    def _taken(self, name: str) -> str | None:
        self.filter_params.pop(name, None)
        text: str | None = self.params.pop(name, None)
        return text

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        """Return the parameters of the filters, without those that are read here."""
        found: dict[str, Any] = super().get_filters_params(params)
        for name in (VIEW_VAR, AFTER_VAR, BEFORE_VAR):
            found.pop(name, None)
        return found

    def get_ordering(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the one order that an index serves, whatever the address asks for."""
        return list(NEWEST_FIRST.fields)

    def get_results(self, request: HttpRequest) -> None:
        """Read the rows of this page and one more, which says that others follow."""
        if self.page_num != 1:  # a page has no number
            raise IncorrectLookupParameters
        after, before = self._cursor(self._after), self._cursor(self._before)
        # Where fewer than a page are newer, the first page is meant.
        if self.selection is None:
            self.result_list = []
        elif before is None or not self._read(before, is_back=True):
            self._read(after if before is None else None, is_back=False)
        name_keys(self.result_list)
        name_objects(self.result_list, Reader(request, self.model_admin.admin_site))
        # The templates of the admin read these; equal counts hide the number of results.
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = self.multi_page = False
        self.paginator = self.model_admin.get_paginator(
            request, self.result_list, self.list_per_page
        )

    @property
    def _order(self) -> Order:
        return AS_FIRED if self.trace_id else NEWEST_FIRST

    def _cursor(self, text: str | None) -> Cursor | None:
        try:
            return None if text is None else self._order.read(text)
        except NotACursor as error:
            raise IncorrectLookupParameters from error

    def _read(self, cursor: Cursor | None, *, is_back: bool) -> bool:
        """Read the page after a cursor; return whether there may be more beyond the page."""
        order = self._order.reversed() if is_back else self._order
        scan = self.selection.scan() if self.selection else Scan()
        edge = None
        if not self.trace_id:
            moment = cursor[0] if cursor else None
            edge = scan.narrow(self.list_per_page, moment, is_back=is_back)
        events = scan.select(self.root_queryset, order.fields)
        if cursor is not None:
            events = events.filter(order.after(cursor))
        rows = list(events[: self.list_per_page + 1])
        is_full = len(rows) > self.list_per_page
        self.stopped = edge is not None and not is_full
        del rows[self.list_per_page :]
        self.result_list = rows[::-1] if is_back else rows
        self._link(cursor, edge, is_back=is_back, is_more=is_full or self.stopped)
        return is_full or self.stopped

    def _link(self, cursor: Any, edge: datetime | None, *, is_back: bool, is_more: bool) -> None:
        """Note the addresses of the pages beside the one that begins at `cursor`."""
        order = self._order
        start, end = cursor, cursor
        if self.result_list:
            start, end = order.of(self.result_list[0]), order.of(self.result_list[-1])
        if self.stopped and edge is not None:
            newest, oldest = order.cursor(edge, LAST), order.cursor(edge)
            start, end = (newest, end) if is_back else (start, oldest)
        has_previous, has_next = (is_more, True) if is_back else (cursor is not None, is_more)
        self.first_url = self.get_query_string() if has_previous else ""
        self.previous_url = self._url(BEFORE_VAR, start) if has_previous else ""
        self.next_url = self._url(AFTER_VAR, end) if has_next else ""

    def _url(self, name: str, cursor: Cursor) -> str:
        return self.get_query_string({name: str(cursor)})

    @property
    def tabs(self) -> list[dict[str, Any]]:
        """Return the quick views as links that keep the search and the other filters."""
        return [
            {
                "label": label,
                "url": self.get_query_string({VIEW_VAR: view or None}, ["family", "signal"]),
                "current": view == self.view,
            }
            for view, (label, _signals) in QUICK_VIEWS.items()
        ]

    @property
    def downloads(self) -> list[dict[str, Any]]:
        """Return links to all that is listed, as a file, on this page and the others."""
        return [
            {"label": label, "url": "export/" + self.get_query_string({"format": kind})}
            for kind, label in (("csv", _("Download CSV")), ("jsonl", _("Download JSON lines")))
        ]

    @property
    def unsearched_url(self) -> str:
        """Return the address of this list without the search."""
        return self.get_query_string(remove=[SEARCH_VAR])
