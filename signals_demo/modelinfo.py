"""What capturing must know of a model, worked out once per model and configuration."""

import marshal
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.db import models

from signals_demo.conf import Config, config
from signals_demo.redaction import Redactor
from signals_demo.values import has_secret_key, secret_field

OWN_LABEL = "signals_demo.SignalEvent"

# Their values cannot be changed in place, so keeping the object keeps the value.
_IMMUTABLE = (
    models.BooleanField, models.CharField, models.DateField, models.DecimalField,
    models.DurationField, models.FloatField, models.GenericIPAddressField,
    models.IntegerField, models.TextField, models.TimeField, models.UUIDField,
)  # fmt: skip

_CONTAINERS = frozenset({dict, list, tuple, set, frozenset})
Freeze = Callable[[Any], Any]


class Frozen(bytes):
    """A container as it was, in a form that later changes to it cannot reach."""

    __slots__ = ()

    def thaw(self) -> Any:
        """Return the container again."""
        return marshal.loads(self)


def _copy(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return {key: _copy(item) for key, item in value.items()}
    return kind(map(_copy, value)) if kind in _CONTAINERS else value


def freeze_container(value: Any) -> Any:
    """Return a value that stays as it is when `value` is changed in place."""
    kind = type(value)
    if kind is bytearray or kind is memoryview:
        return bytes(value)
    if kind not in _CONTAINERS:
        return value
    try:
        # Version 2 writes no back references, so that equal containers give equal bytes.
        return Frozen(marshal.dumps(value, 2))
    except ValueError:  # something inside is not a plain value
        return _copy(value)


def freeze_file(value: Any) -> Any:
    """Return the name of a file field's value."""
    return value.__dict__.get("name") if issubclass(type(value), File) else value


def _freezer(field: Any) -> Freeze | None:
    if isinstance(field, models.FileField):
        return freeze_file
    while isinstance(field, models.ForeignKey) and not isinstance(field.remote_field.model, str):
        field = field.target_field
    return None if isinstance(field, _IMMUTABLE) else freeze_container


class ModelInfo:
    """One model as capturing sees it."""

    __slots__ = (
        "attnames", "config", "freezers", "ignored", "index_of", "is_user", "key_is_secret", "label", "names",
        "pk_attname", "read", "redactor", "secret_names", "secrets",
    )  # fmt: skip

    def __init__(self, model: type[models.Model], config: Config, redactor: Redactor) -> None:
        opts = model._meta
        fields = opts.concrete_fields
        self.config = config
        self.redactor = redactor
        self.label = opts.label
        self.ignored = opts.label == OWN_LABEL
        self.pk_attname = opts.pk_fields[0].attname if len(opts.pk_fields) == 1 else ""
        self.is_user = opts.label == settings.AUTH_USER_MODEL
        self.key_is_secret = has_secret_key(model, redactor)
        self.names = tuple(field.name for field in fields)
        self.attnames = tuple(field.attname for field in fields)
        self.secrets = tuple(secret_field(field, redactor) for field in fields)
        self.secret_names = frozenset(
            name
            for field, secret in zip(fields, self.secrets, strict=True)
            if secret
            for name in (field.name, field.attname)
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
    patterns = config().redact
    found = _redactors.get(patterns)
    if found is None:
        found = _redactors[patterns] = Redactor(patterns)
    return found


def info_of(model: type[models.Model]) -> ModelInfo:
    """Return what is known of `model`. It is kept on the model's options and dies with them."""
    known = model._meta.__dict__
    info = known.get("_signals_demo_info")
    if info is None or info.config is not config():
        info = known["_signals_demo_info"] = ModelInfo(model, config(), redactor())
    return info
