"""What capturing must know of a model, worked out once per model and configuration."""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import models

from signals_demo.conf import Config, config
from signals_demo.serialize.frozen import Freeze, freeze_container, freeze_file
from signals_demo.serialize.introspection import dotted, mro
from signals_demo.serialize.limits import MAX_DEPTH
from signals_demo.serialize.redaction import Redactor
from signals_demo.serialize.text import quoted

OWN_LABELS = frozenset(
    f"signals_demo.{name}" for name in ("SignalEvent", "SignalTrace", "SignalHour")
)

# Their values cannot be changed in place, so keeping the object keeps the value.
_IMMUTABLE = (
    models.BooleanField, models.CharField, models.DateField, models.DecimalField,
    models.DurationField, models.FloatField, models.GenericIPAddressField,
    models.IntegerField, models.TextField, models.TimeField, models.UUIDField,
)  # fmt: skip


def _referred(field: Any) -> Any:
    """Return the field whose type a field has: a reference has that of what it refers to."""
    for _ in range(MAX_DEPTH):
        if field.remote_field is None or isinstance(field.remote_field.model, str):
            break
        field = field.target_field
    return field


# What a field stores as it is given. Of another type it makes something else.
_AS_GIVEN: tuple[tuple[type, type], ...] = (
    (models.CharField, str), (models.TextField, str), (models.IntegerField, int),
    (models.BooleanField, bool), (models.FloatField, float), (models.UUIDField, UUID),
    (models.DateTimeField, datetime), (models.DateField, date), (models.TimeField, time),
    (models.DurationField, timedelta),
)  # fmt: skip
# Of these the field may store another one of the same type: 1.006 as 1.01.
_MAY_DIFFER = (models.DecimalField, models.GenericIPAddressField)


def _as_given(field: Any) -> type | None:
    """Return the type that a field stores as it is given, None if none, `object` if any."""
    field = _referred(field)
    prepares = getattr(type(field).get_prep_value, "__module__", None) or ""
    if not prepares.startswith("django.") or isinstance(field, _MAY_DIFFER):
        return None
    if isinstance(field, models.JSONField) and field.encoder is not None:
        return None
    return next((kind for base, kind in _AS_GIVEN if isinstance(field, base)), object)


def _stores_none_as_empty(field: Any) -> bool:
    """Return whether a field is Django's for files: it stores None as "", even if nullable."""
    if not isinstance(field, models.FileField):
        return False
    ways = (type(field).pre_save, type(field).get_prep_value, field.descriptor_class.__get__)
    return all((getattr(way, "__module__", None) or "").startswith("django.") for way in ways)


def _freezer(field: Any) -> Freeze | None:
    if isinstance(field, models.FileField):
        return freeze_file
    field = _referred(field)
    # A custom field of the project may turn a text column into anything.
    is_djangos = type(field).__module__.startswith("django.")
    return None if is_djangos and isinstance(field, _IMMUTABLE) else freeze_container


_KEEPS_SECRETS = re.compile(r"(?i)crypt|password|secret|fernet|vault")


def _keeps_secrets(field_class: type) -> bool:
    """Return whether a class of fields encrypts or hides what it stores, by what it is called."""
    return any(
        _KEEPS_SECRETS.search(dotted(base))
        for base in mro(field_class)
        if not base.__module__.startswith("django.")
    )


def has_secret_key(model: type[models.Model], redactor: Redactor) -> bool:
    """Return whether a model's primary key gives access, as a session's or a token's does."""
    return any(secret_field(field, redactor) for field in model._meta.pk_fields)


def secret_field(field: Any, redactor: Redactor) -> bool:
    """Return whether a field holds a secret: by its name or class, or by what it refers to."""
    for _ in range(MAX_DEPTH):  # a reference to a reference; a broken model may go in a circle
        if redactor.is_secret(field.name) or _keeps_secrets(type(field)):
            return True
        relation = field.remote_field
        # A relation declared by name stays a string until its model is loaded.
        if relation is None or type(relation.model) is str:
            return False
        field = field.target_field
    return False


class ModelInfo:
    """One model as capturing sees it."""

    __slots__ = (
        "as_given",
        "attnames",
        "config",
        "empty_files",
        "fields",
        "freezers",
        "generated",
        "ignored",
        "index_of",
        "inherited",
        "key_indexes",
        "key_is_secret",
        "label",
        "loaded_key",
        "names",
        "openings",
        "pk_attname",
        "read",
        "recorded",
        "redactor",
        "reference",
        "secret_names",
        "secrets",
        "undo_key",
    )  # fmt: skip

    def __init__(self, model: type[models.Model], config: Config, redactor: Redactor) -> None:
        opts = model._meta
        fields = opts.concrete_fields
        self.config = config
        self.redactor = redactor
        self.fields = fields
        self.label = opts.label
        self.ignored = opts.label in OWN_LABELS
        self.pk_attname = opts.pk_fields[0].attname if len(opts.pk_fields) == 1 else ""
        self.key_is_secret = has_secret_key(model, redactor)
        self.names = tuple(field.name for field in fields)
        # How its JSON texts begin: those of a change of each field, and of an instance.
        self.openings = tuple(f"{quoted(name)}:[" for name in self.names)
        self.reference = f'{{"model":{quoted(opts.label)},"pk":'
        self.generated = frozenset(i for i, field in enumerate(fields) if field.generated)
        self.as_given = tuple(map(_as_given, fields))
        self.empty_files = tuple(i for i, each in enumerate(fields) if _stores_none_as_empty(each))
        self.attnames = tuple(field.attname for field in fields)
        # With one name itemgetter returns a bare value, so ask for that one twice.
        names = self.attnames * 2 if len(self.attnames) == 1 else self.attnames
        self.read: Callable[[Any], tuple[Any, ...]] = itemgetter(*names)
        self.index_of = {
            name: index
            for index, field in enumerate(fields)
            for name in (field.name, field.attname)
        }
        self.key_indexes = tuple(self.index_of[field.attname] for field in opts.pk_fields)
        # Where an instance keeps what it was loaded with: its model's, for `__dict__.update()`
        # of one instance by another of a parent model takes their state along.
        concrete: Any = opts.concrete_model
        self.loaded_key = f"_signals_demo_loaded_{concrete._meta.label_lower}"
        self.undo_key = f"_signals_demo_undo_{concrete._meta.label_lower}"
        self.inherited = frozenset(
            i for i, field in enumerate(fields) if field.model._meta.concrete_model is not concrete
        )
        self._hide(model, fields)

    def _hide(self, model: type[models.Model], fields: Sequence[Any]) -> None:
        """Work out which values are masked and which are not recorded at all."""
        redactor = self.redactor
        excluded = excluded_fields(model, self.config)
        self.recorded = tuple(
            index
            for index, field in enumerate(fields)
            if excluded.isdisjoint((field.name, field.attname))
        )
        freezers = ((index, _freezer(fields[index])) for index in self.recorded)
        self.freezers = tuple((index, freeze) for index, freeze in freezers if freeze)
        self.secrets = tuple(
            index not in self.recorded or secret_field(field, redactor)
            for index, field in enumerate(fields)
        )
        self.secret_names = frozenset(
            name
            for field, secret in zip(fields, self.secrets, strict=True)
            if secret
            for name in (field.name, field.attname)
        ) | (frozenset({"pk"}) if self.key_is_secret else frozenset())


def excluded_fields(model: type[models.Model], config: Config) -> frozenset[str]:
    """Return the names of the fields that `EXCLUDE_FIELDS` leaves out, of parent models too."""
    names: set[str] = set()
    for base in mro(model) if config.exclude_fields else ():
        if issubclass(base, models.Model) and hasattr(base, "_meta"):
            opts = base._meta
            for label in (opts.label_lower, f"{opts.app_label}.*".lower()):
                names.update(config.exclude_fields.get(label, ()))
    return frozenset(names)


_redactors: dict[tuple[str, ...], Redactor] = {}


def redactor() -> Redactor:
    """Return the redactor of the configuration in force."""
    return redactor_of(config())


def redactor_of(config: Config) -> Redactor:
    """Return the redactor of a configuration."""
    found = _redactors.get(config.redact)
    if found is None:
        found = _redactors[config.redact] = Redactor(config.redact)
    return found


def info_of(model: type[models.Model], config: Config) -> ModelInfo:
    """Return what is known of `model`. It is kept on the model's options and dies with them."""
    known = model._meta.__dict__
    info: ModelInfo | None = known.get("_signals_demo_info")
    if info is None or info.config is not config:
        info = known["_signals_demo_info"] = ModelInfo(model, config, redactor_of(config))
    return info


def model_named(label: Any) -> type[models.Model] | None:
    """Return the model with this label, or None if the project has none."""
    try:
        return apps.get_model(label)
    except (LookupError, ValueError, AttributeError):
        return None
