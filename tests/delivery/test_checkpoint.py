"""What is stored leaves the journal; what only the journal holds is stored."""

import textwrap
from pathlib import Path

import pytest

from project.playground.models import Author
from signals_demo import flush, trace
from signals_demo.delivery.writer import writer
from signals_demo.sinks.memory import MemorySink
from tests.delivery.journals import files, killed, setting
from tests.recording import MEMORY, Project, recorded, rolled_back, stored

pytestmark = pytest.mark.processes


def test_rows_stored_as_open_get_their_outcome_also_when_their_file_has_gone(
    apart: Project,
) -> None:
    """A file goes once its rows are stored, also in a transaction that keeps them open."""
    code = """
    import os, signal
    from signals_demo.delivery import journal
    journal.SEGMENT_SIZE = 5_000
    def names():
        return {name for name in os.listdir("journal") if name.endswith("jsonl")}
    begun = set()
    with transaction.atomic():
        for number in range(100):
            Group.objects.create(name=str(number))
            begun |= names()
            if number % 20 == 19:
                assert flush(30)
        assert len(begun) > 10
        assert len(names()) < 5
    """
    killed(apart, textwrap.dedent(code), DATABASE="events")
    outcomes = (
        "SELECT outcome FROM signals_demo_signalevent"
        " WHERE signal = 'post_save' AND sender = 'auth.Group'"
    )
    found = [row[0] for row in apart.query(outcomes, "events.sqlite3")]
    assert found == ["open"] * 100
    own = setting(apart, DATABASE="events", SIGNALS=[])
    apart.manage("signals_recover", setting=own)
    found = [row[0] for row in apart.query(outcomes, "events.sqlite3")]
    assert found == ["committed"] * 100
    assert files(apart) == []


def test_rows_read_back_as_open_get_their_outcome(apart: Project) -> None:
    code = """
    import os, signal
    def rename(old, new):
        with suppress(), connections["events"].cursor() as cursor:
            cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")
    table = "signals_demo_signalevent"
    with transaction.atomic():
        rename(table, "away")
        for number in range(100):
            Group.objects.create(name=str(number))
        assert not flush(0.5)
        rename("away", table)
        assert flush(30)
    """
    own = {"DATABASE": "events", "BUFFER_LIMIT": 50}
    killed(apart, textwrap.dedent(code), **own)
    apart.manage("signals_recover", setting=setting(apart, SIGNALS=[], **own))
    outcomes = (
        "SELECT outcome FROM signals_demo_signalevent"
        " WHERE signal = 'post_save' AND sender = 'auth.Group'"
    )
    found = [row[0] for row in apart.query(outcomes, "events.sqlite3")]
    assert found == ["committed"] * 100


ELSEWHERE = """
import os
from signals_demo.sinks import BaseSink

class Elsewhere(BaseSink):
    def store(self, rows):
        if os.path.exists("broken"):
            raise OSError("no route")
        with open("elsewhere", "a") as file:
            file.writelines(f"{row.sequence}\\n" for row in rows)
"""


def test_a_file_stays_until_every_sink_has_stored_what_is_in_it(project: Project) -> None:
    (project.folder / "sinks.py").write_text(ELSEWHERE)
    (project.folder / "broken").touch()
    more = {
        "FLUSH_INTERVAL": 0.01,
        "SINKS": {
            "database": {"BACKEND": "signals_demo.sinks.database.DatabaseSink"},
            "elsewhere": {"BACKEND": "sinks.Elsewhere"},
        },
    }
    code = """
    import os, signal
    from signals_demo.delivery import journal
    from signals_demo.models import SignalEvent
    journal.SEGMENT_SIZE = 5_000
    for number in range(100):
        Group.objects.create(name=str(number))
    assert not flush(1)
    with suppress():
        stored = SignalEvent.objects.filter(signal="post_save")
        while stored.count() < 100:
            pass
    """
    killed(project, textwrap.dedent(code), **more)
    (project.folder / "broken").unlink()
    project.manage("signals_recover", setting=setting(project, **more | {"SIGNALS": []}))
    assert files(project) == []
    elsewhere = map(int, (project.folder / "elsewhere").read_text().split())
    assert sorted(elsewhere) == [row["sequence"] for row in project.events()]
    assert project.has_no_gaps()


def test_files_go_while_the_process_lives_on(project: Project) -> None:
    project.run(
        """
        import os
        from signals_demo.delivery import journal
        journal.SEGMENT_SIZE = 20_000
        def names():
            return {name for name in os.listdir("journal") if name.endswith("jsonl")}
        seen = set()
        for number in range(300):
            Group.objects.create(name=str(number))
            seen |= names()
            assert number % 50 or flush(30)
        assert len(seen) > 5
        assert flush(30)
        assert sum(os.path.getsize(f"journal/{name}") for name in names()) == 0
        """,
        setting=setting(project, FLUSH_INTERVAL=0.01),
    )
    assert len(project.events("signal = 'post_save'")) == 300


def test_what_does_not_fit_in_the_buffer_is_read_back(project: Project) -> None:
    code = """
    from django.db import connection
    table = "signals_demo_signalevent"
    def rename(old, new):
        with suppress(), connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")
    rename(table, "away")
    with transaction.atomic():
        for number in range(400):
            Group.objects.create(name=str(number))
    list(Group.objects.all())
    assert not flush(0.5)
    with transaction.atomic():
        Group.objects.create(name="before")
        rename("away", table)
        Group.objects.create(name="after")
    assert flush(30)
    """
    more = {"BUFFER_LIMIT": 50, "FLUSH_INTERVAL": 0.05}
    done = project.run(code, setting=setting(project, **more))
    assert "lost" not in done.stderr
    saves = project.events("signal = 'post_save'")
    assert len(saves) == 402
    assert {row["outcome"] for row in saves} == {"committed"}
    assert project.has_no_gaps()
    made = project.events("signal = 'post_init' AND sender = 'auth.Group'")
    assert sum(row["count"] for row in made) == 402 + 400


def test_events_that_are_stored_leave_an_empty_file(
    tmp_path: Path, transactional_db: None
) -> None:
    with recorded(JOURNAL_DIR=tmp_path / "journal"), trace("unit") as unit:
        with rolled_back():
            Author.objects.create(name="Ada")
        assert len(stored(unit)) == 4
        assert writer.journaling.journal is not None
        assert writer.journaling.journal.segments.total_size() == 0
    with recorded(SINKS=MEMORY):
        Author()
        assert flush()
    assert list((tmp_path / "journal").iterdir()) == []
    MemorySink.rows.clear()
