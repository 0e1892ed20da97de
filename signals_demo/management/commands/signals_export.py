"""`manage.py signals_export`: the log or a part of it, as CSV or JSON lines."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import CommandError, CommandParser, no_translations
from django.utils import timezone

from signals_demo.management.filters import ReadingCommand, from_options
from signals_demo.management.output import DATA, TEXT, written
from signals_demo.query.export import FORMATS, Row, rows

_ENDINGS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_STEP = 1000  # rows between two signs of progress


class Command(ReadingCommand):
    help = (
        "Write the events that match the filters, oldest first, as CSV or JSON lines. "
        "Events that fire after the command has started are left out. "
        "With --verbosity 0, report nothing but errors."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--output",
            metavar="FILE",
            default="-",
            help="the file to write, which appears when it is complete; - is standard output",
        )
        parser.add_argument(
            "--format",
            choices=FORMATS,
            help="csv or jsonl; the default depends on the file name, and is csv without one",
        )
        parser.add_argument("--force", action="store_true", help="overwrite an existing file")
        super().add_arguments(parser)

    @no_translations
    def handle(self, *args: Any, **options: Any) -> None:
        target = None if options["output"] == "-" else Path(options["output"])
        with written(self.stdout, DATA if target is None else TEXT):
            self._export(target, options)

    def _export(self, target: Path | None, options: dict[str, Any]) -> None:
        pieces = FORMATS[_format(options["format"], target)]
        self.written = 0
        self.shows_progress = (
            not self.is_quiet
            and self.stderr.isatty()
            and not (target is None and self.stdout.isatty())
        )
        try:
            with self.reading():
                text = pieces(self._counted(_rows(options)))
                if target is None:
                    self._print(text)
                else:
                    _save(text, target, force=options["force"])
        except KeyboardInterrupt:
            result = (
                "the output is not complete" if target is None else f"{target} was not written"
            )
            raise CommandError(f"Interrupted: {result}.", returncode=130) from None
        finally:
            self._progress("")
        if target is not None and not self.is_quiet:
            noun = "event" if self.written == 1 else "events"
            self.stdout.write(self.style.SUCCESS(f"Wrote {self.written:,} {noun} to {target}."))

    def _counted(self, found: Iterator[Row]) -> Iterator[Row]:
        for row in found:
            self.written += 1
            if self.written % _STEP == 0:
                self._progress(f"{self.written:,} events …")
            yield row

    def _progress(self, text: str) -> None:
        if self.shows_progress:
            self.stderr.write(f"\r\x1b[K{text}", str, ending="")
            self.stderr.flush()

    def _print(self, text: Iterator[str]) -> None:
        for piece in text:
            self.stdout.write(piece, ending="")
        self.stdout.flush()


def _save(text: Iterator[str], target: Path, *, force: bool) -> None:
    try:
        if target.is_dir():
            raise CommandError(f"--output: {target} is a directory. Use the name of a file in it.")
        if target.is_file() and not force:
            raise CommandError(f"{target} already exists. Use --force to overwrite it.")
        with _opened(target) as file:
            for piece in text:
                file.write(piece)
    except OSError as error:
        raise CommandError(f"{target} cannot be written: {error.strerror}.") from error


def _format(given: str | None, target: Path | None) -> str:
    found = given or ("csv" if target is None else _ENDINGS.get(target.suffix.lower()))
    if found is None:
        raise CommandError(f"The name {target} does not say which format to use. Add --format.")
    return found


def _rows(options: dict[str, Any]) -> Iterator[Row]:
    return rows(from_options(options).until(timezone.now()).events())


def _opened(target: Path) -> AbstractContextManager[TextIO]:
    """Return the file to write, by the name that it has behind links."""
    target = target.resolve()
    if target.exists() and not target.is_file():  # a pipe or a device, which no file may replace
        return target.open("w", encoding="utf-8", newline="")
    return _whole(target)


@contextmanager
def _whole(target: Path) -> Iterator[TextIO]:
    """Give a file that gets its name when the block ends well, and is removed when it does not."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("x", encoding="utf-8", newline="") as file:
            yield file
        part.replace(target)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
