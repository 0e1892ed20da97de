"""The log as text for other programs: CSV and JSON lines."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from signals_demo.models import SignalEvent
from signals_demo.query.keyset import OLDEST_FIRST
from signals_demo.serialize.text import encode

Row = dict[str, Any]

COLUMNS = tuple(field.name for field in SignalEvent._meta.concrete_fields)
"""Their names are those of the fields of `SignalEvent`."""

CHUNK = 2000
"""Rows read at a time. While a read goes on, SQLite cannot empty its write-ahead log."""

_JSON = ("arguments", "changes")
_TOGETHER = 500  # rows in one piece of text

# A spreadsheet takes a cell that begins so for a formula, and a formula can send data away. The
# wide forms are what East Asian keyboards type for the first four.
_FORMULA = tuple(
    "=+-@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
    "\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)
_INVISIBLE = " \ufeff\u200b\u200c\u200d\u2060\u00a0\u00ad"
# What a terminal or a viewer may take for an order; a lone carriage return overwrites a line.
_ORDERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]|\r(?!\n)")


def rows(events: QuerySet[SignalEvent], columns: Sequence[str] = COLUMNS) -> Iterator[Row]:
    """Return events as dicts, oldest first, in constant memory."""
    fields = OLDEST_FIRST.fields
    return _read(events.order_by(*fields).values(*{*columns, *fields}))


def _read(events: QuerySet[SignalEvent, Row]) -> Iterator[Row]:
    """Yield the rows; each read begins where the one before it ended, so that none is long."""
    chunk = list(events[:CHUNK])
    while chunk:
        yield from chunk
        if len(chunk) < CHUNK:
            return
        last = [chunk[-1][name] for name in OLDEST_FIRST.fields]
        chunk = list(events.filter(OLDEST_FIRST.after(last))[:CHUNK])


def _plain(value: Any) -> Any:
    """Return a value of a row as JSON has it: times in UTC, durations in seconds."""
    if value is None or isinstance(value, (str, int, dict, list)):
        return value
    if isinstance(value, datetime):
        return _utc(value).isoformat(timespec="microseconds")
    if isinstance(value, timedelta):
        return value / timedelta(seconds=1)
    return str(value)


def _utc(value: datetime) -> datetime:
    """Return a time in UTC; as it is, without a zone, where it stands for two times.

    Without `USE_TZ` local times are stored, and there is an hour that clocks go through twice.
    """
    if not timezone.is_naive(value):
        return value.astimezone(UTC)
    zone = timezone.get_default_timezone()
    first, second = (value.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first if first == second else value


def _without_orders(text: str) -> str:
    if text.isprintable():  # the quickest way to tell that there are none
        return text
    return _ORDERS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def json_line(row: Row) -> str:
    """Return an event as a line of JSON."""
    return _without_orders(encode({name: _plain(row[name]) for name in COLUMNS})) + "\n"


def _cell(name: str, row: Row) -> Any:
    value = encode(row[name]) if name in _JSON else _plain(row[name])
    if not isinstance(value, str):
        return value
    text = _without_orders(value)
    # Spreadsheets pass over what cannot be seen before they look for a formula.
    return f"'{text}" if text.lstrip(_INVISIBLE).startswith(_FORMULA) else text


def _csv_text(rows: Iterable[list[Any]]) -> str:
    text = io.StringIO()
    # Text in quotes, also where it holds the separator of another country's spreadsheet.
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(rows)
    return text.getvalue()


def csv_pieces(rows: Iterator[Row]) -> Iterator[str]:
    """Yield the events as CSV, many rows to a piece; the first holds the names of the columns."""
    piece: list[list[Any]] = [list(COLUMNS)]
    while piece:
        yield _csv_text(piece)
        piece = [[_cell(name, row) for name in COLUMNS] for row in islice(rows, _TOGETHER)]


def json_pieces(rows: Iterator[Row]) -> Iterator[str]:
    """Yield the events as lines of JSON, many rows to a piece."""
    while piece := "".join(map(json_line, islice(rows, _TOGETHER))):
        yield piece


FORMATS: dict[str, Callable[[Iterator[Row]], Iterator[str]]] = {
    "csv": csv_pieces,
    "jsonl": json_pieces,
}
