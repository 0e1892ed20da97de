"""A field of a model and its values in people's words, where the log keeps names and keys."""

from datetime import datetime
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import DateTimeField, Field
from django.utils.formats import date_format
from django.utils.timezone import is_aware

from signals_demo.models import SignalEvent
from signals_demo.serialize.introspection import dotted
from signals_demo.serialize.model_info import model_named
from signals_demo.web.names import name_of
from signals_demo.web.times import local


def _field(label: str, name: str) -> Any:
    """Return a model's field that keeps a value of its own, or None."""
    model = model_named(label)
    try:
        field = model._meta.get_field(name) if model is not None else None
    except FieldDoesNotExist:
        return None
    return field if isinstance(field, Field) else None


def relation_target(label: str, name: str) -> str:
    """Return the label of the model whose keys are a field's values, empty for other fields."""
    field = _field(label, name)
    if field is None or not (field.many_to_one or field.one_to_one):
        return ""
    target = field.remote_field.model
    if isinstance(target, str) or field.target_field is not target._meta.pk:
        return ""
    found: str = target._meta.label
    return found


def linked_model(event: SignalEvent) -> str:
    """Return the label of the model whose keys came or went in an `m2m_changed`, or ""."""
    path = event.arguments.get("model")
    models = apps.get_models(include_auto_created=True)
    return next((each._meta.label for each in models if dotted(each) == path), "")


def is_key(label: str, name: str) -> bool:
    """Return whether a field is its model's primary key."""
    field = _field(label, name)
    return field is not None and field.primary_key is True


def field_label(label: str, name: str) -> str:
    """Return what a model calls a field, or its name."""
    field = _field(label, name)
    return name if field is None else str(field.verbose_name)


def words(event: SignalEvent, name: str, value: Any) -> str:
    """Return what a field's value means, empty where the value says it itself.

    That is the label of a choice, the name of what a key belongs to, and a time in the zone of
    the reader.
    """
    if value is None or isinstance(value, dict):
        return ""
    if event.signal == "m2m_changed":
        label = linked_model(event)
        keys = value if isinstance(value, list) else []
        names = [(name_of(event, label, str(key)), key) for key in keys]
        if not any(name for name, _key in names):
            return ""
        return ", ".join(f"{name} ({key})" if name else str(key) for name, key in names)
    field = _field(event.sender, name)
    if field is None or isinstance(value, list):
        return ""
    if target := relation_target(event.sender, name):
        found = name_of(event, target, str(value))
        return f"{found} ({value})" if found else ""
    if field.choices:
        labels = {str(key): str(text) for key, text in field.flatchoices}
        return labels.get(str(value), "")
    return _moment(value) if isinstance(field, DateTimeField) else ""


def _moment(value: Any) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return ""
    if not is_aware(moment):
        return ""
    return f"{date_format(local(moment))} {local(moment):%H:%M:%S %Z}"
