"""The journal: what is in it when a process dies, and how it comes out of it again."""

import json
import logging
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.core.management import CommandError, call_command
from django.test import override_settings

from project.playground.models import Author
from signals_demo import flush, trace
from signals_demo.checks import check_settings
from signals_demo.delivery.writer import writer
from signals_demo.sinks.memory import MemorySink
from tests.recording import MEMORY, Project, recorded, rolled_back, stored
from tests.servers import GUNICORN, Load, get, running, until

pytestmark = pytest.mark.processes

VIEWS = """
import os
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models.signals import post_save
from django.http import HttpResponse
from django.urls import path

done = os.open("done", os.O_CREAT | os.O_APPEND | os.O_WRONLY)

def count(instance, **kwargs):
    os.write(done, f"{instance.pk}\\n".encode())

post_save.connect(count, sender=Group, weak=False)

def save(request):
    Group.objects.create(name=os.urandom(8).hex())
    with transaction.atomic():
        list(Group.objects.all()[:40])
        Group.objects.create(name=os.urandom(8).hex())
    return HttpResponse(str(os.getpid()))

def who(request):
    return HttpResponse(str(request.user))

urlpatterns = [path("save/", save), path("who/", who)]
"""

# Events that no thread has stored yet, because the process is too busy to let it.
BUSY = """
import os, signal
for number in range(30):
    Group.objects.create(name=os.urandom(8).hex())
with transaction.atomic():
    Group.objects.create(name=os.urandom(8).hex())
try:
    with transaction.atomic():
        Group.objects.create(name="in vain")
        raise KeyError
except KeyError:
    pass
list(Group.objects.all())
"""
KILL = "os.kill(os.getpid(), signal.SIGKILL)\n"


@pytest.fixture(scope="session")
def journaled(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.make(tmp_path_factory.mktemp("journaled") / "project", views=VIEWS)
    project.manage("migrate", "--verbosity=0")
    return project


@pytest.fixture
def project(journaled: Project, tmp_path: Path) -> Project:
    """Return a project with an empty record."""
    copy = journaled.copy(tmp_path / "project")
    copy.execute("DELETE FROM signals_demo_signalevent")
    return copy


def setting(project: Project, **more: Any) -> dict[str, Any]:
    return {"JOURNAL_DIR": str(project.folder / "journal"), "FLUSH_INTERVAL": 60} | more


def files(project: Project) -> list[Path]:
    return sorted((project.folder / "journal").iterdir())


def killed(project: Project, code: str = BUSY, **more: Any) -> None:
    """Run code in a process that is killed at its end, before anything was stored."""
    done = project.attempt(code + KILL, setting=setting(project, **more))
    assert done.returncode == -signal.SIGKILL, done.stderr


def recovered(project: Project) -> str:
    """Run the command, whose own events are not wanted."""
    return project.manage("signals_recover", setting=setting(project, SIGNALS=[])).stdout


# Killed


def test_what_a_killed_process_left_is_stored_by_the_command(project: Project) -> None:
    killed(project)
    assert project.events() == []
    assert "Recovered" in recovered(project)
    assert files(project) == []
    saves = [row for row in project.events() if row["signal"] == "post_save"]
    assert Counter(row["outcome"] for row in saves) == {"committed": 31, "rolled_back": 1}
    assert json.loads(saves[-1]["changes"])["name"] == [None, "in vain"]
    assert project.has_no_gaps()


def test_folded_rows_are_counted_to_the_last(project: Project) -> None:
    killed(project, "Group.objects.bulk_create(Group(name=str(n)) for n in range(500))\n" + BUSY)
    recovered(project)
    counted: Counter[str] = Counter()
    for row in project.events("sender = 'auth.Group'"):
        counted[row["signal"]] += row["count"]
    # 500 that are only made, 32 that are saved, 531 that are read.
    assert counted["pre_init"] == counted["post_init"] == 500 + 32 + 531
    assert counted["post_save"] == 32


def test_what_a_killed_process_left_is_stored_by_the_next_one(project: Project) -> None:
    killed(project)
    project.run("Group.objects.create(name='next'); flush()", setting=setting(project))
    assert len(project.events("signal = 'post_save'")) == 33
    assert files(project) == []


def test_a_transaction_that_was_open_stays_open(project: Project) -> None:
    killed(project, "import os, signal\nblock = transaction.atomic()\nblock.__enter__()\n" + BUSY)
    recovered(project)
    found = Counter(row["outcome"] for row in project.events("signal = 'post_save'"))
    assert found == {"open": 31, "rolled_back": 1}


@pytest.fixture
def apart(project: Project) -> Project:
    """Return a project whose events are in a database of their own, with DATABASE "events"."""
    with (project.folder / "settings.py").open("a") as settings:
        settings.write(
            "DATABASES['events'] = sqlite('events.sqlite3')\n"
            "DATABASE_ROUTERS = ['signals_demo.routers.SignalEventRouter']\n"
        )
    own = setting(project, DATABASE="events")
    project.manage("migrate", "--verbosity=0", "--database=events", setting=own)
    return project


def test_rows_stored_as_open_get_their_outcome(apart: Project) -> None:
    project, own = apart, setting(apart, DATABASE="events")
    code = """
    import os, signal
    with transaction.atomic():
        Group.objects.create(name="one")
        assert flush()
    """
    killed(project, textwrap.dedent(code), DATABASE="events")
    outcomes = (
        "SELECT outcome FROM signals_demo_signalevent WHERE object_pk = '1'"
        " AND signal = 'post_save' AND sender = 'auth.Group'"
    )
    assert [row[0] for row in project.query(outcomes, "events.sqlite3")] == ["open"]
    project.manage("signals_recover", setting=own)
    assert [row[0] for row in project.query(outcomes, "events.sqlite3")] == ["committed"]


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


def test_killed_again_and_again_under_load_nothing_is_lost_or_doubled(project: Project) -> None:
    environment = {"SIGNALS_DEMO": json.dumps(setting(project, FLUSH_INTERVAL=0.05))}
    command = [*GUNICORN, "--workers=2", "--threads=4"]
    with (
        running(project, *command, **environment) as (address, _server),
        Load(f"{address}/save/") as load,
    ):
        for _ in range(20):
            load.more(10)
            os.kill(int(get(f"{address}/save/")), signal.SIGKILL)
            until(lambda: _answers(address))
    recovered(project)
    assert files(project) == []
    # Each thread may have been about to write one, with a later one of another's there already.
    assert all(missing <= 4 for missing in project.gaps().values())
    saved = Counter(row["object_pk"] for row in project.events("signal = 'post_save'"))
    counted = Counter((project.folder / "done").read_text().split())
    assert len(counted) > 200
    # The key of a save that was rolled back by the kill is given again.
    assert not counted - saved
    # At the most what each of the four threads was just doing, twenty times.
    assert (saved - counted).total() <= 20 * 4


def _answers(address: str) -> bool:
    try:
        return bool(get(f"{address}/save/"))
    except (OSError, HTTPException):
        return False


def test_who_did_it_is_known_also_of_what_came_before_that_was_known(project: Project) -> None:
    code = """
    import os, signal
    from django.test import Client
    ada = User.objects.create_user("ada")
    client = Client()
    client.force_login(ada)
    assert client.get("/who/").content == b"ada"
    """
    killed(project, textwrap.dedent(code))
    recovered(project)
    rows = project.events("origin_name = 'GET /who/'")
    assert rows[0]["signal"] == "request_started"
    assert {row["actor"] for row in rows} == {"ada"}


# Beside running processes


def test_the_journal_of_a_running_process_is_left_alone(project: Project) -> None:
    code = BUSY + "print('ready', flush=True)\nimport time\ntime.sleep(60)\n"
    with project.running(code, setting=setting(project)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        before = files(project)
        assert "Nothing to recover" in recovered(project)
        assert files(project) == before
        assert project.events() == []
        process.kill()
        process.wait()
    assert "of 1 process" in recovered(project)
    assert project.has_no_gaps()


def test_two_at_once_store_it_once(project: Project) -> None:
    for _ in range(5):
        killed(project)
        command = [sys.executable, "manage.py", "signals_recover"]
        environment = project.environment | {
            "SIGNALS_DEMO": json.dumps(setting(project, SIGNALS=[]))
        }
        both = [subprocess.Popen(command, cwd=project.folder, env=environment) for _ in range(2)]
        assert [process.wait(60) for process in both] == [0, 0]
        assert files(project) == []
        project.execute("DELETE FROM auth_group")
    assert len(project.events("signal = 'post_save'")) == 5 * 32


def test_a_forked_child_has_a_journal_of_its_own(project: Project) -> None:
    code = (
        BUSY
        + """
pid = os.fork()
if not pid:
    Group.objects.create(name="child")
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(pid, 0)
"""
    )
    killed(project, code)
    recovered(project)
    saves = project.events("signal = 'post_save'")
    assert len(saves) == 33
    assert len({row["recorder"] for row in saves}) == 2
    assert project.has_no_gaps()


def test_a_child_that_lives_on_does_not_keep_what_its_parent_left(project: Project) -> None:
    code = (
        BUSY
        + """
import time
if not os.fork():
    print(os.getpid(), flush=True)
    time.sleep(100)
    os._exit(0)
time.sleep(100)
"""
    )
    with project.running(code, setting=setting(project)) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            process.kill()
            process.wait()
            assert "of 1 process" in recovered(project)
        finally:
            os.kill(child, signal.SIGKILL)
    assert len(project.events("signal = 'post_save'")) == 32


def test_what_becomes_of_its_parent_s_transaction_is_nothing_to_a_child(project: Project) -> None:
    done = project.run(
        """
        import os, warnings
        # Python counts its threads after the writer's began again, before gh-137109 was mended.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        with transaction.atomic():
            Group.objects.create(name="in a block")
            pid = os.fork()
            if not pid:
                connection.close()
                os._exit(0)
            os.waitpid(pid, 0)
        """,
        setting=setting(project),
    )
    assert done.stderr == ""
    assert {row["outcome"] for row in project.events("signal = 'post_save'")} == {"committed"}
    assert files(project) == []


# What is left behind


def test_nothing_is_left_of_a_process_that_ends_well(project: Project) -> None:
    project.run(BUSY, setting=setting(project))
    assert len(project.events("signal = 'post_save'")) == 32
    assert files(project) == []


def test_nothing_is_left_of_a_process_that_only_loads_models(project: Project) -> None:
    project.manage("diffsettings", setting=setting(project))
    assert files(project) == []


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


def test_the_files_are_private(project: Project) -> None:
    killed(project)
    folder = project.folder / "journal"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in files(project)} == {0o600}


def test_a_torn_last_line_and_what_is_none_of_ours_are_passed_over(project: Project) -> None:
    killed(project)
    [segment] = (project.folder / "journal").glob("*.jsonl")
    whole = segment.read_bytes()
    torn = whole[: whole.rindex(b'"post_save"') + 20]
    foreign = b'\x00\xff\n[]\n{}\n[1]\n["again"]\n["again", {}]\n["event"]\n["outcome", 1]\n'
    segment.write_bytes(foreign + torn)
    (project.folder / "journal" / "README.txt").write_text("keep")
    recovered(project)
    assert len(project.events("signal = 'post_save'")) == 31
    assert [path.name for path in files(project)] == ["README.txt"]


def test_recovering_twice_stores_once(project: Project) -> None:
    killed(project)
    shutil.copytree(project.folder / "journal", project.folder / "kept")
    recovered(project)
    before = [tuple(row) for row in project.events()]
    shutil.rmtree(project.folder / "journal")
    (project.folder / "kept").rename(project.folder / "journal")
    recovered(project)
    assert [tuple(row) for row in project.events()] == before


# The buffer is full


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


# The folder


@contextmanager
def full_disk(path: Path) -> Iterator[Path]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


def _can_mount() -> bool:
    return os.geteuid() == 0 and shutil.which("mount") is not None


@pytest.mark.applies(_can_mount())
def test_a_full_disk_is_told_and_survived(project: Project) -> None:
    folder = project.folder / "journal"
    folder.mkdir()
    with full_disk(folder):
        done = project.run(BUSY * 20, setting=setting(project))
    assert done.stderr.count("No space left on device") == 1
    assert done.stderr.count("kept in memory") == 1
    assert len(project.events("signal = 'post_save'")) == 20 * 32
    assert project.has_no_gaps()


def test_a_file_that_may_not_grow_is_told_and_survived(project: Project) -> None:
    """The same fault for those who cannot mount a disk; nothing but the journal is written."""
    code = f"""
    import resource
    from signals_demo.sinks.memory import MemorySink
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, {resource.RLIM_INFINITY}))
    for number in range(1000):
        Group(name=str(number))
    assert flush()
    print(sum(row.count for row in MemorySink.rows if row.signal == "post_init"))
    """
    more = {"SINKS": MEMORY, "FOLD_AFTER": None}
    done = project.run(code, setting=setting(project, **more))
    assert done.stdout == "1000\n"
    assert done.stderr.count("cannot be written") == 1


def test_a_line_torn_off_by_a_full_disk_takes_none_of_the_later_ones_along(
    project: Project,
) -> None:
    code = f"""
    import os, resource, signal
    from signals_demo.delivery import segments
    segments.RETRY = 0.0
    most = {resource.RLIM_INFINITY}
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_001, most))
    for number in range(50):
        Group(name=f"before {{number}}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    for number in range(50):
        Group(name=f"after {{number}}")
    """
    killed(project, textwrap.dedent(code), FOLD_AFTER=None)
    recovered(project)
    made = [row["arguments"] for row in project.events("signal = 'pre_init'")]
    assert sum("after" in text for text in made) == 50
    # Of each file the line is torn that was too much.
    assert 40 < sum("before" in text for text in made) < 50


def test_a_disk_that_stays_full_is_told_once(project: Project) -> None:
    """Also where a file can be made, and only writing it fails: as on a full disk."""
    code = f"""
    import resource
    from signals_demo.delivery import segments
    segments.RETRY = 0.0
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, {resource.RLIM_INFINITY}))
    for number in range(50):
        Group(name=str(number))
    assert flush()
    """
    done = project.run(code, setting=setting(project, SINKS=MEMORY))
    assert done.stderr.count("cannot be written") == 1
    assert "again" not in done.stderr
    assert files(project) == []


@pytest.mark.applies(os.geteuid() == 0)
def test_a_folder_that_cannot_be_written_is_told_and_survived(project: Project) -> None:
    folder = project.folder / "journal"
    folder.mkdir()
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        done = project.run(BUSY, setting=setting(project))
    finally:
        subprocess.run(["umount", folder], check=True)
    assert done.stderr.count("Read-only file system") == 1
    assert len(project.events("signal = 'post_save'")) == 32


def test_it_is_used_again_when_it_can_be_written(
    tmp_path: Path, transactional_db: None, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("signals_demo.delivery.segments.RETRY", 0.0)
    folder = tmp_path / "journal"
    folder.write_text("a file in the way")
    with recorded(JOURNAL_DIR=folder), trace("unit") as unit, caplog.at_level(logging.WARNING):
        Author.objects.create(name="Ada")
        folder.unlink()
        Author.objects.create(name="Bob")
        assert folder.is_dir()
        assert len(stored(unit)) == 8
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


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


# The setting and the command


def test_check_says_what_is_wrong_with_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "journal"

    def found() -> list[CheckMessage]:
        return [one for one in check_settings() if one.id == "signals_demo.E007"]

    with override_settings(SIGNALS_DEMO={"JOURNAL_DIR": folder}):
        assert [str(folder) in one.msg for one in found()] == [True]
    with override_settings(SIGNALS_DEMO={"JOURNAL_DIR": tmp_path / "made" / "later"}):
        assert found() == []
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_the_command_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="JOURNAL_DIR"):
        call_command("signals_recover")
    with pytest.raises(CommandError, match="is not a folder"):
        call_command("signals_recover", journal_dir=str(tmp_path / "nowhere"))


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_the_command_tells_a_terminal_how_far_it_is(
    project: Project, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signals_demo.delivery.recovery.BATCH", 50)
    killed(project)
    terminal = Terminal()
    call_command("signals_recover", journal_dir=str(project.folder / "journal"), stdout=terminal)
    assert "\r50 events …\r100 events …" in terminal.getvalue()
    assert "Recovered" in terminal.getvalue()


def test_the_command_prints_nothing_at_verbosity_0(
    project: Project, transactional_db: None
) -> None:
    killed(project)
    terminal = Terminal()
    folder = str(project.folder / "journal")
    for _ in range(2):
        call_command("signals_recover", journal_dir=folder, stdout=terminal, verbosity=0)
    assert terminal.getvalue() == ""
    assert files(project) == []


def test_the_command_leaves_what_it_cannot_store(project: Project) -> None:
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
