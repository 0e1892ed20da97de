"""`signals_recover` stores what processes left, and says what it did."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.delivery.journals import empty_copy, files, killed, migrated_project, recovered, setting
from tests.recording import Project

pytestmark = pytest.mark.processes

journaled = pytest.fixture(scope="session")(migrated_project)
project = pytest.fixture(empty_copy)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_it_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="JOURNAL_DIR"):
        call_command("signals_recover")
    with pytest.raises(CommandError, match="is not a directory"):
        call_command("signals_recover", journal_dir=str(tmp_path / "nowhere"))


def test_it_shows_a_terminal_how_far_it_is(
    project: Project, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signals_demo.delivery.recovery.BATCH", 25)
    killed(project)
    terminal = Terminal()
    call_command("signals_recover", journal_dir=str(project.folder / "journal"), stdout=terminal)
    assert "\r25 events …\r50 events …" in terminal.getvalue()
    assert "Recovered" in terminal.getvalue()


def test_it_prints_nothing_at_verbosity_0(project: Project, transactional_db: None) -> None:
    killed(project)
    terminal = Terminal()
    folder = str(project.folder / "journal")
    for _ in range(2):
        call_command("signals_recover", journal_dir=folder, stdout=terminal, verbosity=0)
    assert terminal.getvalue() == ""
    assert files(project) == []


def test_it_leaves_what_it_cannot_store(project: Project) -> None:
    killed(project)
    before = {path.name: path.read_bytes() for path in files(project)}
    project.execute("ALTER TABLE signals_demo_signalevent RENAME TO away")
    failed = project.call("manage.py", "signals_recover", setting=setting(project, SIGNALS=[]))
    assert failed.returncode == 1
    assert "migrate" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert {path.name: path.read_bytes() for path in files(project)} == before
    project.execute("ALTER TABLE away RENAME TO signals_demo_signalevent")
    assert "of 1 process" in recovered(project)
