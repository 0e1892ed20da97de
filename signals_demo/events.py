"""What travels from the recorder to the sinks."""

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from signals_demo.callsites import Site, shown
from signals_demo.traces import Actor, Trace
from signals_demo.transactions import OPEN, Fate


class Event(NamedTuple):
    """A firing as it was captured. Cheap to make: rendering is left to the writer."""

    sequence: int
    time: int
    """Nanoseconds since the epoch."""
    signal: str
    sender: str
    trace: Trace
    position: int
    depth: int
    duration: int | None
    """Nanoseconds."""
    object_pk: str
    database: str
    fate: Fate | None
    site: Site | None
    arguments: dict[str, Any]
    changes: dict[str, list[Any]] | None
    exception: str
    actor: Actor | None
    count: int  # type: ignore[assignment]  # hides tuple.count, as the field is named


class Run:
    """A run of like firings that becomes one event when the writer comes for it."""

    __slots__ = ("_count", "_event", "_generation", "_lock", "_sealed")

    generation = 0
    """Grows with each fork: a run belongs to the process that began it."""

    def __init__(self, event: Event) -> None:
        self._event = event
        self._count = 1
        self._generation = Run.generation
        self._sealed = False
        self._lock = threading.RLock()  # a signal handler may come in between, and add as well

    def add(self) -> bool:
        """Count one firing more, or return False if the writer was here already."""
        if self._generation != Run.generation:
            return False
        with self._lock:
            if not self._sealed:
                self._count += 1
            return not self._sealed

    def seal(self) -> Event:
        """End the run and return its event."""
        with self._lock:
            self._sealed = True
            return self._event._replace(count=self._count)


class Row(NamedTuple):
    """An event as it is stored: the fields of `SignalEvent`, in their order, but for `id`.

    `occurred_at` is aware, in UTC; `arguments` and `changes` are JSON text.
    """

    recorder: UUID
    sequence: int
    occurred_at: datetime
    signal: str
    sender: str
    trace_id: str
    position: int
    depth: int
    count: int  # type: ignore[assignment]  # hides tuple.count, as the field is named
    duration: timedelta | None
    origin: str
    origin_name: str
    actor_pk: str
    actor: str
    remote_address: str
    object_pk: str
    database: str
    outcome: str
    call_site: str
    arguments: str
    changes: str
    exception: str
    digest: str


class Resolution(NamedTuple):
    """The outcome, known only now, of rows that were stored as open.

    It holds for the rows of `recorder` numbered `first` to `last` that belong to `trace_id`
    and `database` and are still open.
    """

    recorder: UUID
    first: int
    last: int
    trace_id: str
    database: str
    outcome: str

    def concerns(self, row: Row) -> bool:
        """Return whether it is about this row."""
        return (
            row.outcome == OPEN
            and row.recorder == self.recorder
            and self.first <= row.sequence <= self.last
            and row.trace_id == self.trace_id
            and row.database == self.database
        )


class Attribution(NamedTuple):
    """The actor, known only now, of a request's rows that were stored without one."""

    recorder: UUID
    trace_id: str
    actor_pk: str
    actor: str

    def concerns(self, row: Row) -> bool:
        """Return whether it is about this row."""
        return not row.actor and (row.recorder, row.trace_id) == (self.recorder, self.trace_id)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUL = chr(0)


def clean(text: str) -> str:
    """Return text that every database takes: NUL and lone surrogates made visible."""
    if _NUL in text:
        text = text.replace(_NUL, "\N{SYMBOL FOR NULL}")
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_clean_value(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): _clean_value(item) for key, item in value.items()}
    return value


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _json(value: Any) -> str:
    if not value:
        return "{}"
    text = _encode(value)
    # A NUL is written as an escape; a surrogate as itself, which cannot be encoded.
    if "\\u0000" in text or (not text.isascii() and clean(text) != text):
        return _encode(_clean_value(value))
    return text


def _fit(text: str, limit: int) -> str:
    text = clean(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def row_of(event: Event, recorder: UUID, outcome: str) -> Row:
    """Return `event` as it is stored."""
    trace = event.trace
    actor = event.actor or trace.find_actor()
    duration = event.duration
    return Row(
        recorder,
        event.sequence,
        _EPOCH + timedelta(microseconds=event.time // 1000),
        _fit(event.signal, 255),
        _fit(event.sender, 255),
        trace.trace_id,
        event.position,
        event.depth,
        event.count,
        None if duration is None else timedelta(microseconds=duration // 1000),
        trace.origin,
        _fit(trace.origin_name, 255),
        _fit(actor.pk, 255) if actor else "",
        _fit(actor.name, 255) if actor else "",
        _fit(trace.remote_address, 64),
        _fit(event.object_pk, 255),
        _fit(event.database, 255),
        outcome,
        _fit(shown(event.site), 500) if event.site else "",
        _json(event.arguments),
        _json(event.changes),
        _fit(event.exception, 2000),
        "",
    )
