"""`manage.py signals_list`: the receivers of each signal."""

import json
import os
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser, no_translations

from signals_demo.inspection.diagnostics import diagnose
from signals_demo.inspection.receivers import Receiver, SignalReceivers, all_receivers
from signals_demo.inspection.selection import NoSuchName, ReceiverSelection, grouped, without_own
from signals_demo.inspection.unimported import Unimported, unimported
from signals_demo.management.output import TEXT, written
from signals_demo.management.terminal import printable
from signals_demo.serialize.source import PROJECT

WIDTH = 80
MARGIN = " " * 6
LEFT = 44
"""The widest that the left column gets; longer text has its own line."""


class Command(BaseCommand):
    help = (
        "List the receivers of each signal, in calling order, and their problems. "
        "Without options, list those of the project and of packages. "
        "With --verbosity 0, print no headings and no summary."
    )
    # You need the list of receivers most when something is wrong.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--signal",
            default="",
            metavar="NAME",
            help="only this signal: post_save, shop.signals.paid",
        )
        parser.add_argument(
            "--sender",
            default="",
            metavar="LABEL",
            help="only receivers that are called for this sender, such as shop.Order",
        )
        parser.add_argument(
            "--problems", action="store_true", help="only the receivers with problems"
        )
        parser.add_argument(
            "--all",
            action="store_true",
            help="also the receivers of Django and signals_demo, and signals without receivers",
        )
        parser.add_argument(
            "--json", action="store_true", help="print JSON; docs/receivers.md describes it"
        )
        parser.add_argument(
            "--fail", action="store_true", help="exit with status 1 if there are problems"
        )

    @no_translations  # so that the JSON is the same everywhere
    def handle(self, *args: Any, **options: Any) -> None:
        self.is_quiet = options["verbosity"] == 0
        self._load_site()
        found = all_receivers()
        diagnose(found)
        wanted = ReceiverSelection(
            signal=options["signal"], sender=options["sender"], problems=options["problems"]
        )
        chosen = self._chosen(found, wanted)
        shown = chosen if options["all"] or wanted.signal else without_own(chosen)
        missing = [] if wanted.signal or wanted.sender else unimported()
        with written(self.stdout, TEXT):
            if options["json"]:
                self.stdout.write(json.dumps(_as_json(shown, missing), indent=2))
            else:
                self._print(shown, missing)
                if not self.is_quiet:
                    self._sum_up(shown, missing, left_out=_total(chosen) - _total(shown))
        if options["fail"] and _wrong(shown, missing):
            raise CommandError("There are problems.")

    def _chosen(
        self, found: list[SignalReceivers], wanted: ReceiverSelection
    ) -> list[SignalReceivers]:
        try:
            return wanted.of(found)
        except NoSuchName as error:
            near = f" Did you mean {error.near!r}?" if error.near else ""
            raise CommandError(f"--{error.option}: there is no {error.name!r}.{near}") from error

    def _load_site(self) -> None:
        """Import what a server imports before it answers: views may connect receivers."""
        middleware = [path.rpartition(".")[0] for path in settings.MIDDLEWARE]
        for module in filter(None, [*middleware, getattr(settings, "ROOT_URLCONF", None)]):
            try:
                import_module(module)
            except Exception as error:  # noqa: BLE001 - the project's; the rest is shown anyway
                self.stderr.write(f"{module} cannot be imported: {error}")

    def _print(self, chosen: list[SignalReceivers], missing: list[Unimported]) -> None:
        for title, group in grouped(chosen):
            if not self.is_quiet:
                self.stdout.write(self.style.MIGRATE_HEADING(str(title)))
            for signal in group:
                self._print_signal(signal)
        for each in missing:
            self.stdout.write(printable(each.file))
            self._warn(f"{each.message} {each.fix}")

    def _sum_up(
        self, shown: list[SignalReceivers], missing: list[Unimported], *, left_out: int
    ) -> None:
        total, wrong = _total(shown), _wrong(shown, missing)
        if wrong:
            verdict = self.style.WARNING(f"{wrong:,} {'has' if wrong == 1 else 'have'} problems.")
        else:
            verdict = "No problems found."
        self.stdout.write(f"{total:,} {'receiver' if total == 1 else 'receivers'}. {verdict}")
        if left_out:
            self.stdout.write(f"{left_out:,} of Django and signals_demo not shown; use --all.")

    def _print_signal(self, signal: SignalReceivers) -> None:
        silence = "" if signal.receivers else ": no receivers"
        self.stdout.write(f"  {self.style.MIGRATE_LABEL(printable(signal.name))}{silence}")
        lines = [text for each in signal.receivers for text in (_title(each), _location(each))]
        column = min(max(map(len, lines), default=0), LEFT) + 2
        for each in signal.receivers:
            self._print_columns(f"{each.position:>4}  ", _title(each), column, _sender(each))
            self._print_columns(MARGIN, _location(each), column, _details(each))
            for problem in each.problems:
                self._warn(f"{problem.message} {problem.fix}")

    def _print_columns(self, margin: str, left: str, column: int, right: str) -> None:
        if len(left) < column and len(margin) + column + len(right) <= WIDTH:
            self.stdout.write(f"{margin}{left:<{column}}{right}")
        else:
            self.stdout.write(f"{margin}{left}\n{MARGIN}  {right}")

    def _warn(self, text: str) -> None:
        wrapped = textwrap.wrap(
            printable(text), WIDTH, initial_indent=f"{MARGIN}! ", subsequent_indent=f"{MARGIN}  "
        )
        for line in wrapped:
            self.stdout.write(self.style.WARNING(line))


def _receivers(chosen: list[SignalReceivers]) -> Iterator[Receiver]:
    return (receiver for signal in chosen for receiver in signal.receivers)


def _total(chosen: list[SignalReceivers]) -> int:
    return sum(each.count for each in _receivers(chosen))


def _wrong(chosen: list[SignalReceivers], missing: list[Unimported]) -> int:
    return sum(bool(each.problems) for each in _receivers(chosen)) + len(missing)


def _title(receiver: Receiver) -> str:
    times = f" \N{MULTIPLICATION SIGN} {receiver.count}" if receiver.count > 1 else ""
    return printable(receiver.short_name) + times


def _location(receiver: Receiver) -> str:
    return printable(receiver.where)


def _sender(receiver: Receiver) -> str:
    if receiver.sender is None:
        return "any sender"
    return printable(receiver.sender.label) or "an unnamed sender"


def _details(receiver: Receiver) -> str:
    owner = "" if receiver.owner == PROJECT else receiver.owner
    weak = "weak" if receiver.is_weak else "strong"
    is_async = "async" if receiver.is_async else ""
    uid = f"uid {printable(receiver.dispatch_uid)}" if receiver.dispatch_uid else ""
    return ", ".join(filter(None, [owner, weak, is_async, uid]))


def _as_json(chosen: list[SignalReceivers], missing: list[Unimported]) -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "signals": [
            {
                "name": signal.name,
                "path": signal.path,
                "family": signal.family,
                "owner": signal.discovered.owner,
                "receivers": [_receiver_as_json(each) for each in signal.receivers],
            }
            for signal in chosen
        ],
        "not_imported": [asdict(each) for each in missing],
    }


def _receiver_as_json(receiver: Receiver) -> dict[str, Any]:
    return {
        "position": receiver.position,
        "count": receiver.count,
        "name": receiver.name,
        "file": receiver.file,
        "line": receiver.line,
        "owner": receiver.owner,
        "sender": receiver.sender and receiver.sender.label,
        "dispatch_uid": receiver.dispatch_uid,
        "weak": receiver.is_weak,
        "async": receiver.is_async,
        "problems": [problem._asdict() for problem in receiver.problems],
    }
