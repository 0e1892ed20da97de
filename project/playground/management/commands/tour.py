"""The tour of the playground in a terminal."""

import logging
import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from io import StringIO
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.contrib.messages import get_messages
from django.core.management import BaseCommand, CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db.models import Sum
from django.test import Client
from django.urls import reverse
from django.utils.termcolors import colorize

from project.playground.lessons import LESSONS
from project.playground.registry import Action
from project.playground.sample import make_admin
from project.playground.streaks import shortened
from project.playground.views import events_of
from signals_demo import flush
from signals_demo.catalog import built_in
from signals_demo.catalog.types import Family
from signals_demo.management.terminal import COLOURS
from signals_demo.models import SignalEvent
from signals_demo.web.tree import EventNode, tree


class Line(NamedTuple):
    """A line of a printed tree: the signal with its indent, whom it is about, and the rest."""

    family: Family | None
    signal: str
    subject: str
    rest: str


class Command(BaseCommand):
    """Run every action of the lessons and print what it fires."""

    help = (
        "Runs every action of the playground on a scratch database and prints what fires. "
        "Fails if one of Django's signals did not fire. "
        "With --verbosity 0, prints nothing but errors."
    )
    # The checks create users: in a process that only starts another, these would fire first.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--in-place",
            action="store_true",
            help="Use the demo's database, so that the admin shows the events afterwards.",
        )

    def handle(self, *, in_place: bool, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError(
                "The tour creates the superuser admin/admin. Set DEBUG = True to run it."
            )
        if not in_place:
            sys.exit(_on_a_scratch_database(options))
        if options["verbosity"] == 0:
            self.stdout = OutputWrapper(StringIO())
        self.coloured = wants_colour(self.stdout, options)
        # Two actions fail on purpose; their tracebacks would hide the rest.
        for name in ("django.request", "django.tasks"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        call_command("migrate", verbosity=0)
        make_admin()
        flush()
        newest = SignalEvent.objects.order_by("pk").values_list("pk", flat=True).last() or 0
        self._press_every_button()
        self._print_signals_seen(SignalEvent.objects.filter(pk__gt=newest))

    def _press_every_button(self) -> None:
        client = Client(raise_request_exception=False, SERVER_NAME="localhost")
        for lesson in LESSONS:
            self._print_heading(f"{lesson.title}")
            for action in lesson.actions:
                self.stdout.write(self._painted(action.title, opts=("bold",)))
                self._print_tree(tree(shortened(events_of(_press(client, action)))))
            if not lesson.actions:
                self.stdout.write("Not in this version of Django.")

    def _print_heading(self, text: str) -> None:
        self.stdout.write(f"\n{self._painted(text, opts=('bold',))}\n{'=' * len(text)}\n\n")

    def _print_tree(self, nodes: list[EventNode]) -> None:
        printed = list(_lines(nodes)) or [Line(None, "(nothing)", "", "")]
        widest = max(len(line.signal) for line in printed)
        wide = max(len(line.subject) for line in printed)
        for line in printed:
            signal = self._painted(line.signal.ljust(widest), fg=COLOURS.get(line.family, "white"))
            self.stdout.write(f"  {signal}  {line.subject.ljust(wide)}  {line.rest}".rstrip())
        self.stdout.write("")

    def _print_signals_seen(self, events: Any) -> None:
        seen = dict(events.values_list("signal").annotate(Sum("count")).order_by())
        self._print_heading("Signals seen")
        for signal in built_in().values():
            firings = seen.get(signal.name, 0)
            name = self._painted(signal.name.ljust(22), fg=COLOURS[signal.family])
            self.stdout.write(f"  {name} {signal.family:<12}{firings:>6}")
        missing = [name for name in built_in() if name not in seen]
        if missing:
            raise CommandError(f"Not seen: {', '.join(missing)}")
        self.stdout.write(f"\nAll {len(built_in())} signals of this Django version were seen.")

    def _painted(self, text: str, **look: Any) -> str:
        return colorize(text, **look) if self.coloured else text


def wants_colour(output: OutputWrapper, options: dict[str, Any]) -> bool:
    """Say whether to print in colour: if asked to, else on a terminal without NO_COLOR."""
    forbidden = options["no_color"] or os.environ.get("NO_COLOR")
    return bool(options["force_color"] or (output.isatty() and not forbidden))


def _on_a_scratch_database(options: dict[str, Any]) -> int:
    """Run this command in another process on an empty database; return its exit status."""
    same = [f"--{name.replace('_', '-')}" for name in ("no_color", "force_color") if options[name]]
    same.append(f"--verbosity={options['verbosity']}")
    with TemporaryDirectory(prefix="signals-tour-") as folder:
        return subprocess.run(
            [sys.executable, "manage.py", "tour", "--in-place", *same],
            cwd=settings.BASE_DIR,
            env=os.environ | {"DEMO_DATABASE": os.path.join(folder, "tour.sqlite3")},
        ).returncode


def _press(client: Client, action: Action) -> str:
    """Send the request that the action's button sends; return the trace id of what it shows."""
    url = reverse("playground:act", args=[action.lesson, action.name])
    response = client.post(url)
    if response.status_code != 302:
        raise CommandError(f"{action.title}: POST {url} returned {response.status_code}.")
    for message in get_messages(response.wsgi_request):
        raise CommandError(f"{action.title}: {message}")
    return parse_qs(urlsplit(response.headers["Location"]).query)["trace"][0]


def _lines(nodes: Iterable[EventNode], indent: str = "") -> Iterator[Line]:
    for node in nodes:
        yield _line(node, indent)
        yield from _lines(node.children, indent + "  ")


def _line(node: EventNode, indent: str) -> Line:
    event = node.event
    rest = [
        f"x {event.count}" if event.count > 1 else "",
        node.note,
        event.get_outcome_display(),
        node.duration,
        event.exception,
    ]
    return Line(
        node.family,
        indent + node.name,
        f"{node.sender} {node.about if event.object_pk else ''}".strip(),
        "  ".join(filter(None, rest)),
    )
