"""What an object has been through, and what a person did: newest first, a stretch at a time.

The cost of a stretch does not depend on how much there is: at most `SCAN_LIMIT` firings of each
range of an index are looked through, whatever the filter lets pass.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast

from django.apps import apps
from django.db.models import Model, Q, Subquery

from signals_demo.conf import config
from signals_demo.fields import of_key
from signals_demo.models import SignalEvent, in_schema_of
from signals_demo.query.keyset import NEWEST_FIRST, Cursor
from signals_demo.query.scan import SCAN_LIMIT, at_once
from signals_demo.serialize.model_info import info_of
from signals_demo.serialize.names import key_text


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some events, newest first; `older` is the place to go on from, None at the end.

    `stopped` says that the limit ended it: older events may match, however few are here.
    """

    events: list[SignalEvent]
    older: Cursor | None = None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """Events that stand in one or more ranges of an index, each in the order of time.

    `ranges` are the conditions of the ranges one by one, `together` that of all of them.
    """

    ranges: Sequence[Q]
    together: Q

    def read(self, size: int, before: Cursor | None = None, wanted: Q | None = None) -> Stretch:
        """Return at most `size` events before a place. Runs two queries, or none."""
        if not self.ranges:
            return Stretch([])
        end = self._end_of_scan(before)
        older = NEWEST_FIRST.after(before) if before else Q()
        events = SignalEvent.objects.filter(self.together, older, wanted or Q())
        if end is not None:
            events = events.filter(occurred_at__gte=end)
        found = list(events.order_by(*NEWEST_FIRST.fields)[: size + 1])
        if len(found) > size:
            return Stretch(found[:size], NEWEST_FIRST.of(found[size - 1]))
        if end is not None:
            return Stretch(found, NEWEST_FIRST.cursor(end), stopped=True)
        return Stretch(found)

    def ends(self) -> tuple[SignalEvent | None, SignalEvent | None]:
        """Return the newest event and the oldest. Runs two queries."""
        events = SignalEvent.objects.filter(self.together).order_by(*NEWEST_FIRST.fields)
        return events.first(), events.last()

    def _end_of_scan(self, before: Cursor | None) -> datetime | None:
        # Of the columns in the index alone, so that no row has to be fetched.
        older = Q(occurred_at__lt=before[0]) if before else Q()
        ranges = [
            SignalEvent.objects.filter(each, older).order_by("-occurred_at").values("occurred_at")
            for each in self.ranges
        ]
        ends = at_once([Subquery(rows[SCAN_LIMIT - 1 : SCAN_LIMIT]) for rows in ranges])
        return max((end for end in ends if end is not None), default=None)


def of_person(actor_pk: str) -> History:
    """Return what the user with this key did."""
    condition = Q(**of_key("actor_pk", actor_pk))
    return History([condition], condition)


def key_of(instance: Model) -> str:
    """Return the key by which events name an instance, empty where they have none of its own."""
    if (
        instance.pk is None or info_of(instance.__class__, config()).key_is_secret
    ):  # a mask is every key
        return ""
    return key_text(instance.pk)


def of_object(instance: Model) -> History:
    """Return what became of a model instance.

    A signal is sent for the class that was saved, so the events of one row may bear several
    labels. What belongs to it: its own model; the proxies of it; with inheritance over several
    tables also its parents (deleting a child sends signals for both) and its children (saving
    one sends them for the child alone), as long as they share the primary key. Changes of
    many-to-many fields have the model between the two as their sender, from either side.
    """
    key = key_of(instance)
    if not key:
        return History([], Q())
    models = _kin(instance.__class__)  # type() would be that of a lazy object around it
    own = sorted(model._meta.label for model in models)
    between = sorted({relation.through for relation in _relations(models)})
    senders = [*own, *between]
    # A key says nothing of the side: that of a tag would also find the book with its number.
    side = Q(sender__in=own)
    if between:
        side |= Q(sender__in=between, arguments__instance__model__in=own)
    about = Q(**of_key("object_pk", key))
    return History(
        [about & Q(sender=sender) for sender in senders],
        about & Q(sender__in=senders) & side & in_schema_of(instance),
    )


def _kin(model: type[Model]) -> list[type[Model]]:
    """Return the models whose instance of one key is the same object, or a part of it."""
    return [
        other
        for other in apps.get_models()
        if _extends(other._meta.concrete_model, model._meta.concrete_model)
        or _extends(model._meta.concrete_model, other._meta.concrete_model)
    ]


def _extends(child: Any, parent: Any) -> bool:
    """Return whether rows of `child` are rows of `parent` with more columns, under one key."""
    return child is parent or any(
        link is not None and link.primary_key and _extends(base, parent)
        for base, link in child._meta.parents.items()
    )


class Relation(NamedTuple):
    """A many-to-many relation, from one of its sides: its name there, and the model between."""

    name: str
    through: str
    reverse: bool


def _relations(models: Sequence[type[Model]]) -> Iterator[Relation]:
    for opts in (cast(Any, model._meta) for model in models):
        for field in opts.many_to_many:
            yield Relation(field.name, field.remote_field.through._meta.label, reverse=False)
        for relation in opts.related_objects:
            if relation.many_to_many:
                name = relation.get_accessor_name()
                yield Relation(name, relation.through._meta.label, reverse=True)


def relation_name(model: type[Model], through: str, *, reverse: bool) -> str:
    """Return what `model` calls a many-to-many relation, empty for one it does not have."""
    return next(
        (
            relation.name
            for relation in _relations([model])
            if (relation.through, relation.reverse) == (through, reverse)
        ),
        "",
    )
