"""Adapts values for a driver, for statements that go straight to its cursor."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from signals_demo.fields import NO_TRACE

_MICROSECOND = timedelta(microseconds=1)


def adapt_uuid(connection: BaseDatabaseWrapper, value: UUID) -> UUID | str:
    return value if connection.features.has_native_uuid_field else value.hex


def adapt_span(span_id: str) -> int:
    """Return a span id as `SpanIdField` stores it."""
    return int(span_id or "0", 16)


def adapt_trace(trace_id: str) -> str:
    """Return a trace id as `TraceIdField` stores it."""
    return trace_id or NO_TRACE


def adapt_duration(connection: BaseDatabaseWrapper, value: timedelta | None) -> Any:
    if value is None or connection.features.has_native_duration_field:
        return value
    return value // _MICROSECOND


def datetime_adapter(connection: BaseDatabaseWrapper) -> Callable[[datetime], Any]:
    """Return a function that adapts times: Django's, asked once a second where they are text."""
    zone = None if settings.USE_TZ else timezone.get_default_timezone()
    latest: datetime | None = None  # times come in order, and hashing one is slow
    text = ""

    def adapt(moment: datetime) -> Any:
        if zone is not None:
            moment = timezone.make_naive(moment, zone)
        return connection.ops.adapt_datetimefield_value(moment)

    def adapt_text(moment: datetime) -> Any:
        if type(moment) is not datetime:  # a row that the database will refuse
            return moment
        nonlocal latest, text
        second = moment.replace(microsecond=0)
        if second != latest:
            latest, text = second, str(adapt(second))
        return f"{text}.{moment.microsecond:06}" if moment.microsecond else text

    return adapt_text if connection.vendor in ("sqlite", "mysql") else adapt
