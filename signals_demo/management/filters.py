"""The base of the commands that read the log: they select events, and record none."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from signals_demo.query.filters import FILTERS
from signals_demo.query.parsing import NotUnderstood
from signals_demo.query.selection import Selection, from_texts
from signals_demo.tracing.api import suppress


class ReadingCommand(BaseCommand):
    """A command that reads the log, with an option for each filter."""

    # They would query the database, which may be down: `reading()` reports that.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        add_filters(parser)

    @suppress()
    def execute(self, *args: Any, **options: Any) -> str | None:
        self.is_quiet = options["verbosity"] == 0
        return super().execute(*args, **options)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turn errors while the log is read into messages."""
        try:
            yield
        except NotUnderstood as error:
            raise CommandError(str(error)) from error
        except Error as error:
            raise CommandError(f"The events cannot be read: {error}") from error


def add_filters(parser: CommandParser) -> None:
    """Give a command an option for each filter."""
    several = [f"--{each.option}" for each in FILTERS.values() if not each.is_single]
    group = parser.add_argument_group(
        "filters",
        "Only events that match all of them. A time is 24h (24 hours ago; also s, m, d and w), "
        "2026-01-31 or 2026-01-31T09:30. You can give these more than once: then any of the "
        f"values matches: {', '.join(several)}.",
    )
    for each in FILTERS.values():
        action = "store" if each.is_single else "append"
        group.add_argument(f"--{each.option}", metavar=each.metavar, action=action, help=each.help)


def from_options(options: Mapping[str, Any]) -> Selection:
    """Return what the options of a command select. Raises `NotUnderstood`."""
    given = {}
    for name, each in FILTERS.items():
        value = options[each.option.replace("-", "_")]
        if value is not None:
            given[name] = [value] if isinstance(value, str) else list(value)
    return from_texts(given, lambda each: f"--{each.option}")
