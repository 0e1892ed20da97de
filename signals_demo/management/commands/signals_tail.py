"""`manage.py signals_tail`: the log as it grows."""

import os
import time
from argparse import ArgumentTypeError
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from django.core.management.base import CommandParser, no_translations
from django.db import Error, connections

from signals_demo.management.filters import ReadingCommand, from_options
from signals_demo.management.output import DATA, TEXT, written
from signals_demo.management.terminal import LineFormatter
from signals_demo.models import SignalEvent, SignalEventQuerySet
from signals_demo.query.export import COLUMNS, json_line
from signals_demo.query.keyset import NEWEST_FIRST
from signals_demo.query.tail import BATCH, TailCursor, end_of_log, poll

MOST = 100_000  # events to begin with, which are all in memory at once
INTERVAL = 0.5  # seconds, as long as the writer of a process waits with what it stores


class Command(ReadingCommand):
    help = (
        "Show the newest events that match the filters, then new ones until Ctrl-C. "
        "With --verbosity 0, print no line above each trace."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "-n",
            "--lines",
            type=_number,
            default=20,
            metavar="NUMBER",
            help="the number of events to start with; 20 by default",
        )
        parser.add_argument(
            "--no-follow", action="store_false", dest="follow", help="show these and exit"
        )
        parser.add_argument(
            "--json",
            action="store_true",
            help="print each event as a line of JSON, as signals_export does",
        )
        super().add_arguments(parser)

    @no_translations
    def handle(self, *args: Any, **options: Any) -> None:
        self.as_json = options["json"]
        coloured = self._is_coloured(force=options["force_color"])
        self.formatter = LineFormatter(coloured=coloured, has_headings=not self.is_quiet)
        how = DATA if self.as_json else TEXT
        with written(self.stdout, how), self.reading(), suppress(KeyboardInterrupt):
            events = from_options(options).events()
            cursor = end_of_log()
            self._show(_newest(events, cursor, options["lines"]))
            if options["follow"]:
                self._follow(events, cursor)

    def _is_coloured(self, *, force: bool) -> bool:
        if force or os.environ.get("NO_COLOR"):  # see no-color.org
            return force
        return self.stdout.isatty() and self.style.SUCCESS("x") != "x"

    def _follow(self, events: SignalEventQuerySet, cursor: TailCursor) -> None:
        is_away = False
        while True:
            try:
                cursor, keys = poll(cursor)
                found = list(events.filter(pk__in=keys).order_by("pk")) if keys else []
            except Error as error:
                connections[events.db].close()
                if not is_away:
                    reason = str(error).partition("\n")[0]
                    self.stderr.write(f"Waiting for the database: {reason}")
                is_away = True
            else:
                if is_away and not self.is_quiet:
                    self.stderr.write("The database is back.", str)
                is_away = False
                cursor = cursor.move(keys)
                self._show(found)
                if len(keys) == BATCH:
                    continue
            time.sleep(INTERVAL)

    def _show(self, events: Iterable[SignalEvent]) -> None:
        for event in events:
            for line in self._lines_of(event):
                self.stdout.write(line)
        self.stdout.flush()

    def _lines_of(self, event: SignalEvent) -> Iterable[str]:
        if self.as_json:
            return [json_line({name: getattr(event, name) for name in COLUMNS})]
        return self.formatter.lines(event)


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > len(str(MOST)) or int(text) > MOST:
        raise ArgumentTypeError(
            f"{text!r} is not a number from 0 to {MOST:,}; signals_export can give more"
        )
    return int(text)


def _newest(events: SignalEventQuerySet, cursor: TailCursor, number: int) -> list[SignalEvent]:
    """Return the last events up to a cursor, the oldest first."""
    if number < 1:
        return []
    known = events.filter(pk__lte=cursor.last).order_by(*NEWEST_FIRST.fields)
    return list(known[:number])[::-1]
