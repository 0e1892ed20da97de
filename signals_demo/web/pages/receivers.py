"""Who is listening to which signal in this process, and what looks wrong about it."""

import os
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_demo.catalog.types import LazyText
from signals_demo.inspection.diagnostics import LABELS, forgotten, judge
from signals_demo.inspection.receivers import Audience, Listener, Problem, audiences
from signals_demo.inspection.selection import (
    OWN,
    NoSuchName,
    Selection,
    grouped,
    owners_of,
    sender_labels,
    without_own,
)
from signals_demo.inspection.startup import noted
from signals_demo.serialize.source import DJANGO, OURS, PROJECT, PYTHON
from signals_demo.web.page import LogAdmin, render

_OWNERS: dict[str, LazyText] = {
    PROJECT: _("the project"),
    DJANGO: "Django",
    OURS: "signals_demo",
    PYTHON: "Python",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A receiver on the page."""

    listener: Listener

    @property
    def owner(self) -> LazyText:
        """Return whose code it is, for people."""
        return _OWNERS.get(self.listener.owner, self.listener.owner)

    @property
    def problems(self) -> list[tuple[LazyText, Problem]]:
        """Return what looks wrong, each with a word or two for its badge."""
        return [(LABELS[problem.code], problem) for problem in self.listener.problems]


@dataclass(frozen=True, slots=True)
class Section:
    """A signal on the page: the receivers that are shown, and how many more there are."""

    audience: Audience
    rows: list[Row]
    more: int = 0

    @classmethod
    def of(cls, audience: Audience) -> "Section":
        """Leave out what is there in every project, where others listen too."""
        rows = list(map(Row, audience.listeners))
        others = [row for row in rows if row.listener.owner not in OWN] or rows
        return cls(audience, others, len(rows) - len(others))

    @property
    def css_class(self) -> str:
        """Return the class that gives the family's colour."""
        return f"signals-{self.audience.family or 'other'}"


def _remark(error: NoSuchName) -> str:
    if error.near:
        text = gettext("There is no {name} here. Did you mean {near}? All receivers are shown.")
    else:
        text = gettext("There is no {name} here. All receivers are shown.")
    return text.format(name=error.name, near=error.near)


def _sections(chosen: list[Audience], wanted: Selection) -> list[Section]:
    if wanted.signal or wanted.owner:
        return [Section(audience, list(map(Row, audience.listeners))) for audience in chosen]
    return list(map(Section.of, chosen))


def _asked_for(request: HttpRequest) -> Selection:
    names = {key: request.GET.get(key, "").strip() for key in ("signal", "sender", "owner")}
    return Selection(**names, problems="problems" in request.GET)


def show(log: LogAdmin, request: HttpRequest) -> HttpResponse:
    """Show the receivers that are asked for."""
    wanted = _asked_for(request)
    found = audiences()
    judge(found)
    remark = ""
    try:
        chosen = wanted.of(found)
    except NoSuchName as error:
        remark, wanted, chosen = _remark(error), Selection(), found
    loud = chosen if wanted.signal or wanted.owner else without_own(chosen)
    names = {audience.name for audience in loud}
    wrong = sum(bool(each.problems) for audience in found for each in audience.listeners)
    return render(
        log,
        request,
        "admin/signals_demo/receivers.html",
        _("Receivers"),
        groups=[
            (title, _sections(group, wanted))
            for title, group in grouped(each for each in chosen if each.name in names)
        ],
        quiet=_sections([each for each in chosen if each.name not in names], wanted),
        is_narrow=bool(wanted.signal or wanted.sender or wanted.owner),
        wanted=wanted,
        remark=remark,
        forgotten=forgotten(),
        wrong=wrong,
        choices=_choices(found),
        pid=str(os.getpid()),  # a number would get thousands separators
        start=noted(),
    )


def _choices(found: list[Audience]) -> dict[str, Any]:
    return {
        "signals": [
            (title, [audience.name for audience in group]) for title, group in grouped(found)
        ],
        "senders": sender_labels(found),
        "owners": [(owner, _OWNERS.get(owner, owner)) for owner in owners_of(found)],
    }
