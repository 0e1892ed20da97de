"""`manage.py signals_recover`: store what processes that died have left in the journal."""

from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from signals_demo.conf import SETTING, config
from signals_demo.delivery.recovery import recorders, recover
from signals_demo.delivery.session import session
from signals_demo.sinks import configured


class Command(BaseCommand):
    help = (
        "Store the events that processes which died have left in the journal. Running processes "
        "store theirs themselves, and are left alone. It can be run again at any time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--journal-dir",
            help=f"the folder to look in, if it is not that of {SETTING}['JOURNAL_DIR']",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder = self._folder(options["journal_dir"])
        sinks = configured(session)
        if not sinks:
            raise CommandError(f"{SETTING}['SINKS'] has none that can be used.")
        found = 0
        events = 0
        for recorder in recorders(folder):
            try:
                stored = recover(folder, recorder, sinks, partial(self._progress, events))
            except OSError as error:
                raise CommandError(f"{folder} cannot be read: {error.strerror}.") from error
            except Exception as error:
                raise CommandError(
                    f"The events could not be stored: {error} They are still in {folder}."
                ) from error
            if stored is not None:
                found += 1
                events += stored
        self._tell(found, events, folder)

    def _folder(self, given: str | None) -> Path:
        folder = Path(given) if given else config().journal_dir
        if folder is None:
            raise CommandError(
                f"No folder to look in: set {SETTING}['JOURNAL_DIR'], or give --journal-dir."
            )
        if given and not folder.is_dir():
            raise CommandError(f"--journal-dir: {folder} is not a folder.")
        return folder

    def _progress(self, before: int, stored: int) -> None:
        if self.stdout.isatty():
            self.stdout.write(f"\r{before + stored:,} events …", ending="")
            self.stdout.flush()

    def _tell(self, found: int, events: int, folder: Path) -> None:
        if self.stdout.isatty() and events:
            self.stdout.write("\r", ending="")
        if not found:
            self.stdout.write(f"Nothing to recover in {folder}.")
            return
        processes = "1 process" if found == 1 else f"{found:,} processes"
        self.stdout.write(self.style.SUCCESS(f"Recovered {events:,} events of {processes}."))
