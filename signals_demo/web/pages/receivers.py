"""The receivers of each signal in this process, and their problems."""

import os
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_demo.catalog.types import LazyText
from signals_demo.inspection.diagnostics import LABELS, diagnose
from signals_demo.inspection.receivers import Problem, Receiver, SignalReceivers, all_receivers
from signals_demo.inspection.selection import (
    OWN,
    NoSuchName,
    ReceiverSelection,
    grouped,
    owners_of,
    sender_labels,
    without_own,
)
from signals_demo.inspection.startup import startup
from signals_demo.inspection.unimported import unimported
from signals_demo.serialize.source import DJANGO, OURS, PROJECT, PYTHON
from signals_demo.web.base_page import LogAdmin, render

_OWNERS: dict[str, LazyText] = {
    PROJECT: _("the project"),
    DJANGO: "Django",
    OURS: "signals_demo",
    PYTHON: "Python",
}


@dataclass(frozen=True, slots=True)
class ListedReceiver:
    """A receiver on the page."""

    receiver: Receiver

    @property
    def owner(self) -> LazyText:
        """Return whose code it is, for people."""
        return _OWNERS.get(self.receiver.owner, self.receiver.owner)

    @property
    def problems(self) -> list[tuple[LazyText, Problem]]:
        """Return what looks wrong, each with a word or two for its badge."""
        return [(LABELS[problem.code], problem) for problem in self.receiver.problems]


@dataclass(frozen=True, slots=True)
class Section:
    """A signal on the page: the receivers that are shown, and how many more there are."""

    signal: SignalReceivers
    listed: list[ListedReceiver]
    more: int = 0

    @classmethod
    def of(cls, signal: SignalReceivers) -> "Section":
        """Leave out what is there in every project, where there are other receivers."""
        listed = list(map(ListedReceiver, signal.receivers))
        others = [each for each in listed if each.receiver.owner not in OWN] or listed
        return cls(signal, others, len(listed) - len(others))

    @property
    def css_class(self) -> str:
        """Return the class that gives the family's colour."""
        return f"signals-{self.signal.family or 'other'}"


def _remark(error: NoSuchName) -> str:
    if error.near:
        text = gettext("There is no {name} here. Did you mean {near}? All receivers are shown.")
    else:
        text = gettext("There is no {name} here. All receivers are shown.")
    return text.format(name=error.name, near=error.near)


def _sections(chosen: list[SignalReceivers], wanted: ReceiverSelection) -> list[Section]:
    if wanted.signal or wanted.owner:
        return [Section(signal, list(map(ListedReceiver, signal.receivers))) for signal in chosen]
    return list(map(Section.of, chosen))


def _asked_for(request: HttpRequest) -> ReceiverSelection:
    names = {key: request.GET.get(key, "").strip() for key in ("signal", "sender", "owner")}
    return ReceiverSelection(**names, problems="problems" in request.GET)


def view(log: LogAdmin, request: HttpRequest) -> HttpResponse:
    """Show the receivers that are asked for."""
    wanted = _asked_for(request)
    found = all_receivers()
    diagnose(found)
    remark = ""
    try:
        chosen = wanted.of(found)
    except NoSuchName as error:
        remark, wanted, chosen = _remark(error), ReceiverSelection(), found
    loud = chosen if wanted.signal or wanted.owner else without_own(chosen)
    names = {signal.name for signal in loud}
    wrong = sum(bool(each.problems) for signal in found for each in signal.receivers)
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
        unimported=unimported(),
        wrong=wrong,
        choices=_choices(found),
        pid=str(os.getpid()),  # a number would get thousands separators
        start=startup(),
    )


def _choices(found: list[SignalReceivers]) -> dict[str, Any]:
    return {
        "signals": [(title, [signal.name for signal in group]) for title, group in grouped(found)],
        "senders": sender_labels(found),
        "owners": [(owner, _OWNERS.get(owner, owner)) for owner in owners_of(found)],
    }
