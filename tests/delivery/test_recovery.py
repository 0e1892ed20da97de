"""What processes left in their journals when they died is stored, once."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from http.client import HTTPException

import pytest

from tests.delivery.journals import BUSY, files, killed, recovered, setting
from tests.recording import Project
from tests.servers import GUNICORN, Load, get, running, until

pytestmark = pytest.mark.processes


def test_what_a_killed_process_left_is_stored_by_the_command(project: Project) -> None:
    killed(project)
    assert project.events() == []
    assert "Recovered" in recovered(project)
    assert files(project) == []
    saves = [row for row in project.events() if row["signal"] == "post_save"]
    assert Counter(row["outcome"] for row in saves) == {"committed": 31, "rolled_back": 1}
    assert json.loads(saves[-1]["changes"])["name"] == [None, "in vain"]
    assert project.has_no_gaps()


def test_what_a_killed_process_left_is_stored_by_the_next_one(project: Project) -> None:
    killed(project)
    project.run("Group.objects.create(name='next'); flush()", setting=setting(project))
    assert len(project.events("signal = 'post_save'")) == 33
    assert files(project) == []


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
    # At most what each of the four threads was just doing, twenty times.
    assert (saved - counted).total() <= 20 * 4


def _answers(address: str) -> bool:
    try:
        return bool(get(f"{address}/save/"))
    except (OSError, HTTPException):
        return False


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


def test_recovering_twice_stores_once(project: Project) -> None:
    killed(project)
    shutil.copytree(project.folder / "journal", project.folder / "kept")
    recovered(project)
    before = [tuple(row) for row in project.events()]
    shutil.rmtree(project.folder / "journal")
    (project.folder / "kept").rename(project.folder / "journal")
    recovered(project)
    assert [tuple(row) for row in project.events()] == before
