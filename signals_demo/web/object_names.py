"""What objects are called, looked up for all events of a page at once.

An object is called what its `__str__` says. That is the project's code, so it may raise, and it
may want a query for each object: then it gets none. A deleted object is called what its row held.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth import get_permission_codename, get_user_model
from django.db import connections, router
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from signals_demo.conf import config
from signals_demo.models import SignalEvent
from signals_demo.query.isolated import isolated
from signals_demo.serialize.model_info import OWN_LABELS, ModelInfo, info_of, model_named
from signals_demo.serialize.redaction import MASK
from signals_demo.tracing.api import suppress
from signals_demo.tracing.schemas import SEPARATOR
from signals_demo.web.field_words import linked_model, relation_target
from signals_demo.web.names import NameKey, keep_names, object_of, shortened

logger = logging.getLogger("signals_demo")

MOST_MODELS = 12
"""Of so many models a page asks for names, those first that it shows most often."""
MOST_KEYS = 500
"""Of so many objects of a model."""
LONGEST = 60
_LONGEST_READ = 1000
_TELLING = (
    *("name", "title", "label", "username", "full_name", "email", "subject", "slug", "code"),
    "number",
)
"""The fields that say what a deleted object was called, the best first."""


class _NeedsQuery(Exception):
    """A `__str__` wants to read something from a database."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a page, and in which admin: names are shown of what they may see there."""

    request: HttpRequest
    site: AdminSite

    def rows(self, model: type[Model]) -> QuerySet[Any] | None:
        """Return the rows of a model that the reader may see, or None."""
        if self.site.is_registered(model):
            model_admin = self.site.get_model_admin(model)
            if not model_admin.has_view_or_change_permission(self.request):
                return None
            return model_admin.get_queryset(self.request).order_by()
        opts, user = model._meta, self.request.user
        codes = [get_permission_codename(action, opts) for action in ("view", "change")]
        may_see = any(user.has_perm(f"{opts.app_label}.{code}") for code in codes)
        return model._base_manager.all() if may_see else None


@suppress()
def name_objects(events: Iterable[SignalEvent], reader: Reader) -> None:
    """Give each event the names of what it refers to.

    That takes two queries a model at most, and one for what was deleted. None of it is recorded:
    reading the log must not fill it.
    """
    events = list(events)
    found: dict[NameKey, str] = {}
    missing: set[tuple[str, str]] = set()
    for (place, label), keys in _most_frequent(map(_references, events)):
        model = model_named(label)
        if model is None or label in OWN_LABELS:
            continue
        try:
            rows = _rows(model, reader, place)
            if rows is None:
                continue
            here = _names(rows, keys)
        except Exception:  # the project's code: the page shows keys
            logger.debug("Objects of %s have no names on this page.", label, exc_info=True)
            continue
        found |= {(place, label, key): name for key, name in here.items()}
        missing |= {(label, key) for key in keys if key not in here}
    deleted = _deleted(missing)
    names = {**found, **deleted}
    keep_names(events, names)
    for event in events:
        if event.actor_pk and not event.actor:
            event.actor = names.get(_actor(event), "")


def _references(event: SignalEvent) -> Iterator[NameKey]:
    """Yield what an event refers to."""
    place, (label, key) = event.database, object_of(event)
    if key not in ("", MASK):
        yield place, label, key
    if event.actor_pk and not event.actor:
        yield _actor(event)
    given = event.arguments
    if event.signal == "m2m_changed" and isinstance(given.get("pk_set"), list):
        label = linked_model(event)
        for each in given["pk_set"] if label else ():
            yield place, label, str(each)
    for name, old, new in event.fields_changed:
        target = relation_target(event.sender, name)
        if target:
            for each in (old, new):
                if each not in (None, MASK):
                    yield place, target, str(each)


def _actor(event: SignalEvent) -> NameKey:
    model = get_user_model()
    return router.db_for_read(model), model._meta.label, event.actor_pk


def _most_frequent(
    referred: Iterable[Iterable[NameKey]],
) -> list[tuple[tuple[str, str], list[str]]]:
    """Return the keys by place and model, of those models that are referred to most."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for references in referred:
        for place, label, key in references:
            counts.setdefault((place, label), Counter())[key] += 1
    ranked = sorted(counts.items(), key=lambda each: -each[1].total())[:MOST_MODELS]
    return [(place, [key for key, _n in keys.most_common(MOST_KEYS)]) for place, keys in ranked]


def _rows(model: type[Model], reader: Reader, place: str) -> QuerySet[Any] | None:
    """Return the rows in which names may be looked up; None if there are none for this reader."""
    opts = model._meta
    is_ours = not place or (place in connections and SEPARATOR not in place)
    if not is_ours or len(opts.pk_fields) > 1 or info_of(model, config()).key_is_secret:
        return None
    if model.__str__ is Model.__str__:
        return None  # it says the label and the key, as the page does already
    rows = reader.rows(model)
    return rows if rows is None or not place else rows.using(place)


def _names(rows: QuerySet[Any], keys: Sequence[str]) -> dict[str, str]:
    """Return the names of the objects with these keys."""
    opts = rows.model._meta
    wanted: dict[Any, str] = {}
    for key in keys:
        try:
            wanted[opts.pk.to_python(key)] = key
        except Exception:  # noqa: BLE001 - a field of the project's may raise anything
            continue
    info = info_of(rows.model, config())
    names, left = _called(rows.filter(pk__in=wanted), info)
    if left:
        related = [each.name for each in opts.concrete_fields if each.many_to_one]
        again = rows.filter(pk__in=left).select_related(*related) if related else rows.none()
        names |= _called(again, info)[0]
    # A database may take "a" and "A" for one key.
    return {wanted[pk]: name for pk, name in names.items() if pk in wanted}


def _called(rows: QuerySet[Any], info: ModelInfo) -> tuple[dict[Any, str], list[Any]]:
    """Return the names of the objects, and the keys of those that want a query for theirs."""
    names: dict[Any, str] = {}
    left: list[Any] = []
    with isolated(rows.db):
        objects = list(rows)
    with _no_queries():
        for each in objects:
            try:
                names[each.pk] = _name(each, info)
            except _NeedsQuery:
                left.append(each.pk)
            except Exception:  # noqa: BLE001 - the project's code
                continue
    return {pk: name for pk, name in names.items() if name}, left


def _name(instance: Model, info: ModelInfo) -> str:
    """Return what an object is called, empty if that would tell what the log masks."""
    text = " ".join(str(instance)[:_LONGEST_READ].split())
    for attname, is_secret in zip(info.attnames, info.secrets, strict=True):
        value = instance.__dict__.get(attname) if is_secret else None
        if value not in (None, "") and str(value) in text:
            return ""
    return shortened(text, LONGEST)


@contextmanager
def _no_queries() -> Iterator[None]:
    def refuse(*args: Any) -> Any:
        raise _NeedsQuery

    with ExitStack() as stack:
        for connection in connections.all():
            stack.enter_context(connection.execute_wrapper(refuse))
        yield


def _deleted(missing: set[tuple[str, str]]) -> Mapping[NameKey, str]:
    """Return the names of deleted objects, as their last rows had them."""
    if not missing:
        return {}
    found: dict[NameKey, str] = {}
    deletions = SignalEvent.objects.filter(
        signal="post_delete",
        sender__in={label for label, _key in missing},
        object_pk__in={key for _label, key in missing},
        object_pk__gt="",
    ).order_by("occurred_at", "pk")
    for event in deletions.reverse()[:MOST_KEYS]:
        key = (event.database, event.sender, event.object_pk)
        name = _last_name(event)
        if name and key[1:] in missing:
            found.setdefault(key, name)
    return found


def _last_name(event: SignalEvent) -> str:
    held = {name: old for name, old, _new in event.fields_changed}
    names = (held.get(name) for name in _TELLING)
    found = (each for each in names if isinstance(each, str) and each not in ("", MASK))
    return shortened(" ".join(next(found, "").split()), LONGEST)
