"""Select captured events."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from uuid import UUID

from django.db.models import Model

from signals_demo import catalog
from signals_demo.serialize.model_info import model_named
from signals_demo.serialize.names import key_text
from signals_demo.testing import names
from signals_demo.testing.names import SenderLike, SignalLike

if TYPE_CHECKING:
    from signals_demo.testing.events import CapturedEvent


class Filters(TypedDict, total=False):
    """The filters, besides the signals."""

    family: str
    sender: SenderLike
    object: Model | str | int | UUID
    database: str
    outcome: str


# Names that Django uses for the same things elsewhere.
_SYNONYMS = {"model": "sender", "instance": "object", "using": "database", "signal": "signals"}


@dataclass(frozen=True, slots=True)
class Filter:
    """A selection of events; empty fields match all."""

    signals: tuple[str, ...] = ()
    family: str = ""
    sender: str = ""
    model: type[Model] | None = None
    key: str | None = None
    database: str = ""
    outcome: str = ""

    def matches(self, event: "CapturedEvent") -> bool:
        """Return whether an event matches."""
        return (
            (not self.signals or event.signal in self.signals)
            and (not self.family or event.family == self.family)
            and (not self.sender or event.sender == self.sender)
            and (not self.database or event.database == self.database)
            and (not self.outcome or event.outcome == self.outcome)
            and (self.key is None or event.object_pk == self.key)
            and (self.model is None or _is_of(event, self.model))
        )

    def __str__(self) -> str:
        about = self.key if self.model is None else f"{self.model._meta.label} {self.key}"
        given = {
            "family": self.family,
            "sender": self.sender,
            "object": about or "",
            "database": self.database,
            "outcome": self.outcome,
        }
        texts = [f"{name}={value}" for name, value in given.items() if value]
        return " ".join([" or ".join(self.signals) or "any signal", *texts])


def _is_of(event: "CapturedEvent", model: type[Model]) -> bool:
    # The sender of m2m_changed is the through model, not that of the instance.
    instance = event.arguments.get("instance")
    label = instance.get("model") if isinstance(instance, dict) else event.sender
    found = model_named(label)
    if found is None:
        return bool(label == model._meta.label)
    # As instances compare: those of a proxy equal those of its model.
    return found._meta.concrete_model is model._meta.concrete_model


def _key(given: Any) -> tuple[type[Model] | None, str]:
    if isinstance(given, Model):
        if given.pk is None:
            raise ValueError(f"object= is {type(given).__name__} without a key: save it first.")
        return given.__class__, key_text(given.pk)  # not type(): `request.user` is lazy
    if isinstance(given, bool) or not isinstance(given, (str, int, UUID)):
        raise names.wrong_type("object=", "a model instance or its key", given)
    return None, key_text(given)


_READERS: dict[str, Callable[[Any], str]] = {
    "family": names.family_name,
    "database": names.database_alias,
    "outcome": names.outcome_name,
}


def filter_of(signals: tuple[SignalLike, ...], filters: Filters) -> Filter:
    """Return the filter with these arguments. Raise TypeError or ValueError for a wrong one."""
    given: dict[str, Any] = dict(filters)
    for name in given:
        if name not in Filters.__annotations__:
            raise TypeError(f"There is no filter {name!r}. {_advice(name)}")
    found = tuple(names.signal_name(signal) for signal in signals)
    read: dict[str, Any] = {
        name: reader(given[name]) for name, reader in _READERS.items() if name in given
    }
    if "family" in read and not found:
        concerned = [n for n, b in catalog.built_in().items() if b.family == read["family"]]
    else:
        concerned = list(found)
    if "sender" in given:
        read["sender"] = names.sender_name(given["sender"], concerned)
        names.require_recorded(read["sender"], concerned)
    if "object" in given:
        read["model"], read["key"] = _key(given["object"])
    return Filter(found, **read)


def _advice(name: str) -> str:
    meant = _SYNONYMS.get(name)
    if meant == "signals":
        return "The signals come first, without a name: ('post_save', sender=…)."
    return f"Did you mean {meant!r}?" if meant else names.advice(name, Filters.__annotations__)


def fired(signal: SignalLike, **filters: Unpack[Filters]) -> Filter:
    """Describe one firing for `assertSignals`: `fired("post_save", outcome="rolled_back")`."""
    return filter_of((signal,), filters)
