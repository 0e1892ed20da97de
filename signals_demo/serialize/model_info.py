"""What capturing must know of a model, worked out once per model and configuration."""

import marshal
import re
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.files.base import File
from django.db import models

from signals_demo.conf import Config, config
from signals_demo.serialize.introspection import ATOMS, dotted, file_name, ids_of, mro
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

_CONTAINERS = ids_of(dict, list, tuple, set, frozenset)
_BUFFERS = ids_of(bytearray, memoryview)
_DEEP = 100
Freeze = Callable[[Any], Any]


class Frozen(bytes):
    """A container as it was, in a form that later changes to it cannot reach."""

    __slots__ = ()

    def thaw(self) -> Any:
        """Return the container again."""
        return marshal.loads(self)


def _copy(value: Any, depth: int = 0) -> Any:
    """Copy containers, as plain ones; hash nothing in them: that may be the project's code."""
    kind = type(value)
    if id(kind) in ATOMS or depth > _DEEP:
        return value
    if issubclass(kind, dict):
        if all(id(type(key)) in ATOMS for key in dict.__iter__(value)):
            return {key: _copy(item, depth + 1) for key, item in dict.items(value)}
        return dict.copy(value)
    if issubclass(kind, list):
        return [_copy(item, depth + 1) for item in list.__iter__(value)]
    if issubclass(kind, tuple):
        return tuple(_copy(item, depth + 1) for item in tuple.__iter__(value))
    return set.copy(value) if issubclass(kind, set) else value


def freeze_container(value: Any) -> Any:
    """Return a value that stays as it is when `value` is changed in place."""
    kind = type(value)
    if id(kind) in ATOMS:
        return value
    if id(kind) in _BUFFERS:
        return bytes(value)
    if id(kind) not in _CONTAINERS:
        return _copy(value)
    try:
        # Version 2 writes no back references, so that equal containers give equal bytes.
        return Frozen(marshal.dumps(value, 2))
    except ValueError:  # something inside is not a plain value, or it goes too deep
        return _copy(value)


def freeze_file(value: Any) -> Any:
    """Return the name of a file field's value."""
    return file_name(value) if issubclass(type(value), File) else value


def _freezer(field: Any) -> Freeze | None:
    if isinstance(field, models.FileField):
        return freeze_file
    for _ in range(MAX_DEPTH):  # a reference has the type of what it refers to
        if field.remote_field is None or isinstance(field.remote_field.model, str):
            break
        field = field.target_field
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
        "attnames",
        "config",
        "freezers",
        "generated",
        "has_secrets",
        "ignored",
        "index_of",
        "is_user",
        "key_is_secret",
        "label",
        "names",
        "openings",
        "pk_attname",
        "plain_names",
        "read",
        "redactor",
        "reference",
        "secret_names",
        "secrets",
    )  # fmt: skip

    def __init__(self, model: type[models.Model], config: Config, redactor: Redactor) -> None:
        opts = model._meta
        fields = opts.concrete_fields
        self.config = config
        self.redactor = redactor
        self.label = opts.label
        self.ignored = opts.label in OWN_LABELS
        self.pk_attname = opts.pk_fields[0].attname if len(opts.pk_fields) == 1 else ""
        self.is_user = opts.label == getattr(settings, "AUTH_USER_MODEL", "")
        self.key_is_secret = has_secret_key(model, redactor)
        self.names = tuple(field.name for field in fields)
        # How its JSON texts begin: those of a change of each field, and of an instance.
        self.openings = tuple(f"{quoted(name)}:[" for name in self.names)
        self.reference = f'{{"model":{quoted(opts.label)},"pk":'
        self.generated = frozenset(i for i, field in enumerate(fields) if field.generated)
        self.attnames = tuple(field.attname for field in fields)
        self.secrets = tuple(secret_field(field, redactor) for field in fields)
        self.secret_names = frozenset(
            name
            for field, secret in zip(fields, self.secrets, strict=True)
            if secret
            for name in (field.name, field.attname)
        ) | (frozenset({"pk"}) if self.key_is_secret else frozenset())
        self.has_secrets = any(self.secrets)
        self.plain_names = frozenset(
            name
            for field, secret in zip(fields, self.secrets, strict=True)
            for name in (field.name, field.attname)
            if not secret and not redactor.is_secret(name)
        )
        self.index_of = {
            name: index
            for index, field in enumerate(fields)
            for name in (field.name, field.attname)
        }
        freezers = ((index, _freezer(field)) for index, field in enumerate(fields))
        self.freezers = tuple((index, freeze) for index, freeze in freezers if freeze)
        # With one name itemgetter returns a bare value, so ask for that one twice.
        names = self.attnames * 2 if len(self.attnames) == 1 else self.attnames
        self.read: Callable[[Any], tuple[Any, ...]] = itemgetter(*names)


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
