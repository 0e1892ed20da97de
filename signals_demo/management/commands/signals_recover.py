"""`manage.py signals_recover`: store what processes left in the journal when they died."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from signals_demo.conf import SETTING, config
from signals_demo.delivery.recovery import recorders, recover
from signals_demo.delivery.session import session
from signals_demo.sinks import BaseSink, configured


class Command(BaseCommand):
    help = (
        "Store the events that processes left in the journal when they died. Running processes "
        "store their own, and are left alone. You can run it again at any time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--journal-dir",
            help=f"the journal's directory, instead of {SETTING}['JOURNAL_DIR']",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder = self._folder(options["journal_dir"])
        sinks = configured(session)
        if not sinks:
            raise CommandError(f"{SETTING}['SINKS'] names no sink that can be used.")
        self.is_quiet = options["verbosity"] == 0
        processes = events = 0
        for recorder in recorders(folder):
            stored = self._recover(folder, recorder, sinks, events)
            if stored is not None:
                processes += 1
                events += stored
        if not self.is_quiet:
            self._report(processes, events, folder)

    def _recover(
        self, folder: Path, recorder: UUID, sinks: Sequence[BaseSink], before: int
    ) -> int | None:
        try:
            return recover(folder, recorder, sinks, partial(self._progress, before))
        except OSError as error:
            raise CommandError(f"{folder} cannot be read: {error.strerror}.") from error
        except Exception as error:
            raise CommandError(
                f"The events could not be stored, and are still in {folder}: {error}"
            ) from error

    def _folder(self, given: str | None) -> Path:
        folder = Path(given) if given else config().journal_dir
        if folder is None:
            raise CommandError(
                f"There is no journal. Set {SETTING}['JOURNAL_DIR'], or use --journal-dir."
            )
        if given and not folder.is_dir():
            raise CommandError(f"--journal-dir: {folder} is not a directory.")
        return folder

    def _progress(self, before: int, stored: int) -> None:
        if self.stdout.isatty() and not self.is_quiet:
            self.stdout.write(f"\r{before + stored:,} events …", ending="")
            self.stdout.flush()

    def _report(self, processes: int, events: int, folder: Path) -> None:
        if self.stdout.isatty() and events:
            self.stdout.write("\r", ending="")
        if not processes:
            self.stdout.write(f"Nothing to recover in {folder}.")
            return
        of = "1 process" if processes == 1 else f"{processes:,} processes"
        self.stdout.write(self.style.SUCCESS(f"Recovered {events:,} events of {of}."))
