"""Select signals and receivers by name."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches

from django.apps import apps
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from signals_demo.catalog.types import Family, LazyText
from signals_demo.inspection.receivers import Receiver, SignalReceivers
from signals_demo.serialize.model_info import model_named
from signals_demo.serialize.source import DJANGO, OURS, PROJECT

OWN = (DJANGO, OURS)
"""Owners with receivers in every project; these are shown only on request."""


class NoSuchName(LookupError):
    """A name that does not exist, its option, and a similar name or an empty string."""

    def __init__(self, option: str, name: str, names: Iterable[str]) -> None:
        super().__init__(name)
        self.option = option
        self.name = name
        by_lower = {each.lower(): each for each in names}
        short = {each.rpartition(".")[2]: each for each in by_lower}
        near = get_close_matches(name.lower(), [*by_lower, *short], n=1)
        self.near = by_lower[short.get(near[0], near[0])] if near else ""


@dataclass(frozen=True, slots=True)
class ReceiverSelection:
    """What to select; an empty name selects all."""

    signal: str = ""
    sender: str = ""
    owner: str = ""
    problems: bool = False

    def __bool__(self) -> bool:
        return self != ReceiverSelection()

    def of(self, signals: list[SignalReceivers]) -> list[SignalReceivers]:
        """Return the selected signals with their selected receivers. Raise `NoSuchName`.

        An empty selection returns all signals, even those without receivers.
        """
        exact = self._exact(signals)
        chosen = [each for each in signals if not exact.signal or exact._is_signal(each)]
        if not (exact.sender or exact.owner or exact.problems):
            return chosen
        wanted = [
            replace(each, receivers=[one for one in each.receivers if exact._wants(each, one)])
            for each in chosen
        ]
        return [each for each in wanted if each.receivers]

    def _exact(self, signals: list[SignalReceivers]) -> "ReceiverSelection":
        """Check that all names exist; return a copy with the exact spelling of the sender."""
        senders = sender_labels(signals)
        sender = next((each for each in senders if each.lower() == self.sender.lower()), "")
        if self.signal and not any(map(self._is_signal, signals)):
            raise NoSuchName("signal", self.signal, [each.name for each in signals])
        if self.sender and not sender:
            raise NoSuchName("sender", self.sender, senders)
        if self.owner and self.owner not in (owners := owners_of(signals)):
            raise NoSuchName("owner", self.owner, owners)
        return replace(self, sender=sender)

    def _is_signal(self, signal: SignalReceivers) -> bool:
        return self.signal in (signal.name, signal.path, signal.name.rpartition(".")[2])

    def _wants(self, signal: SignalReceivers, receiver: Receiver) -> bool:
        return (
            (not self.sender or self._is_called_for(signal, receiver))
            and (not self.owner or receiver.owner == self.owner)
            and (not self.problems or bool(receiver.problems))
        )

    def _is_called_for(self, signal: SignalReceivers, receiver: Receiver) -> bool:
        if receiver.sender is not None:
            return receiver.sender.label == self.sender
        if signal.family is None:
            return True
        if signal.family is Family.AUTH:
            return self.sender.lower() == settings.AUTH_USER_MODEL.lower()
        return (signal.family is Family.MODEL) == (model_named(self.sender) is not None)


def without_own(signals: list[SignalReceivers]) -> list[SignalReceivers]:
    """Return the signals with receivers other than Django's and ours, and those receivers."""
    others = [
        replace(each, receivers=[one for one in each.receivers if one.owner not in OWN])
        for each in signals
    ]
    return [each for each in others if each.receivers]


def grouped(signals: Iterable[SignalReceivers]) -> list[tuple[LazyText, list[SignalReceivers]]]:
    """Return the signals under headings: the built-in families, packages, the project."""
    groups: dict[str, list[SignalReceivers]] = {}
    for signal in signals:
        other = PROJECT if signal.discovered.owner == PROJECT else "packages"
        groups.setdefault(signal.family or other, []).append(signal)
    return [(label, groups[key]) for key, label in _GROUPS.items() if key in groups]


_GROUPS: dict[str, LazyText] = {family.value: family.label for family in Family} | {
    "packages": _("Signals of packages"),
    PROJECT: _("Signals of the project"),
}


def sender_labels(signals: Iterable[SignalReceivers]) -> list[str]:
    """Return the labels of all models, and of the other senders that receivers are for."""
    models = apps.get_models(include_auto_created=True, include_swapped=True)
    labels = {model._meta.label for model in models}
    for signal in signals:
        labels |= {each.sender.label for each in signal.receivers if each.sender}
    return sorted(labels - {""})


def owners_of(signals: Iterable[SignalReceivers]) -> list[str]:
    """Return the owners of receivers: the project, then packages, then Django and this app."""
    found = {each.owner for signal in signals for each in signal.receivers}
    packages = sorted(found - {PROJECT, *OWN})
    return [PROJECT, *packages, *(each for each in OWN if each in found)]
