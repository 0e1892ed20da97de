"""`--verbosity 0`: what was asked for and errors, but no headings, notes or progress."""

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command, load_command_class

from signals_demo.factories import checkout_trace
from signals_demo.models import SignalEvent

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_made_events")]

LONG_AGO = datetime(2026, 1, 31, tzinfo=UTC)
COMMANDS = ("signals_export", "signals_list", "signals_tail")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(command: str, *options: str, verbosity: int = 0, **more: Any) -> tuple[str, str]:
    output, errors = io.StringIO(), Terminal()
    call_command(
        command, *options, verbosity=verbosity, stdout=output, stderr=errors, no_color=True, **more
    )
    return output.getvalue(), errors.getvalue()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_says_so(command: str) -> None:
    assert "With --verbosity 0, " in load_command_class("signals_demo", command).help


@pytest.mark.parametrize("json", [True, False])
def test_the_tail_prints_events_alone(*, json: bool) -> None:
    checkout_trace(occurred_at=LONG_AGO)
    options = ["--no-follow", *(["--json"] if json else [])]
    loud, quiet = (run("signals_tail", *options, verbosity=level)[0] for level in (1, 0))
    assert "── " not in quiet
    assert len(quiet.splitlines()) == SignalEvent.objects.count()
    assert quiet == (loud if json else loud.partition("\n")[2])


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_an_export_prints_events_alone(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr("signals_demo.management.commands.signals_export._STEP", 1)
    checkout_trace(occurred_at=LONG_AGO)
    loud, quiet = (run("signals_export", f"--format={kind}", verbosity=n) for n in (1, 0))
    assert "events …" in loud[1]
    assert quiet == (loud[0], "")


def test_an_export_to_a_file_prints_nothing(tmp_path: Path) -> None:
    checkout_trace(occurred_at=LONG_AGO)
    file = tmp_path / "log.csv"
    assert run("signals_export", f"--output={file}") == ("", "")
    assert len(file.read_text().splitlines()) == 1 + SignalEvent.objects.count()
    with pytest.raises(CommandError, match="already exists"):
        run("signals_export", f"--output={file}")


def test_a_list_has_receivers_and_no_headings_or_summary() -> None:
    loud, quiet = (run("signals_list", "--all", verbosity=level) for level in (1, 0))
    left_out = [line for line in loud[0].splitlines() if line not in quiet[0].splitlines()]
    assert "Models" in left_out
    assert left_out[-1].endswith("receivers. No problems found.")
    assert all(line in loud[0].splitlines() for line in quiet[0].splitlines())
    assert "  post_save" in quiet[0]
    assert quiet[1] == ""


def test_a_list_as_json_is_the_same() -> None:
    loud, quiet = (run("signals_list", "--json", verbosity=level) for level in (1, 0))
    assert quiet == loud
