"""The base of the commands that read the log: they select events, and record none."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from signals_demo import suppress
from signals_demo.catalog.types import Family
from signals_demo.models import Origin, Outcome
from signals_demo.query.filters import SINGLE, NotUnderstood, Selection, selected


class ReadingCommand(BaseCommand):
    """A command that reads the log, with an option for each filter."""

    # They would query the database, which may be down: `reading()` reports that.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        add_filters(parser)

    @suppress()
    def execute(self, *args: Any, **options: Any) -> str | None:
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
    group = parser.add_argument_group(
        "filters",
        "Only events that match all of them. Except for the times and the search, you can give "
        "each more than once: then any of its values matches. A time is 24h (24 hours ago; also "
        "s, m, d and w), 2026-01-31 or 2026-01-31T09:30.",
    )
    for name, metavar, meaning in _OPTIONS:
        action = "store" if name in SINGLE else "append"
        group.add_argument(f"--{name}", metavar=metavar, action=action, help=meaning)


_OPTIONS = (
    ("signal", "NAME", "a signal, such as post_save"),
    ("family", "NAME", f"a family of signals: {', '.join(family.value for family in Family)}"),
    ("sender", "LABEL", "a model, such as auth.User, or another sender"),
    ("object", "OBJECT", "an object, such as 'auth.User 5', or a key alone"),
    ("actor", "USER", "a user's name or key"),
    ("origin", "KIND", f"what started its trace: {', '.join(Origin.values)}"),
    ("outcome", "WORD", f"the outcome of its transaction: {', '.join(Outcome.values)}"),
    ("database", "ALIAS", "the alias of the database"),
    ("trace", "ID", "a trace, by its id"),
    ("since", "TIME", "events at this time or later"),
    ("until", "TIME", "events before this time"),
    ("search", "TEXT", "a search, as in the admin's search box"),
)


def in_options(options: Mapping[str, Any]) -> Selection:
    """Return what the options of a command select. Raises `NotUnderstood`."""
    found = Selection()
    for name, _metavar, _meaning in _OPTIONS:
        value = options[name]
        if value is None:
            continue
        try:
            one = selected({name: [value] if isinstance(value, str) else list(value)})
        except NotUnderstood as error:
            raise NotUnderstood(f"--{name}: {error}") from error
        found = replace(found, **{name: getattr(one, name)})
    return found
